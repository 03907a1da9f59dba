//! Layers of networks in a launch: which type, and how rows are shared between threads.

use half::{bf16, f16};
use millstream_hal::{DType, Layout, UnaryOp, Views};

use super::{LARGE, Run};
use crate::kernels::attention::{self, Attention, Heads};
use crate::kernels::number::{Element, Stored};
use crate::kernels::real::Real;
use crate::kernels::{bias, index_select, norm};
use crate::operands::Output;

/// The body once for each type of floats.
macro_rules! by_float {
    ($dtype:expr, $name:ident => $body:expr) => {
        match $dtype {
            DType::F32 => {
                type $name = f32;
                $body
            }
            DType::F64 => {
                type $name = f64;
                $body
            }
            DType::F16 => {
                type $name = f16;
                $body
            }
            DType::BF16 => {
                type $name = bf16;
                $body
            }
            DType::I64 | DType::U8 | DType::Bool => unreachable!("a defect"),
        }
    };
}

/// Calls `work` with parts of whole rows and the number of their first row.
fn in_rows<T: Element>(run: &Run<'_>, out: &Output<'_, T>, width: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    out.in_parts_of(run.team, width, |from, part| work(from / width.max(1), part));
}

pub(super) fn index_select<T: Element>(run: &Run<'_>, [rows, width, count]: [usize; 3]) {
    let (table, indices) = (&run.input::<T>(1)[..rows * width], &run.input::<i64>(2)[..count]);
    in_rows(run, &run.output(count * width), width, |first, part| {
        index_select::index_select(part, width, table, &indices[first..]);
    });
}

pub(super) fn add_bias(run: &Run<'_>, dtype: DType, a: &Layout, width: usize, activation: Option<UnaryOp>) {
    by_float!(dtype, T => {
        let (a, bias) = (run.view::<T>(1, a), &run.input::<T>(2)[..width]);
        run.output(a.len()).in_parts_of(run.team, width, |first, part| {
            bias::add_bias(run.level, part, first, &a, bias, activation);
        });
    });
}

pub(super) fn layer_norm(run: &Run<'_>, dtype: DType, [rows, width]: [usize; 2], epsilon: f32, residual: bool) {
    by_float!(dtype, T => {
        let row = |index: usize| &run.input::<T>(index)[..width];
        let whole = |index: usize| &run.input::<T>(index)[..rows * width];
        let (weight, bias) = if residual { (row(3), row(4)) } else { (row(2), row(3)) };
        let (a, residual) = (whole(1), residual.then(|| whole(2)));
        in_rows(run, &run.output(rows * width), width, |first, part| {
            let (a, residual) = (&a[first * width..], residual.map(|all| &all[first * width..]));
            norm::layer_norm(run.level, part, [a, weight, bias], residual, epsilon);
        });
    });
}

pub(super) fn attention(run: &Run<'_>, dtype: DType, views: &Views<3>, scale: f32, with: [bool; 2]) {
    by_float!(dtype, T => of_floats::<T>(run, views, scale, with));
}

fn of_floats<S: Stored<Compute: Real>>(run: &Run<'_>, views: &Views<3>, scale: f32, [masked, biased]: [bool; 2]) {
    let [q, k, v] = views.all();
    let [batch, tokens, heads, width] = std::array::from_fn(|axis| q.size(axis));
    let elements = views.elements();
    if elements == 0 {
        return;
    }
    let operand = |index: usize, layout| Heads::new(run.input::<S>(index), layout);
    let mask = masked.then(|| &run.input::<u8>(4)[..batch * tokens]);
    let bias = biased.then(|| &run.input::<S>(4 + usize::from(masked))[..heads * tokens * tokens]);
    let with = Attention { q: operand(1, &q), k: operand(2, &k), v: operand(3, &v), mask, bias, scale };
    let each = heads * width;
    let out = run.output::<S>(elements);
    // The work is that of the scores: one for each key.
    if elements.saturating_mul(tokens) <= LARGE * attention::QUERIES {
        attention::attention(run.level, out.whole(), 0, &with);
    } else {
        out.in_parts_sized(run.team, attention::QUERIES * each, |from, part| {
            attention::attention(run.level, part, from / each, &with);
        });
    }
}
