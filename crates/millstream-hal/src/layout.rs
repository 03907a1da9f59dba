//! Shape and strides, inline: no host allocation, plain data.

use crate::{Error, Result};

/// Most dimensions of a layout.
pub const MAX_DIMS: usize = 8;

/// Sizes, strides and offset of a view, all in elements. Row-major unless made by [`Layout::transposed`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    dims: u8,
    sizes: [u32; MAX_DIMS],
    strides: [i64; MAX_DIMS],
    offset: u64,
}

impl Layout {
    /// Row-major layout of `shape`. Errors: more than [`MAX_DIMS`] dimensions, a size above `u32::MAX`, or an element count that
    /// overflows `isize` bytes.
    pub fn contiguous(shape: &[usize]) -> Result<Self> {
        if shape.len() > MAX_DIMS {
            return Err(Error::TooManyDims { dims: shape.len(), max: MAX_DIMS });
        }
        let mut layout = Self { dims: shape.len() as u8, sizes: [1; MAX_DIMS], strides: [0; MAX_DIMS], offset: 0 };
        let mut stride: usize = 1;
        for axis in (0..shape.len()).rev() {
            layout.sizes[axis] =
                u32::try_from(shape[axis]).map_err(|_| Error::ShapeTooLarge { shape: shape.to_vec() })?;
            layout.strides[axis] = stride as i64;
            stride = stride
                .checked_mul(shape[axis].max(1))
                .filter(|n| *n <= isize::MAX as usize / 16)
                .ok_or_else(|| Error::ShapeTooLarge { shape: shape.to_vec() })?;
        }
        Ok(layout)
    }

    /// Number of dimensions.
    #[must_use]
    pub fn dims(&self) -> usize {
        usize::from(self.dims)
    }

    /// Size of `axis`.
    #[must_use]
    pub fn size(&self, axis: usize) -> usize {
        assert!(axis < self.dims(), "axis {axis} of a layout of {} dimensions", self.dims);
        self.sizes[axis] as usize
    }

    /// Stride of `axis` in elements.
    #[must_use]
    pub fn stride(&self, axis: usize) -> i64 {
        assert!(axis < self.dims(), "axis {axis} of a layout of {} dimensions", self.dims);
        self.strides[axis]
    }

    /// First element of the view, counted from the start of the buffer.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset as usize
    }

    /// Sizes as a vector, outermost first.
    #[must_use]
    pub fn shape(&self) -> Vec<usize> {
        self.sizes[..self.dims()].iter().map(|s| *s as usize).collect()
    }

    /// Whether both views have the same sizes.
    #[must_use]
    pub fn same_shape(&self, other: &Self) -> bool {
        self.dims == other.dims && self.sizes == other.sizes
    }

    /// Number of elements.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.sizes[..self.dims()].iter().map(|s| *s as usize).product()
    }

    /// Whether the elements lie in row-major order without holes.
    #[must_use]
    pub fn is_contiguous(&self) -> bool {
        let mut stride = 1i64;
        for axis in (0..self.dims()).rev() {
            if self.sizes[axis] != 1 && self.strides[axis] != stride {
                return false;
            }
            stride *= i64::from(self.sizes[axis].max(1));
        }
        true
    }

    /// The same elements with axes `a` and `b` exchanged. Panics when an axis is out of range: the caller has checked.
    #[must_use]
    pub fn transposed(&self, a: usize, b: usize) -> Self {
        assert!(a < self.dims() && b < self.dims(), "axes {a} and {b} of a layout of {} dimensions", self.dims);
        let mut layout = *self;
        layout.sizes.swap(a, b);
        layout.strides.swap(a, b);
        layout
    }
}

impl std::fmt::Debug for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.shape())?;
        if !self.is_contiguous() || self.offset != 0 {
            write!(f, " strides {:?} offset {}", &self.strides[..self.dims()], self.offset)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_major_strides_and_a_transposed_view() {
        let layout = Layout::contiguous(&[2, 3, 4]).unwrap();
        assert_eq!((layout.stride(0), layout.stride(1), layout.stride(2)), (12, 4, 1));
        assert!(layout.is_contiguous());
        let view = layout.transposed(0, 2);
        assert_eq!(view.shape(), [4, 3, 2]);
        assert!(!view.is_contiguous());
        assert_eq!(view.elements(), 24);
    }

    #[test]
    fn sizes_that_overflow_are_an_error() {
        assert!(Layout::contiguous(&[1 << 31, 1 << 31, 4]).is_err());
        assert!(Layout::contiguous(&[1; 9]).is_err());
        assert_eq!(Layout::contiguous(&[0, 5]).unwrap().elements(), 0);
    }
}
