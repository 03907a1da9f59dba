//! A bias for each column, and what follows it, in one pass.

use std::marker::PhantomData;

use millstream_hal::UnaryOp;

use super::elementwise::{Abs, Erf, Exp, Gelu, GeluTanh, Log, Map, Neg, Relu, Sqrt, Tanh};
use super::number::{Number, Stored};
use super::real::Real;
use super::view::{PIECE, View};
use crate::Level;
use crate::simd::Work;

/// Nothing follows.
struct Same;

impl<A> Map<A> for Same {
    type Out = A;

    #[inline(always)]
    fn apply(a: A) -> A {
        a
    }
}

/// `out[i] = activation(a[first + i] + bias[(first + i) % width])`, `width` being the length of `bias`: computed in the wider type and rounded once. `first` is a multiple of the width.
/// Panics when the view has fewer elements.
pub fn add_bias<S: Stored<Compute: Real>>(
    level: Level,
    out: &mut [S],
    first: usize,
    a: &View<'_, S>,
    bias: &[S],
    activation: Option<UnaryOp>,
) {
    match activation {
        None => rows::<Same, S>(level, out, first, a, bias),
        Some(UnaryOp::Neg) => rows::<Neg, S>(level, out, first, a, bias),
        Some(UnaryOp::Abs) => rows::<Abs, S>(level, out, first, a, bias),
        Some(UnaryOp::Relu) => rows::<Relu, S>(level, out, first, a, bias),
        Some(UnaryOp::Exp) => rows::<Exp, S>(level, out, first, a, bias),
        Some(UnaryOp::Log) => rows::<Log, S>(level, out, first, a, bias),
        Some(UnaryOp::Sqrt) => rows::<Sqrt, S>(level, out, first, a, bias),
        Some(UnaryOp::Tanh) => rows::<Tanh, S>(level, out, first, a, bias),
        Some(UnaryOp::Erf) => rows::<Erf, S>(level, out, first, a, bias),
        Some(UnaryOp::Gelu) => rows::<Gelu, S>(level, out, first, a, bias),
        Some(UnaryOp::GeluTanh) => rows::<GeluTanh, S>(level, out, first, a, bias),
    }
}

fn rows<O: Map<S::Compute, Out = S::Compute>, S: Stored>(
    level: Level,
    out: &mut [S],
    first: usize,
    a: &View<'_, S>,
    bias: &[S],
) {
    if let Some(a) = a.slice(first, out.len()) {
        return level.run(Rows { op: PhantomData::<O>, out, a, bias });
    }
    let mut buffer = [S::default(); PIECE];
    let mut at = first;
    for row in out.chunks_mut(bias.len().max(1)) {
        for (out, bias) in row.chunks_mut(PIECE).zip(bias.chunks(PIECE)) {
            let a = a.piece(at, &mut buffer[..out.len()]);
            at += out.len();
            level.run(Rows { op: PhantomData::<O>, out, a, bias });
        }
    }
}

/// Whole rows of the length of `bias`.
struct Rows<'a, O, S> {
    op: PhantomData<O>,
    out: &'a mut [S],
    a: &'a [S],
    bias: &'a [S],
}

impl<O: Map<S::Compute, Out = S::Compute>, S: Stored> Work for Rows<'_, O, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let width = self.bias.len().max(1);
        for (out, a) in self.out.chunks_exact_mut(width).zip(self.a.chunks_exact(width)) {
            for ((out, a), bias) in out.iter_mut().zip(a).zip(self.bias) {
                *out = S::narrow(O::apply(a.widen().add(bias.widen())));
            }
        }
    }
}
