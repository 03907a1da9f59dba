//! The interpreter: every kernel on host memory, in double precision, one element after the other.
//!
//! It says what a kernel means. Backends are compared with it, and the sim takes its values from it. Sums and products are
//! accumulated as `f64` in index order and rounded to their type once, so each result is the same on every machine and differs from
//! the exact one by far less than any kernel may. It is not fast, has no threads and never touches a byte that
//! [`footprint`] does not name.
//!
//! **Invariants**
//! * `interpreter-is-pure`: the result depends on the kernel and the bytes of its footprint alone.
//! * `footprint-covers`: no byte outside the footprint is read or written; a smaller operand is an error, not a panic.
//!
//! **Checked by** the tests of each kernel group: known answers, and values worked out by hand.

mod elementwise;
mod footprint;
mod layers;
mod matmul;
pub(crate) mod number;
pub mod philox;
mod positions;
mod random;
mod reduce;
mod transfer;

use millstream_hal::Kernel;

pub use footprint::{Footprint, footprint};
pub(crate) use positions::positions;
pub use random::normal_pair;

use crate::Error;

/// Runs `kernel`: `out` is its output operand (empty for a kernel that has none), `inputs` the others in their order. Each slice is
/// the operand from its first byte on. Bytes of `out` that the kernel does not write keep their value.
///
/// Errors: an operand is missing or smaller than the kernel's shape; the kernel says nothing defined ([`Kernel::defect`]).
///
/// ```
/// use millstream_hal::{DType, Kernel, Layout, ReduceOp};
///
/// let a: Vec<u8> = [1.0f32, 2.0, 3.0].iter().flat_map(|x| x.to_le_bytes()).collect();
/// let mut out = [0u8; 4];
/// let sum = Kernel::Reduce { op: ReduceOp::Sum, dtype: DType::F32, a: Layout::contiguous(&[3])?, kept: 0 };
/// millstream_conformance::interpret(&sum, &mut out, &[&a])?;
/// assert_eq!(f32::from_le_bytes(out), 6.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn interpret(kernel: &Kernel, out: &mut [u8], inputs: &[&[u8]]) -> Result<(), Error> {
    check(kernel, out, inputs)?;
    match kernel {
        Kernel::Fill { elements, dtype, value } => elementwise::fill(*dtype, *elements, *value, out),
        Kernel::Arange { elements, dtype, start, step } => elementwise::arange(*dtype, *elements, *start, *step, out),
        Kernel::Uniform { elements, low, high, key } => random::uniform(*elements, *low, *high, *key, out),
        Kernel::Randn { elements, key } => random::randn(*elements, *key, out),
        Kernel::Unary { op, dtype, a } => elementwise::unary(*op, *dtype, a, out, inputs[0]),
        Kernel::Binary { op, dtype, views } => elementwise::binary(*op, *dtype, views.all(), out, inputs),
        Kernel::Where { dtype, views } => elementwise::select(*dtype, views.all(), out, inputs),
        Kernel::Cast { from, to, a } => elementwise::cast(*from, *to, a, out, inputs[0]),
        Kernel::Copy { dtype, a } => elementwise::copy(*dtype, a, out, inputs[0]),
        Kernel::Matmul { dtype, a, b } => matmul::matmul(*dtype, a, b, out, inputs),
        Kernel::Reduce { op, dtype, a, kept } => {
            reduce::reduce(*op, *dtype, a, usize::from(*kept), out, inputs[0]);
        }
        Kernel::IndexSelect { dtype, rows, width, count } => {
            layers::index_select(*dtype, [*rows, *width, *count], out, inputs);
        }
        Kernel::AddBias { dtype, a, width, activation } => {
            layers::add_bias(*dtype, a, *width, *activation, out, inputs);
        }
        Kernel::LayerNorm { dtype, rows, width, epsilon, residual } => {
            layers::layer_norm(*dtype, [*rows, *width], f64::from(*epsilon), *residual, out, inputs);
        }
        Kernel::Attention { dtype, views, scale, masked, biased } => {
            let (mask, bias) = (masked.then(|| inputs[3]), biased.then(|| inputs[3 + usize::from(*masked)]));
            layers::attention(*dtype, &views.all(), f64::from(*scale), out, &inputs[..3], [mask, bias]);
        }
        Kernel::Upload { bytes } => transfer::copy_bytes(out, 0, inputs[0], 0, *bytes),
        Kernel::Download { bytes, from, to } => transfer::copy_bytes(out, *to, inputs[0], *from, *bytes),
        Kernel::Spin { .. } => {}
        Kernel::Poison { bytes } => transfer::poison(&mut out[..*bytes]),
        Kernel::Fingerprint { bytes } => transfer::fingerprint(*bytes, out, inputs[0]),
    }
    Ok(())
}

fn check(kernel: &Kernel, out: &[u8], inputs: &[&[u8]]) -> Result<(), Error> {
    if let Some(reason) = kernel.defect() {
        return Err(Error::Undefined { kernel: kernel.name(), reason });
    }
    let ranges = footprint(kernel);
    let given = inputs.len() + usize::from(!matches!(kernel, Kernel::Spin { .. }));
    if ranges.len() != given {
        return Err(Error::OperandCount { kernel: kernel.name(), needed: ranges.len(), given });
    }
    for (operand, range) in ranges.iter().enumerate() {
        let given = if operand == 0 { out.len() } else { inputs[operand - 1].len() };
        if !range.is_empty() && range.end > given {
            return Err(Error::OperandTooSmall { kernel: kernel.name(), operand, needed: range.end, given });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use millstream_hal::{DType, Layout, UnaryOp};

    use super::*;

    fn fill(elements: usize, value: f32) -> Kernel {
        Kernel::Fill { elements, dtype: DType::F32, value: value.into() }
    }

    #[test]
    fn a_kernel_that_says_nothing_defined_is_an_error() {
        let kernel = Kernel::Unary { op: UnaryOp::Exp, dtype: DType::U8, a: Layout::contiguous(&[1]).unwrap() };
        assert!(matches!(interpret(&kernel, &mut [0], &[&[1]]), Err(Error::Undefined { kernel: "exp", .. })));
    }

    #[test]
    fn an_operand_that_is_too_small_is_an_error() {
        let kernel = fill(3, 1.0);
        let error = interpret(&kernel, &mut [0; 8], &[]).unwrap_err();
        assert_eq!(error, Error::OperandTooSmall { kernel: "fill", operand: 0, needed: 12, given: 8 });
    }

    #[test]
    fn a_missing_operand_is_an_error() {
        let kernel = Kernel::Fingerprint { bytes: 1 };
        assert!(matches!(interpret(&kernel, &mut [0; 8], &[]), Err(Error::OperandCount { .. })));
    }

    #[test]
    fn a_spin_needs_nothing() {
        interpret(&Kernel::Spin { micros: 5 }, &mut [], &[]).unwrap();
    }

    #[test]
    fn fill_and_poison_leave_the_rest_alone() {
        let mut out = [9u8; 12];
        interpret(&fill(1, 2.0), &mut out, &[]).unwrap();
        assert_eq!(out[..4], 2.0f32.to_le_bytes());
        assert_eq!(out[4..], [9; 8]);
        interpret(&Kernel::Poison { bytes: 8 }, &mut out, &[]).unwrap();
        assert_eq!(out[4..8], Kernel::POISON_WORD.to_le_bytes());
        assert_eq!(out[8..], [9; 4]);
    }
}
