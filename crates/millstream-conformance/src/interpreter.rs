//! The interpreter: every kernel on host memory, in double precision, one element after the other.
//!
//! It says what a kernel means. Backends are compared with it, and the sim takes its values from it. Sums and products are
//! accumulated as `f64` in index order and rounded to `f32` once, so each result is the same on every machine and differs from
//! the exact one by far less than any `f32` kernel may. It is not fast, has no threads and never touches a byte that
//! [`footprint`] does not name.
//!
//! **Invariants**
//! * `interpreter-is-pure`: the result depends on the kernel and the bytes of its footprint alone.
//! * `footprint-covers`: no byte outside the footprint is read or written; a smaller operand is an error, not a panic.
//!
//! **Checked by** the tests of each kernel group: known answers, and values worked out by hand.

mod elementwise;
mod footprint;
mod matmul;
pub mod philox;
mod random;
mod reduce;
mod transfer;
mod words;

use millstream_hal::{BinaryOp, Kernel, ReduceOp};

pub use footprint::{Footprint, footprint};
pub use random::normal_pair;

use crate::Error;

/// Runs `kernel`: `out` is its output operand (empty for a kernel that has none), `inputs` the others in their order. Each slice is
/// the operand from its first byte on. Bytes of `out` that the kernel does not write keep their value.
///
/// Errors: an operand is missing or smaller than the kernel's shape; the views differ in shape.
///
/// ```
/// use millstream_hal::{Kernel, Layout, ReduceOp};
///
/// let a: Vec<u8> = [1.0f32, 2.0, 3.0].iter().flat_map(|x| x.to_le_bytes()).collect();
/// let mut out = [0u8; 4];
/// let sum = Kernel::Reduce { op: ReduceOp::Sum, a: Layout::contiguous(&[3])? };
/// millstream_conformance::interpret(&sum, &mut out, &[&a])?;
/// assert_eq!(f32::from_le_bytes(out), 6.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn interpret(kernel: &Kernel, out: &mut [u8], inputs: &[&[u8]]) -> Result<(), Error> {
    check(kernel, out, inputs)?;
    match kernel {
        Kernel::Fill { elements, value } => words::fill(&mut out[..elements * 4], value.to_bits()),
        Kernel::Poison { bytes } => words::fill(&mut out[..bytes / 4 * 4], Kernel::POISON_WORD),
        Kernel::Randn { elements, key } => random::randn(*elements, *key, out),
        Kernel::Binary { op: BinaryOp::Add, a, b } => elementwise::binary(|x, y| x + y, a, b, out, inputs),
        Kernel::Binary { op: BinaryOp::Mul, a, b } => elementwise::binary(|x, y| x * y, a, b, out, inputs),
        Kernel::Copy { a } => elementwise::copy(a, out, inputs[0]),
        Kernel::Matmul { m, n, k, a, b } => matmul::matmul([*m, *n, *k], a, b, out, inputs),
        Kernel::Reduce { op, a } => reduce::reduce(*op == ReduceOp::Mean, a, out, inputs[0]),
        Kernel::Upload { bytes } => transfer::copy_bytes(out, 0, inputs[0], 0, *bytes),
        Kernel::Download { bytes, from, to } => transfer::copy_bytes(out, *to, inputs[0], *from, *bytes),
        Kernel::Spin { .. } => {}
        Kernel::Fingerprint { words } => transfer::fingerprint(*words, out, inputs[0]),
        other => return Err(Error::UnknownKernel(other.name())),
    }
    Ok(())
}

fn check(kernel: &Kernel, out: &[u8], inputs: &[&[u8]]) -> Result<(), Error> {
    let ranges = footprint(kernel)?;
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
    if let Kernel::Binary { a, b, .. } = kernel
        && !a.same_shape(b)
    {
        return Err(Error::ShapesDiffer { kernel: kernel.name(), a: a.shape(), b: b.shape() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operand_that_is_too_small_is_an_error() {
        let kernel = Kernel::Fill { elements: 3, value: 1.0 };
        let error = interpret(&kernel, &mut [0; 8], &[]).unwrap_err();
        assert_eq!(error, Error::OperandTooSmall { kernel: "fill", operand: 0, needed: 12, given: 8 });
    }

    #[test]
    fn a_missing_operand_is_an_error() {
        let kernel = Kernel::Fingerprint { words: 1 };
        assert!(matches!(interpret(&kernel, &mut [0; 8], &[]), Err(Error::OperandCount { .. })));
    }

    #[test]
    fn a_spin_needs_nothing() {
        interpret(&Kernel::Spin { micros: 5 }, &mut [], &[]).unwrap();
    }

    #[test]
    fn fill_and_poison_leave_the_rest_alone() {
        let mut out = [9u8; 12];
        interpret(&Kernel::Fill { elements: 1, value: 2.0 }, &mut out, &[]).unwrap();
        assert_eq!(words::f32_at(&out, 0), 2.0);
        assert_eq!(out[4..], [9; 8]);
        interpret(&Kernel::Poison { bytes: 8 }, &mut out, &[]).unwrap();
        assert_eq!(words::u32_at(&out, 1), Kernel::POISON_WORD);
        assert_eq!(out[8..], [9; 4]);
    }
}
