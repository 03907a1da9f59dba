//! Shape and strides, inline: no host allocation, plain data.
//!
//! A layout says where the elements of a view lie in a buffer. Strides are never negative, and 0 repeats an element: that is what
//! broadcasting is. Everything is counted in elements, so a layout has no word for a type.

use crate::{Error, Result};

/// Most dimensions of a layout.
pub const MAX_DIMS: usize = 8;

/// Sizes, strides and offset of a view, all in elements.
///
/// The size of an axis and the stride of an axis are at most `u32::MAX`: a layout is copied with every launch, and half as many bytes
/// are worth more than a single axis over more than four thousand million elements.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub(crate) dims: u8,
    pub(crate) sizes: [u32; MAX_DIMS],
    pub(crate) strides: [u32; MAX_DIMS],
    pub(crate) offset: u64,
}

impl Layout {
    /// The layout of shape `[]`: one element.
    pub const ONE: Self = Self { dims: 0, sizes: [1; MAX_DIMS], strides: [0; MAX_DIMS], offset: 0 };

    /// Row-major layout of `shape`. Errors: more than [`MAX_DIMS`] dimensions, a size or stride above `u32::MAX`, or an element count that
    /// overflows `isize` bytes.
    pub fn contiguous(shape: &[usize]) -> Result<Self> {
        if shape.len() > MAX_DIMS {
            return Err(Error::TooManyDims { dims: shape.len(), max: MAX_DIMS });
        }
        let too_large = || Error::ShapeTooLarge { shape: shape.to_vec() };
        let mut sizes = [1; MAX_DIMS];
        for (to, size) in sizes.iter_mut().zip(shape) {
            *to = u32::try_from(*size).map_err(|_| too_large())?;
        }
        Self::row_major(shape.len() as u8, sizes).ok_or_else(too_large)
    }

    /// A view of axes of (size, stride), outermost first, whose first element is number `offset` of the buffer. The stride of an axis of one element is taken as 0, as everywhere.
    /// Errors: more than [`MAX_DIMS`] axes; a size, a stride or a reach ([`Layout::extent`]) that is too large.
    pub fn strided(axes: &[(usize, usize)], offset: usize) -> Result<Self> {
        if axes.len() > MAX_DIMS {
            return Err(Error::TooManyDims { dims: axes.len(), max: MAX_DIMS });
        }
        let too_large = || Error::ShapeTooLarge { shape: axes.iter().map(|(size, _)| *size).collect() };
        let mut layout =
            Self { dims: axes.len() as u8, sizes: [1; MAX_DIMS], strides: [0; MAX_DIMS], offset: offset as u64 };
        for (axis, (size, stride)) in axes.iter().enumerate() {
            layout.sizes[axis] = u32::try_from(*size).map_err(|_| too_large())?;
            if *size != 1 {
                layout.strides[axis] = u32::try_from(*stride).map_err(|_| too_large())?;
            }
        }
        match layout.extent() <= isize::MAX as usize / 16 {
            true => Ok(layout),
            false => Err(too_large()),
        }
    }

    /// Row-major layout of the same shape: what a kernel writes. Errors: [`Error::ShapeTooLarge`], for a broadcast view of more elements
    /// than a buffer can have.
    pub fn dense(&self) -> Result<Self> {
        Self::row_major(self.dims, self.sizes).ok_or_else(|| Error::ShapeTooLarge { shape: self.shape() })
    }

    fn row_major(dims: u8, sizes: [u32; MAX_DIMS]) -> Option<Self> {
        let mut layout = Self { dims, sizes, strides: [0; MAX_DIMS], offset: 0 };
        let mut stride: usize = 1;
        for axis in (0..usize::from(dims)).rev() {
            let size = sizes[axis] as usize;
            // The stride of an axis of one element is never used.
            layout.strides[axis] = if size == 1 { 0 } else { u32::try_from(stride).ok()? };
            stride = stride.checked_mul(size.max(1)).filter(|n| *n <= isize::MAX as usize / 16)?;
        }
        Some(layout)
    }

    /// Number of dimensions.
    #[inline]
    #[must_use]
    pub fn dims(&self) -> usize {
        usize::from(self.dims)
    }

    /// Size of `axis`. Panics when there is no such axis.
    #[must_use]
    pub fn size(&self, axis: usize) -> usize {
        assert!(axis < self.dims(), "axis {axis} of a layout of {} dimensions", self.dims);
        self.sizes[axis] as usize
    }

    /// Stride of `axis` in elements; 0 where an element is repeated, and for an axis of one element. Panics when there is no such axis.
    #[must_use]
    pub fn stride(&self, axis: usize) -> usize {
        assert!(axis < self.dims(), "axis {axis} of a layout of {} dimensions", self.dims);
        self.strides[axis] as usize
    }

    /// First element of the view, counted from the start of the buffer.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset as usize
    }

    /// Sizes, outermost first.
    #[inline]
    #[must_use]
    pub fn sizes(&self) -> &[u32] {
        &self.sizes[..self.dims()]
    }

    /// Sizes as a vector, outermost first.
    #[must_use]
    pub fn shape(&self) -> Vec<usize> {
        self.sizes().iter().map(|s| *s as usize).collect()
    }

    /// Whether both views have the same sizes.
    #[must_use]
    pub fn same_shape(&self, other: &Self) -> bool {
        self.dims == other.dims && self.sizes == other.sizes
    }

    /// Number of elements. Saturates for a broadcast view of more than can be counted.
    #[inline]
    #[must_use]
    pub fn elements(&self) -> usize {
        if self.sizes().contains(&0) {
            return 0;
        }
        self.sizes().iter().fold(1, |n, s| n.saturating_mul(*s as usize))
    }

    /// Elements from the start of the buffer to behind the last one that the view touches; 0 for a view of no element. A buffer that is
    /// shorter does not hold the view.
    #[must_use]
    pub fn extent(&self) -> usize {
        if self.sizes().contains(&0) {
            return 0;
        }
        let reach = |axis: usize| (self.sizes[axis] as usize - 1).saturating_mul(self.strides[axis] as usize);
        (0..self.dims()).fold(self.offset().saturating_add(1), |end, axis| end.saturating_add(reach(axis)))
    }

    /// Whether the elements lie in row-major order without holes.
    #[must_use]
    pub fn is_contiguous(&self) -> bool {
        let mut stride = 1u64;
        for axis in (0..self.dims()).rev() {
            if self.sizes[axis] != 1 && u64::from(self.strides[axis]) != stride {
                return self.sizes().contains(&0);
            }
            stride = stride.saturating_mul(u64::from(self.sizes[axis]));
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

    /// The same elements with axis `order[i]` at place `i`. Errors: [`Error::Permutation`], unless `order` names each axis once.
    pub fn permuted(&self, order: &[usize]) -> Result<Self> {
        let mut seen = 0u32;
        let mut layout = *self;
        for (to, from) in order.iter().copied().enumerate() {
            if order.len() != self.dims() || from >= self.dims() || seen & (1 << from) != 0 {
                return Err(Error::Permutation { order: order.to_vec(), dims: self.dims() });
            }
            seen |= 1 << from;
            (layout.sizes[to], layout.strides[to]) = (self.sizes[from], self.strides[from]);
        }
        if order.len() == self.dims() {
            Ok(layout)
        } else {
            Err(Error::Permutation { order: order.to_vec(), dims: self.dims() })
        }
    }

    /// The `length` elements of `axis` from `start` on. Errors: [`Error::NoSuchAxis`], [`Error::OutOfRange`].
    pub fn narrowed(&self, axis: usize, start: usize, length: usize) -> Result<Self> {
        if axis >= self.dims() {
            return Err(Error::NoSuchAxis { axis, dims: self.dims() });
        }
        let size = self.size(axis);
        if start.checked_add(length).is_none_or(|end| end > size) {
            return Err(Error::OutOfRange { axis, start, length, size });
        }
        let mut layout = *self;
        layout.sizes[axis] = length as u32;
        layout.offset += start as u64 * u64::from(self.strides[axis]);
        Ok(layout)
    }

    /// The same elements repeated to `shape`: the last axes are matched with each other, and an axis of one element, or one that is not
    /// there, is repeated. Copies nothing. Errors: [`Error::NotBroadcastable`], and those of [`Layout::contiguous`].
    pub fn broadcast_to(&self, shape: &[usize]) -> Result<Self> {
        if shape.len() > MAX_DIMS {
            return Err(Error::TooManyDims { dims: shape.len(), max: MAX_DIMS });
        }
        let mut sizes = [1; MAX_DIMS];
        for (to, size) in sizes.iter_mut().zip(shape) {
            *to = u32::try_from(*size).map_err(|_| Error::ShapeTooLarge { shape: shape.to_vec() })?;
        }
        let whole = Self { dims: shape.len() as u8, sizes, strides: [0; MAX_DIMS], offset: 0 };
        self.repeated_as(&whole).ok_or_else(|| Error::NotBroadcastable { from: self.shape(), to: shape.to_vec() })
    }

    /// Both views repeated to the smallest shape that both can take. Errors: [`Error::NotBroadcastable`].
    pub fn broadcast_together(&self, other: &Self) -> Result<(Self, Self)> {
        if self.same_shape(other) {
            return Ok((*self, *other));
        }
        let mut whole = if self.dims >= other.dims { *self } else { *other };
        let least = if self.dims >= other.dims { other } else { self };
        let skip = whole.dims() - least.dims();
        for axis in 0..least.dims() {
            if whole.sizes[skip + axis] == 1 {
                whole.sizes[skip + axis] = least.sizes[axis];
            }
        }
        match (self.repeated_as(&whole), other.repeated_as(&whole)) {
            (Some(a), Some(b)) => Ok((a, b)),
            _ => Err(Error::NotBroadcastable { from: self.shape(), to: other.shape() }),
        }
    }

    /// This view with the sizes of `whole`, if repeating can give them.
    fn repeated_as(&self, whole: &Self) -> Option<Self> {
        let skip = whole.dims().checked_sub(self.dims())?;
        let mut layout = Self { strides: [0; MAX_DIMS], offset: self.offset, ..*whole };
        for axis in 0..self.dims() {
            match (self.sizes[axis], whole.sizes[skip + axis]) {
                (from, to) if from == to => layout.strides[skip + axis] = self.strides[axis],
                (1, _) => {}
                _ => return None,
            }
        }
        Some(layout)
    }

    /// The same elements with an axis of one element at place `axis`. Errors: [`Error::NoSuchAxis`] when `axis` is above the number of
    /// dimensions, [`Error::TooManyDims`].
    pub fn unsqueezed(&self, axis: usize) -> Result<Self> {
        if axis > self.dims() {
            return Err(Error::NoSuchAxis { axis, dims: self.dims() + 1 });
        }
        if self.dims() == MAX_DIMS {
            return Err(Error::TooManyDims { dims: MAX_DIMS + 1, max: MAX_DIMS });
        }
        let mut layout = *self;
        layout.sizes.copy_within(axis..self.dims(), axis + 1);
        layout.strides.copy_within(axis..self.dims(), axis + 1);
        (layout.sizes[axis], layout.strides[axis]) = (1, 0);
        layout.dims += 1;
        Ok(layout)
    }

    /// The same elements in row-major order with the sizes of `to`, where strides alone can say it; `None` where they cannot, or where the
    /// number of elements differs.
    #[must_use]
    pub fn reshaped(&self, to: &Self) -> Option<Self> {
        let mut layout = Self { strides: [0; MAX_DIMS], offset: self.offset, ..*to };
        if self.elements() == 0 || to.elements() == 0 {
            return (self.elements() == to.elements()).then_some(Self { offset: self.offset, ..*to });
        }
        // Runs of axes that one stride walks through: how many elements, and that stride.
        let mut runs = [(1u64, 0u64); MAX_DIMS];
        let mut left = 0;
        for axis in (0..self.dims()).filter(|axis| self.sizes[*axis] != 1) {
            let (size, stride) = (u64::from(self.sizes[axis]), u64::from(self.strides[axis]));
            if left > 0 && runs[left - 1].1 == size.saturating_mul(stride) {
                runs[left - 1] = (runs[left - 1].0.saturating_mul(size), stride);
            } else {
                runs[left] = (size, stride);
                left += 1;
            }
        }
        let mut taken = 1u64;
        for axis in (0..to.dims()).rev().filter(|axis| to.sizes[*axis] != 1) {
            let (size, stride) = *runs[..left].last()?;
            layout.strides[axis] = u32::try_from(stride.checked_mul(taken)?).ok()?;
            taken = taken.saturating_mul(u64::from(to.sizes[axis]));
            if taken == size {
                (left, taken) = (left - 1, 1);
            } else if !size.is_multiple_of(taken) {
                return None;
            }
        }
        (left == 0).then_some(layout)
    }

    /// The same elements without `axis`, which has one element. Errors: [`Error::NoSuchAxis`], [`Error::OutOfRange`] for another size.
    pub fn squeezed(&self, axis: usize) -> Result<Self> {
        if axis >= self.dims() {
            return Err(Error::NoSuchAxis { axis, dims: self.dims() });
        }
        if self.sizes[axis] != 1 {
            return Err(Error::OutOfRange { axis, start: 0, length: 1, size: self.size(axis) });
        }
        let mut layout = *self;
        layout.sizes.copy_within(axis + 1..self.dims(), axis);
        layout.strides.copy_within(axis + 1..self.dims(), axis);
        layout.dims -= 1;
        layout.sizes[self.dims() - 1] = 1;
        layout.strides[self.dims() - 1] = 0;
        Ok(layout)
    }
}

impl std::fmt::Debug for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.sizes())?;
        if !self.is_contiguous() || self.offset != 0 {
            write!(f, " strides {:?} offset {}", &self.strides[..self.dims()], self.offset)?;
        }
        Ok(())
    }
}

/// `N` views of one shape, which is kept once: what an element-wise kernel carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Views<const N: usize> {
    dims: u8,
    sizes: [u32; MAX_DIMS],
    strides: [[u32; MAX_DIMS]; N],
    offsets: [u64; N],
}

impl<const N: usize> Views<N> {
    /// The views, outermost axes first. Errors: [`Error::NotBroadcastable`], unless all have the same sizes.
    pub fn new(views: [Layout; N]) -> Result<Self> {
        const { assert!(N > 0, "views of nothing have no shape") }
        let first = &views[0];
        if let Some(other) = views.iter().find(|view| !view.same_shape(first)) {
            return Err(Error::NotBroadcastable { from: other.shape(), to: first.shape() });
        }
        let (dims, sizes) = (first.dims, first.sizes);
        Ok(Self { dims, sizes, strides: views.map(|v| v.strides), offsets: views.map(|v| v.offset) })
    }

    /// View number `index`. Panics when there is none.
    #[must_use]
    pub fn view(&self, index: usize) -> Layout {
        Layout { dims: self.dims, sizes: self.sizes, strides: self.strides[index], offset: self.offsets[index] }
    }

    /// All views.
    #[must_use]
    pub fn all(&self) -> [Layout; N] {
        std::array::from_fn(|index| self.view(index))
    }

    /// Number of elements of each view.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.view(0).elements()
    }
}

impl<const N: usize> std::fmt::Debug for Views<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}

#[cfg(test)]
#[path = "tests/layout.rs"]
mod tests;
