//! Reductions of a launch: which fold, and how results are shared between threads.

use half::{bf16, f16};
use millstream_hal::{DType, Layout, ReduceOp};
use millstream_sync::OwnedCell;

use super::{CHUNK, LARGE, Run};
use crate::kernels::fold::{Fold, Max, Ordered, Sum, Total, Zero};
use crate::kernels::number::{Element, Number, Stored, Truth};
use crate::kernels::reduce::{self, Node};
use crate::kernels::view::View;

/// Results that are written at once.
const RESULTS: usize = 64;

pub(super) fn reduce(run: &Run<'_>, op: ReduceOp, dtype: DType, a: &Layout, kept: usize) {
    let count = |sizes: &[u32]| sizes.iter().map(|s| *s as usize).product::<usize>();
    let (results, each) = (count(&a.sizes()[..kept]), count(&a.sizes()[kept..]));
    macro_rules! floats {
        ($($name:ident $type:ty),*) => {
            match dtype {
                $(DType::$name => {
                    let view = &run.view::<$type>(1, a);
                    Results { run, view, results, each }.of_floats(op);
                })*
                _ => of_others(run, op, dtype, a, results, each),
            }
        };
    }
    floats!(F32 f32, F64 f64, F16 f16, BF16 bf16);
}

fn of_others(run: &Run<'_>, op: ReduceOp, dtype: DType, a: &Layout, results: usize, each: usize) {
    macro_rules! integers {
        ($($name:ident $type:ty),*) => {
            match dtype {
                $(DType::$name => {
                    let view = &run.view::<$type>(1, a);
                    Results { run, view, results, each }.of_integers(op);
                })*
                _ => unreachable!("a float"),
            }
        };
    }
    integers!(I64 i64, U8 u8, Bool Truth);
}

/// What is reduced: every `each` elements of the view are one result.
struct Results<'a, S> {
    run: &'a Run<'a>,
    view: &'a View<'a, S>,
    results: usize,
    each: usize,
}

impl<S: Stored> Results<'_, S>
where
    S::Compute: Ordered,
    Total<S>: Zero,
{
    fn of_floats(&self, op: ReduceOp)
    where
        S::Compute: Number<Total = S::Compute>,
    {
        let each = self.each as f64;
        match op {
            ReduceOp::Sum => self.by::<Sum<S>, S>(|_, sum| S::narrow(sum)),
            ReduceOp::Mean => self.by::<Sum<S>, S>(|_, sum| S::from_f64(sum.store::<f64>() / each)),
            ReduceOp::Max | ReduceOp::ArgMax => self.greatest(op),
        }
    }

    fn of_integers(&self, op: ReduceOp) {
        match op {
            ReduceOp::Sum => self.by::<Sum<S>, i64>(|_, sum| sum.store()),
            ReduceOp::Mean => unreachable!("a defect"),
            ReduceOp::Max | ReduceOp::ArgMax => self.greatest(op),
        }
    }

    fn greatest(&self, op: ReduceOp) {
        if op == ReduceOp::Max {
            self.by::<Max<S>, S>(|_, key| S::narrow(S::Compute::of_key(key)));
        } else {
            self.by::<Max<S>, i64>(|i, key| {
                let greatest = S::Compute::of_key(key);
                reduce::first_equal(self.run.level, self.view, i * self.each, self.each, greatest) as i64
            });
        }
    }

    /// Reduces by `F` and writes what `finish` makes of the number of a result and its lane.
    fn by<F: Fold<From = S>, R: Element>(&self, finish: impl Fn(usize, F::Lane) -> R + Sync) {
        let (level, team) = (self.run.level, self.run.team);
        let out = self.run.output::<R>(self.results);
        if self.each > LARGE {
            for (i, out) in out.whole().iter_mut().enumerate() {
                let nodes: Vec<OwnedCell<Node<F, 1>>> =
                    (0..reduce::chunks(self.each)).map(|_| OwnedCell::new(Node::START)).collect();
                team.run(nodes.len(), &|chunk| {
                    let node = reduce::chunk::<F>(level, self.view, i * self.each, self.each, chunk);
                    nodes[chunk].try_with(|cell| *cell = node).unwrap_or(());
                });
                let nodes: Vec<Node<F, 1>> = nodes.into_iter().map(|mut cell| *cell.value_mut()).collect();
                let [lane] = reduce::combine(self.each, &nodes);
                *out = finish(i, lane);
            }
            return;
        }
        let work = |from: usize, part: &mut [R]| {
            if let [out] = part {
                let mut lane = [F::START];
                reduce::rows::<F>(level, self.view, self.each, from, &mut lane);
                *out = finish(from, lane[0]);
                return;
            }
            let mut lanes = [F::START; RESULTS];
            for (i, part) in part.chunks_mut(RESULTS).enumerate() {
                let first = from + i * RESULTS;
                let lanes = &mut lanes[..part.len()];
                reduce::rows::<F>(level, self.view, self.each, first, lanes);
                for (j, (out, lane)) in part.iter_mut().zip(lanes).enumerate() {
                    *out = finish(first + j, *lane);
                }
            }
        };
        if self.results.saturating_mul(self.each) <= LARGE {
            work(0, out.whole());
        } else {
            out.in_parts_sized(team, (CHUNK / self.each.max(1)).max(1), work);
        }
    }
}
