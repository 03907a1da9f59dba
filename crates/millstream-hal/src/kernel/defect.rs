//! What makes a kernel one that nobody can run.

use super::Kernel;
use crate::dtype::DType;
use crate::layout::Layout;

impl Kernel {
    /// Why nobody can run it, for a kernel that says nothing defined: an operation that its type does not have, or shapes that do not fit.
    /// A front end refuses these before a launch; a backend may take their absence for granted, and asserts it.
    #[must_use]
    pub fn defect(&self) -> Option<&'static str> {
        let wrong_type = |takes: bool| (!takes).then_some("the operation does not take this type");
        match self {
            Self::Arange { dtype, .. } => wrong_type(dtype.is_number()),
            Self::Uniform { low, high, .. } => {
                let apart = low < high && (high - low).is_finite();
                (!apart).then_some("the bounds of uniform numbers must be apart by a finite distance")
            }
            Self::Unary { op, dtype, .. } => wrong_type(op.takes(*dtype)),
            Self::Binary { op, dtype, .. } => wrong_type(op.takes(*dtype)),
            Self::Matmul { dtype, a, b } => {
                wrong_type(dtype.is_float() || *dtype == DType::I64).or_else(|| product_defect(a, b))
            }
            Self::Reduce { op, dtype, a, kept } => wrong_type(op.takes(*dtype)).or_else(|| {
                let kept = usize::from(*kept);
                if kept > a.dims() {
                    return Some("more axes are kept than there are");
                }
                let empty = a.sizes()[kept..].contains(&0) && !a.sizes()[..kept].contains(&0);
                (empty && !op.has_value_of_nothing()).then_some("nothing has no greatest element")
            }),
            Self::AddBias { dtype, a, width, activation } => {
                let fits = a.elements().is_multiple_of(*width);
                wrong_type(dtype.is_float() && activation.is_none_or(|op| op.takes(*dtype)))
                    .or_else(|| (!fits).then_some("the bias does not fit a whole number of times"))
            }
            Self::LayerNorm { dtype, .. } => wrong_type(dtype.is_float()),
            Self::Attention { dtype, views, .. } => {
                wrong_type(dtype.is_float()).or_else(|| views.all().iter().find_map(head_defect))
            }
            Self::Poison { bytes } => (!bytes.is_multiple_of(4)).then_some("poison comes in words of 4 bytes"),
            Self::Fill { .. }
            | Self::Randn { .. }
            | Self::Where { .. }
            | Self::Cast { .. }
            | Self::Copy { .. }
            | Self::IndexSelect { .. }
            | Self::Upload { .. }
            | Self::Download { .. }
            | Self::Spin { .. }
            | Self::Fingerprint { .. } => None,
        }
    }
}

/// What is wrong with the shapes of a matrix product.
fn product_defect(a: &Layout, b: &Layout) -> Option<&'static str> {
    let (dims, batch) = (a.dims(), a.dims().saturating_sub(2));
    if dims < 2 || b.dims() != dims || a.sizes()[..batch] != b.sizes()[..batch] {
        return Some("the factors need the same batch axes and two more");
    }
    (a.size(dims - 1) != b.size(dims - 2)).then_some("the inner sizes differ")
}

/// What is wrong with a view of attention.
fn head_defect(view: &Layout) -> Option<&'static str> {
    if view.dims() != 4 {
        return Some("[batch, tokens, heads, width] is needed");
    }
    if view.size(3) > Kernel::HEAD_MAX {
        return Some("a head has too many elements");
    }
    (view.size(3) > 1 && view.stride(3) != 1).then_some("the elements of a head must lie side by side")
}
