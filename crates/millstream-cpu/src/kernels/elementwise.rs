//! Element by element over a range: one operand, two, a choice, a change of type.
//!
//! Each operation is a type with one function, and each loop is written once over it; the compiler makes a vector loop of every pair. Each element is
//! computed alone, so that every level and every partition gives the same bits; NaN and infinity follow IEEE 754. Operands that do not
//! lie side by side are gathered in pieces.

use std::marker::PhantomData;

use millstream_hal::{BinaryOp, UnaryOp};

use super::number::{Element, Number, Stored};
use super::real::Real;
use super::view::{PIECE, View};
use crate::Level;
use crate::simd::Work;

/// A function of one number.
pub(super) trait Map<A> {
    type Out;
    fn apply(a: A) -> Self::Out;
}

/// A function of two numbers.
trait Pair<A> {
    type Out;
    fn apply(a: A, b: A) -> Self::Out;
}

macro_rules! maps {
    ($bound:ident: $($name:ident $function:ident),*) => {$(
        pub(super) struct $name;
        impl<A: $bound> Map<A> for $name {
            type Out = A;
            #[inline(always)]
            fn apply(a: A) -> A {
                A::$function(a)
            }
        }
    )*};
}

maps!(Number: Neg neg, Abs abs, Relu relu);
maps!(Real: Exp exp, Log ln, Sqrt sqrt, Tanh tanh, Erf erf, Gelu gelu, GeluTanh gelu_tanh);

macro_rules! pairs {
    ($($name:ident $function:ident),*) => {$(
        struct $name;
        impl<A: Number> Pair<A> for $name {
            type Out = A;
            #[inline(always)]
            fn apply(a: A, b: A) -> A {
                A::$function(a, b)
            }
        }
    )*};
}

macro_rules! comparisons {
    ($($name:ident $operator:tt),*) => {$(
        struct $name;
        impl<A: Number> Pair<A> for $name {
            type Out = u8;
            #[inline(always)]
            fn apply(a: A, b: A) -> u8 {
                u8::from(a $operator b)
            }
        }
    )*};
}

pairs!(Add add, Sub sub, Mul mul, Div div);
comparisons!(Eq ==, Ne !=, Lt <, Le <=, Gt >, Ge >=);

/// `out[i] = op(a[first + i])`, where `op` is defined for every number. Panics for another, or when the view has fewer elements.
pub fn unary<S: Stored>(level: Level, op: UnaryOp, out: &mut [S], first: usize, a: &View<'_, S>) {
    match op {
        UnaryOp::Neg => map::<Neg, S, S>(level, out, first, a),
        UnaryOp::Abs => map::<Abs, S, S>(level, out, first, a),
        UnaryOp::Relu => map::<Relu, S, S>(level, out, first, a),
        _ => panic!("{} of what is no float", op.name()),
    }
}

/// As [`unary`], of floats: every operation.
pub fn unary_of_floats<S: Stored<Compute: Real>>(
    level: Level,
    op: UnaryOp,
    out: &mut [S],
    first: usize,
    a: &View<'_, S>,
) {
    match op {
        UnaryOp::Exp => map::<Exp, S, S>(level, out, first, a),
        UnaryOp::Log => map::<Log, S, S>(level, out, first, a),
        UnaryOp::Sqrt => map::<Sqrt, S, S>(level, out, first, a),
        UnaryOp::Tanh => map::<Tanh, S, S>(level, out, first, a),
        UnaryOp::Erf => map::<Erf, S, S>(level, out, first, a),
        UnaryOp::Gelu => map::<Gelu, S, S>(level, out, first, a),
        UnaryOp::GeluTanh => map::<GeluTanh, S, S>(level, out, first, a),
        UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Relu => unary(level, op, out, first, a),
    }
}

/// `out[i] = a[first + i] op b[first + i]` for an operation of arithmetic. Panics for a comparison, or when a view has fewer elements.
pub fn binary<S: Stored>(level: Level, op: BinaryOp, out: &mut [S], first: usize, a: &View<'_, S>, b: &View<'_, S>) {
    match op {
        BinaryOp::Add => pair::<Add, S, S>(level, out, first, a, b),
        BinaryOp::Sub => pair::<Sub, S, S>(level, out, first, a, b),
        BinaryOp::Mul => pair::<Mul, S, S>(level, out, first, a, b),
        BinaryOp::Div => pair::<Div, S, S>(level, out, first, a, b),
        _ => panic!("{} gives bools", op.name()),
    }
}

/// `out[i] = a[first + i] op b[first + i]` for a comparison: 0 or 1. Panics for another operation, or when a view has fewer elements.
pub fn compare<S: Stored>(level: Level, op: BinaryOp, out: &mut [u8], first: usize, a: &View<'_, S>, b: &View<'_, S>) {
    match op {
        BinaryOp::Eq => pair::<Eq, S, u8>(level, out, first, a, b),
        BinaryOp::Ne => pair::<Ne, S, u8>(level, out, first, a, b),
        BinaryOp::Lt => pair::<Lt, S, u8>(level, out, first, a, b),
        BinaryOp::Le => pair::<Le, S, u8>(level, out, first, a, b),
        BinaryOp::Gt => pair::<Gt, S, u8>(level, out, first, a, b),
        BinaryOp::Ge => pair::<Ge, S, u8>(level, out, first, a, b),
        _ => panic!("{} gives no bools", op.name()),
    }
}

/// `out[i] = a[first + i]` in another type. Panics when the view has fewer elements.
pub fn cast<S: Stored, R: Stored>(level: Level, out: &mut [R], first: usize, a: &View<'_, S>) {
    in_pieces(out, first, [a], |out, [a]| level.run(Convert { out, a }));
}

/// `out[i]` is `a[first + i]` where `cond[first + i]` is not 0, else `b[first + i]`. Panics when a view has fewer elements.
pub fn select<T: Element>(
    level: Level,
    out: &mut [T],
    first: usize,
    cond: &View<'_, u8>,
    a: &View<'_, T>,
    b: &View<'_, T>,
) {
    let mut truths = [0u8; PIECE];
    for (i, out) in out.chunks_mut(PIECE).enumerate() {
        let at = first + i * PIECE;
        let cond = cond.piece(at, &mut truths[..out.len()]);
        in_pieces(out, at, [a, b], |out, [a, b]| level.run(Choose { out, cond, a, b }));
    }
}

fn map<O: Map<S::Compute, Out = R::Compute>, S: Stored, R: Stored>(
    level: Level,
    out: &mut [R],
    first: usize,
    a: &View<'_, S>,
) {
    in_pieces(out, first, [a], |out, [a]| level.run(One { op: PhantomData::<O>, out, a }));
}

fn pair<O: Pair<S::Compute, Out = R::Compute>, S: Stored, R: Stored>(
    level: Level,
    out: &mut [R],
    first: usize,
    a: &View<'_, S>,
    b: &View<'_, S>,
) {
    in_pieces(out, first, [a, b], |out, [a, b]| level.run(Two { op: PhantomData::<O>, out, a, b }));
}

/// Calls `work` with parts of `out` and the same elements of each view: once, if all lie side by side.
#[inline(always)]
fn in_pieces<T: Element, R, const N: usize>(
    out: &mut [R],
    first: usize,
    views: [&View<'_, T>; N],
    mut work: impl FnMut(&mut [R], [&[T]; N]),
) {
    let slices = views.map(|view| view.slice(first, out.len()));
    if slices.iter().all(Option::is_some) {
        work(out, slices.map(Option::unwrap_or_default));
    } else {
        gathered(out, first, views, &mut work);
    }
}

#[inline(never)]
fn gathered<T: Element, R, const N: usize>(
    out: &mut [R],
    first: usize,
    views: [&View<'_, T>; N],
    work: &mut impl FnMut(&mut [R], [&[T]; N]),
) {
    let mut buffers = [[T::default(); PIECE]; N];
    // A repeated element is written down once.
    let mut filled = [false; N];
    for ((buffer, filled), view) in buffers.iter_mut().zip(&mut filled).zip(views) {
        if let Some(value) = view.repeated() {
            buffer.fill(value);
            *filled = true;
        }
    }
    for (i, out) in out.chunks_mut(PIECE).enumerate() {
        let at = first + i * PIECE;
        for ((buffer, filled), view) in buffers.iter_mut().zip(filled).zip(views) {
            if !filled && view.slice(at, out.len()).is_none() {
                view.gather(at, &mut buffer[..out.len()]);
            }
        }
        let pieces = std::array::from_fn(|n| views[n].slice(at, out.len()).unwrap_or(&buffers[n][..out.len()]));
        work(out, pieces);
    }
}

struct One<'a, O, S, R> {
    op: PhantomData<O>,
    out: &'a mut [R],
    a: &'a [S],
}

impl<O: Map<S::Compute, Out = R::Compute>, S: Stored, R: Stored> Work for One<'_, O, S, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (out, a) in self.out.iter_mut().zip(self.a) {
            *out = R::narrow(O::apply(a.widen()));
        }
    }
}

struct Two<'a, O, S, R> {
    op: PhantomData<O>,
    out: &'a mut [R],
    a: &'a [S],
    b: &'a [S],
}

impl<O: Pair<S::Compute, Out = R::Compute>, S: Stored, R: Stored> Work for Two<'_, O, S, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for ((out, a), b) in self.out.iter_mut().zip(self.a).zip(self.b) {
            *out = R::narrow(O::apply(a.widen(), b.widen()));
        }
    }
}

struct Convert<'a, S, R> {
    out: &'a mut [R],
    a: &'a [S],
}

impl<S: Stored, R: Stored> Work for Convert<'_, S, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (out, a) in self.out.iter_mut().zip(self.a) {
            *out = a.widen().store();
        }
    }
}

struct Choose<'a, T> {
    out: &'a mut [T],
    cond: &'a [u8],
    a: &'a [T],
    b: &'a [T],
}

impl<T: Element> Work for Choose<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (((out, cond), a), b) in self.out.iter_mut().zip(self.cond).zip(self.a).zip(self.b) {
            *out = if *cond != 0 { *a } else { *b };
        }
    }
}

#[cfg(test)]
#[path = "tests/elementwise.rs"]
mod tests;
