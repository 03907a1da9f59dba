//! A view of a buffer: its elements in row-major order, whatever the strides.
//!
//! Strided operands are not a second implementation of each kernel: they are gathered, a stack buffer at a time, and the kernel sees
//! contiguous pieces. So the strided path gives the bits of the contiguous one. It never writes through a view.

use millstream_hal::{Layout, MAX_DIMS};

use super::copy::Matrix;
use super::number::Element;

/// Elements that a kernel gathers at once: three such buffers stay in the first-level cache.
pub const PIECE: usize = 1024;

/// Elements of `data` as `layout` names them. Bounds are checked once, when it is made.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T> {
    data: &'a [T],
    first: usize,
    elements: usize,
    /// Axes left after dropping size 1 and merging neighbours, innermost last.
    axes: [(usize, usize); MAX_DIMS],
    dims: usize,
}

impl<'a, T: Element> View<'a, T> {
    /// The view `layout` of `data`. Panics when it reaches outside: the operand of a launch was too small.
    #[must_use]
    pub fn new(data: &'a [T], layout: &Layout) -> Self {
        let (elements, extent) = (layout.elements(), layout.extent());
        assert!(extent <= data.len(), "{layout:?} reaches to element {extent} of {}", data.len());
        let mut view = Self { data, first: layout.offset(), elements, axes: [(1, 0); MAX_DIMS], dims: 0 };
        if elements == 0 {
            view.first = 0;
        } else {
            (0..layout.dims()).for_each(|axis| view.push_axis(layout.size(axis), layout.stride(axis)));
        }
        view
    }

    fn push_axis(&mut self, size: usize, stride: usize) {
        if size == 1 {
            return;
        }
        if let Some(outer) = self.dims.checked_sub(1).map(|last| &mut self.axes[last])
            && outer.1 == stride * size
        {
            *outer = (outer.0 * size, stride);
        } else {
            self.axes[self.dims] = (size, stride);
            self.dims += 1;
        }
    }

    /// A whole slice as a view.
    #[must_use]
    pub fn of(data: &'a [T]) -> Self {
        let mut view = Self { data, first: 0, elements: data.len(), axes: [(1, 0); MAX_DIMS], dims: 0 };
        view.push_axis(data.len(), 1);
        view
    }

    /// A view of which only the elements from `base` on are there, in `data`: a piece that was copied aside.
    #[must_use]
    pub(crate) fn held(data: &'a [T], base: usize) -> Self {
        let mut view = Self::of(data);
        (view.first, view.elements) = (0usize.wrapping_sub(base), base + data.len());
        view
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.elements
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.elements == 0
    }

    /// Elements `from .. from + len` as a slice, where they lie side by side.
    #[inline]
    #[must_use]
    pub fn slice(&self, from: usize, len: usize) -> Option<&'a [T]> {
        let whole = self.dims == 0 || (self.dims == 1 && self.axes[0].1 == 1);
        if whole && from + len <= self.elements {
            return Some(&self.data[self.first.wrapping_add(from)..][..len]);
        }
        None
    }

    /// The element that all others repeat, if there is one.
    #[must_use]
    pub(crate) fn repeated(&self) -> Option<T> {
        let one = self.dims == 1 && self.axes[0].1 == 0;
        one.then(|| self.data[self.first])
    }

    /// Elements `from ..` in row-major order, as many as `out` has.
    pub fn gather(&self, from: usize, out: &mut [T]) {
        assert!(from + out.len() <= self.elements, "{from} + {} of {} elements", out.len(), self.elements);
        if let Some(slice) = self.slice(from, out.len()) {
            out.copy_from_slice(slice);
            return;
        }
        // Where `from` lies: one index per axis.
        let mut index = [0usize; MAX_DIMS];
        let mut rest = from;
        let mut at = self.first;
        for axis in (0..self.dims).rev() {
            let (size, stride) = self.axes[axis];
            index[axis] = rest % size;
            rest /= size;
            at += index[axis] * stride;
        }
        let inner = self.dims - 1;
        let (size, stride) = self.axes[inner];
        let mut out = out;
        while !out.is_empty() {
            let (row, tail) = out.split_at_mut((size - index[inner]).min(out.len()));
            gather_row(self.data, at, stride, row);
            out = tail;
            // To the start of the next row.
            at -= index[inner] * stride;
            index[inner] = 0;
            for axis in (0..inner).rev() {
                let (size, stride) = self.axes[axis];
                index[axis] += 1;
                at += stride;
                if index[axis] < size {
                    break;
                }
                at -= size * stride;
                index[axis] = 0;
            }
        }
    }

    /// The elements `from .. from + len`: as they lie, or gathered in `buffer`, whose first elements they then are.
    #[inline(always)]
    pub(crate) fn piece<'b>(&self, from: usize, buffer: &'b mut [T]) -> &'b [T]
    where
        'a: 'b,
    {
        if let Some(slice) = self.slice(from, buffer.len()) {
            return slice;
        }
        self.gather(from, buffer);
        buffer
    }

    /// The view as a matrix whose columns lie densely, if that is what it is: the result of a transposition.
    #[must_use]
    pub(crate) fn matrix(&self) -> Option<Matrix<'a, T>> {
        match self.axes[..self.dims] {
            [(_, 1), (cols, stride)] if stride > 1 => {
                Some(Matrix { data: &self.data[self.first..], cols, col_stride: stride })
            }
            _ => None,
        }
    }
}

fn gather_row<T: Element>(data: &[T], at: usize, stride: usize, row: &mut [T]) {
    match stride {
        0 => row.fill(data[at]),
        1 => row.copy_from_slice(&data[at..at + row.len()]),
        _ => row.iter_mut().zip(data[at..].iter().step_by(stride)).for_each(|(to, from)| *to = *from),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Numbers that name their place.
    pub(crate) fn numbered(n: usize) -> Vec<f32> {
        (0..n).map(|i| i as f32).collect()
    }

    #[test]
    fn a_transposed_view_is_gathered_in_its_own_row_major_order_from_any_start() {
        let data = numbered(2 * 3 * 5);
        let layout = Layout::contiguous(&[2, 3, 5]).unwrap().transposed(0, 2);
        let view = View::new(&data, &layout);
        let mut expected = Vec::new();
        for i in 0..5 {
            for j in 0..3 {
                for k in 0..2 {
                    expected.push((k * 15 + j * 5 + i) as f32);
                }
            }
        }
        for from in 0..=30 {
            for to in from..=30 {
                let mut out = vec![-1.0; to - from];
                view.gather(from, &mut out);
                assert_eq!(out, expected[from..to], "{from}..{to}");
            }
        }
    }

    #[test]
    fn axes_that_lie_side_by_side_are_one_slice() {
        let data = numbered(24);
        let view = View::new(&data, &Layout::contiguous(&[2, 1, 3, 4]).unwrap());
        assert_eq!(view.slice(5, 10), Some(&data[5..15]));
        assert_eq!(View::new(&data, &Layout::contiguous(&[4, 6]).unwrap().transposed(0, 1)).slice(0, 1), None);
        let empty = View::new(&[0f32; 0], &Layout::contiguous(&[3, 0]).unwrap());
        assert!(empty.is_empty());
        empty.gather(0, &mut []);
        let one = View::new(&data[7..8], &Layout::contiguous(&[]).unwrap());
        assert_eq!(one.slice(0, 1), Some(&data[7..8]));
    }

    #[test]
    fn a_narrowed_part_is_gathered_row_by_row_and_a_repeated_element_fills() {
        let data = numbered(24);
        let part = Layout::contiguous(&[4, 6]).unwrap().narrowed(1, 2, 3).unwrap().narrowed(0, 1, 2).unwrap();
        let mut out = [0.0; 6];
        View::new(&data, &part).gather(0, &mut out);
        assert_eq!(out, [8.0, 9.0, 10.0, 14.0, 15.0, 16.0]);
        let one = Layout::contiguous(&[]).unwrap().broadcast_to(&[2, 3]).unwrap();
        assert_eq!(View::new(&data[5..], &one).repeated(), Some(5.0));
        let row = Layout::contiguous(&[3]).unwrap().broadcast_to(&[2, 3]).unwrap();
        assert_eq!(View::new(&data, &row).repeated(), None);
        View::new(&data, &row).gather(0, &mut out);
        assert_eq!(out, [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]);
    }

    #[test]
    #[should_panic(expected = "reaches")]
    fn a_view_that_reaches_outside_its_operand_is_refused() {
        let data = numbered(23);
        let _ = View::new(&data, &Layout::contiguous(&[4, 6]).unwrap().transposed(0, 1));
    }
}
