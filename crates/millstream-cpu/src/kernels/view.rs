//! A view of a buffer: its elements in row-major order, whatever the strides.
//!
//! Strided operands are not a second implementation of each kernel: they are gathered, a stack buffer at a time, and the kernel sees
//! contiguous pieces. So the strided path gives the bits of the contiguous one. It never writes through a view.

use millstream_hal::{Layout, MAX_DIMS};

use super::copy::Matrix;

/// Elements that a kernel gathers at once: two such buffers stay in the first-level cache.
pub const PIECE: usize = 1024;

/// Elements of `data` as `layout` names them. Bounds are checked once, when it is made.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    data: &'a [f32],
    first: usize,
    elements: usize,
    /// Axes left after dropping size 1 and merging neighbours, innermost last.
    axes: [(usize, isize); MAX_DIMS],
    dims: usize,
}

impl<'a> View<'a> {
    /// The view `layout` of `data`. Panics when it reaches outside: the operand of a launch was too small.
    #[must_use]
    pub fn new(data: &'a [f32], layout: &Layout) -> Self {
        let elements = layout.elements();
        let mut view = Self { data, first: layout.offset(), elements, axes: [(1, 0); MAX_DIMS], dims: 0 };
        if elements == 0 {
            return view;
        }
        let (mut low, mut high) = (layout.offset() as i128, layout.offset() as i128);
        for axis in 0..layout.dims() {
            let (size, stride) = (layout.size(axis), layout.stride(axis));
            let reach = (size as i128 - 1) * i128::from(stride);
            if reach < 0 {
                low += reach;
            } else {
                high += reach;
            }
            view.push_axis(size, stride as isize);
        }
        assert!(low >= 0 && high < data.len() as i128, "{layout:?} reaches {low}..={high} of {} elements", data.len());
        view
    }

    fn push_axis(&mut self, size: usize, stride: isize) {
        if size == 1 {
            return;
        }
        if let Some(outer) = self.dims.checked_sub(1).map(|last| &mut self.axes[last])
            && outer.1 == stride * size as isize
        {
            *outer = (outer.0 * size, stride);
        } else {
            self.axes[self.dims] = (size, stride);
            self.dims += 1;
        }
    }

    /// A whole slice as a view.
    #[must_use]
    pub fn of(data: &'a [f32]) -> Self {
        let mut view = Self { data, first: 0, elements: data.len(), axes: [(1, 0); MAX_DIMS], dims: 0 };
        view.push_axis(data.len(), 1);
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

    /// Elements `from .. from + len` as a slice, where the view has no holes.
    #[must_use]
    pub fn slice(&self, from: usize, len: usize) -> Option<&'a [f32]> {
        let whole = self.dims == 0 || (self.dims == 1 && self.axes[0].1 == 1);
        (whole && from + len <= self.elements).then(|| &self.data[self.first + from..][..len])
    }

    /// Elements `from ..` in row-major order, as many as `out` has.
    pub fn gather(&self, from: usize, out: &mut [f32]) {
        assert!(from + out.len() <= self.elements, "{from} + {} of {} elements", out.len(), self.elements);
        if let Some(slice) = self.slice(from, out.len()) {
            out.copy_from_slice(slice);
            return;
        }
        // Where `from` lies: one index per axis.
        let mut index = [0usize; MAX_DIMS];
        let mut rest = from;
        let mut at = self.first as isize;
        for axis in (0..self.dims).rev() {
            let (size, stride) = self.axes[axis];
            index[axis] = rest % size;
            rest /= size;
            at += index[axis] as isize * stride;
        }
        let inner = self.dims - 1;
        let (size, stride) = self.axes[inner];
        let mut out = out;
        while !out.is_empty() {
            let (row, tail) = out.split_at_mut((size - index[inner]).min(out.len()));
            gather_row(self.data, at as usize, stride, row);
            out = tail;
            // To the start of the next row.
            at -= index[inner] as isize * stride;
            index[inner] = 0;
            for axis in (0..inner).rev() {
                let (size, stride) = self.axes[axis];
                index[axis] += 1;
                at += stride;
                if index[axis] < size {
                    break;
                }
                at -= size as isize * stride;
                index[axis] = 0;
            }
        }
    }

    /// The view as a matrix whose columns lie densely, if that is what it is: the result of a transposition.
    #[must_use]
    pub(crate) fn matrix(&self) -> Option<Matrix<'a>> {
        match self.axes[..self.dims] {
            [(_, 1), (cols, stride)] if stride > 1 => {
                Some(Matrix { data: &self.data[self.first..], cols, col_stride: stride as usize })
            }
            _ => None,
        }
    }

    /// Calls `work` with the elements `from .. from + len` in pieces of [`PIECE`] (the last one shorter), each with its distance from `from`.
    #[inline(always)]
    pub(crate) fn pieces(&self, from: usize, len: usize, mut work: impl FnMut(usize, &[f32])) {
        let mut buffer = [0f32; PIECE];
        let mut done = 0;
        while done < len {
            let size = PIECE.min(len - done);
            self.gather(from + done, &mut buffer[..size]);
            work(done, &buffer[..size]);
            done += size;
        }
    }
}

fn gather_row(data: &[f32], at: usize, stride: isize, row: &mut [f32]) {
    if stride == 1 {
        row.copy_from_slice(&data[at..at + row.len()]);
    } else if stride > 1 {
        for (to, from) in row.iter_mut().zip(data[at..].iter().step_by(stride as usize)) {
            *to = *from;
        }
    } else {
        for (i, to) in row.iter_mut().enumerate() {
            *to = data[(at as isize + i as isize * stride) as usize];
        }
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
        let empty = View::new(&[], &Layout::contiguous(&[3, 0]).unwrap());
        assert!(empty.is_empty());
        empty.gather(0, &mut []);
        let one = View::new(&data[7..8], &Layout::contiguous(&[]).unwrap());
        assert_eq!(one.slice(0, 1), Some(&data[7..8]));
    }

    #[test]
    #[should_panic(expected = "reaches")]
    fn a_view_that_reaches_outside_its_operand_is_refused() {
        let data = numbered(23);
        let _ = View::new(&data, &Layout::contiguous(&[4, 6]).unwrap().transposed(0, 1));
    }
}
