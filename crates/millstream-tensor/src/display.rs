//! How a tensor prints.
//!
//! `Debug` names shape, type and device and never waits. `Display` prints the elements and so reads the device. Above a thousand elements only the edges of each long axis are read and
//! printed, whatever the size of the tensor.

use std::fmt::{Debug, Display, Formatter, Result as Printed};

use half::{bf16, f16};
use millstream_hal::{DType, Scalar};

use crate::element::Element;
use crate::error::Result;
use crate::host::read_all;
use crate::tensor::Tensor;

/// Elements above which only edges are printed.
const WHOLE: usize = 1000;
/// Elements at each end of a long axis.
const EDGE: usize = 3;

/// Shape, type and device, without the elements: `tensor(shape=[2, 3], dtype=f32, device=cpu)`. Does not wait.
impl Debug for Tensor {
    fn fmt(&self, f: &mut Formatter<'_>) -> Printed {
        write!(f, "tensor({})", Tail(self))
    }
}

/// The elements, shape, type and device: `tensor([1.0000, 2.0000], shape=[2], dtype=f32, device=cpu)`. Floats have four decimals, or an exponent where these would not show them.
/// Blocks the host until the elements are computed. What cannot be read prints as the reason why.
impl Display for Tensor {
    fn fmt(&self, f: &mut Formatter<'_>) -> Printed {
        f.write_str("tensor(")?;
        match edges(self) {
            Ok(values) => {
                let mut texts = texts(&values).into_iter();
                let few = self.elements() <= WHOLE;
                print(f, &self.shape(), few, 1, &mut texts)?;
            }
            Err(error) => write!(f, "<{error}>")?,
        }
        write!(f, ", {})", Tail(self))
    }
}

struct Tail<'a>(&'a Tensor);

impl Display for Tail<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Printed {
        let Self(t) = self;
        write!(f, "shape={:?}, dtype={}, device={}", t.shape(), t.dtype(), t.device().info().name)
    }
}

/// How many elements of an axis of `size` are printed.
fn shown(size: usize, few: bool) -> usize {
    if few { size } else { size.min(2 * EDGE) }
}

/// The elements that are printed, in row-major order, with one wait.
fn edges(tensor: &Tensor) -> Result<Vec<Scalar>> {
    if tensor.elements() <= WHOLE {
        return values(&[tensor]);
    }
    let shape = tensor.shape();
    let long: Vec<usize> = (0..shape.len()).filter(|axis| shape[*axis] > 2 * EDGE).collect();
    // A corner for each choice of the first or the last elements of every long axis.
    let corners: Vec<Tensor> = (0..1usize << long.len())
        .map(|choice| {
            long.iter().enumerate().try_fold(tensor.clone(), |corner, (i, axis)| {
                let start = if choice >> i & 1 == 0 { 0 } else { shape[*axis] - EDGE };
                corner.narrow(*axis, start, EDGE)
            })
        })
        .collect::<Result<_>>()?;
    let found = values(&corners.iter().collect::<Vec<_>>())?;
    let each = found.len() / corners.len();
    let sizes: Vec<usize> = shape.iter().map(|size| shown(*size, false)).collect();
    Ok((0..sizes.iter().product())
        .map(|mut index: usize| {
            let (mut choice, mut at, mut stride) = (0, 0, 1);
            for axis in (0..sizes.len()).rev() {
                let mut place = index % sizes[axis];
                index /= sizes[axis];
                if let Some(i) = long.iter().position(|long| *long == axis) {
                    choice |= (place / EDGE) << i;
                    place %= EDGE;
                }
                at += place * stride;
                stride *= if long.contains(&axis) { EDGE } else { sizes[axis] };
            }
            found[choice * each + at]
        })
        .collect())
}

/// The elements of tensors of one type.
fn values(tensors: &[&Tensor]) -> Result<Vec<Scalar>> {
    fn read<T: Element>(tensors: &[&Tensor], scalar: impl Fn(T) -> Scalar) -> Result<Vec<Scalar>> {
        Ok(read_all::<T>(tensors)?.into_iter().map(scalar).collect())
    }
    match tensors[0].dtype() {
        DType::F32 => read::<f32>(tensors, Scalar::from),
        DType::F64 => read::<f64>(tensors, Scalar::from),
        DType::F16 => read::<f16>(tensors, |x| x.to_f64().into()),
        DType::BF16 => read::<bf16>(tensors, |x| x.to_f64().into()),
        DType::I64 => read::<i64>(tensors, Scalar::from),
        DType::U8 => read::<u8>(tensors, Scalar::from),
        DType::Bool => read::<bool>(tensors, Scalar::from),
    }
}

/// Each value as text, all of one width.
fn texts(values: &[Scalar]) -> Vec<String> {
    let plain = |x: f64| x == 0.0 || !x.is_finite() || (1e-4..1e5).contains(&x.abs());
    let exponent = values.iter().any(|value| matches!(value, Scalar::F64(x) if !plain(*x)));
    let text = |value: &Scalar| match value {
        Scalar::F64(x) if !x.is_finite() => format!("{x}"),
        Scalar::F64(x) if exponent => format!("{x:.4e}"),
        Scalar::F64(x) => format!("{x:.4}"),
        other => other.to_string(),
    };
    let texts: Vec<String> = values.iter().map(text).collect();
    let width = texts.iter().map(String::len).max().unwrap_or(0);
    texts.iter().map(|text| format!("{text:>width$}")).collect()
}

/// Nested rows; the innermost stand on one line.
fn print(
    f: &mut Formatter<'_>,
    shape: &[usize],
    few: bool,
    depth: usize,
    texts: &mut impl Iterator<Item = String>,
) -> Printed {
    let Some((size, rest)) = shape.split_first() else {
        return f.write_str(&texts.next().unwrap_or_default());
    };
    // Behind a row of rows as many line ends as it has axes, and the text of the next below that of the first.
    let indent = "tensor(".len() + depth - 1;
    let gap = if rest.is_empty() { " ".to_owned() } else { format!("{}{:indent$} ", "\n".repeat(rest.len()), "") };
    f.write_str("[")?;
    let count = shown(*size, few);
    for i in 0..count {
        if i > 0 {
            write!(f, ",{gap}")?;
        }
        if i == EDGE && count < *size {
            write!(f, "...,{gap}")?;
        }
        print(f, rest, few, depth + 1, texts)?;
    }
    f.write_str("]")
}
