//! Views of one shape as the kernels walk them: axes of one element dropped, axes that lie side by side in every view merged.

use millstream_hal::{Layout, MAX_DIMS};

/// `Walk` of view.cuh.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Walk<const N: usize> {
    elements: u64,
    dims: u32,
    dense: u32,
    sizes: [u32; MAX_DIMS],
    strides: [[u32; MAX_DIMS]; N],
}

impl<const N: usize> Walk<N> {
    /// The walk over `layouts`, which have one shape and at least one element. Offsets are the caller's.
    pub(super) fn new(layouts: &[Layout; N]) -> Self {
        let elements = layouts[0].elements() as u64;
        let mut walk = Self { elements, dims: 0, dense: 1, sizes: [1; MAX_DIMS], strides: [[0; MAX_DIMS]; N] };
        if layouts.iter().all(Layout::is_contiguous) {
            return walk;
        }
        walk.dense = 0;
        for axis in 0..layouts[0].dims() {
            walk.push(layouts[0].size(axis) as u32, std::array::from_fn(|n| layouts[n].stride(axis) as u32));
        }
        walk
    }

    #[cfg(test)]
    fn is_dense(&self) -> bool {
        self.dense != 0
    }

    fn push(&mut self, size: u32, strides: [u32; N]) {
        if size == 1 {
            return;
        }
        if let Some(last) = self.dims.checked_sub(1).map(|last| last as usize) {
            let side_by_side = |n: usize| u64::from(self.strides[n][last]) == u64::from(strides[n]) * u64::from(size);
            if let Some(merged) = self.sizes[last].checked_mul(size).filter(|_| (0..N).all(side_by_side)) {
                self.sizes[last] = merged;
                (0..N).for_each(|n| self.strides[n][last] = strides[n]);
                return;
            }
        }
        let here = self.dims as usize;
        self.sizes[here] = size;
        (0..N).for_each(|n| self.strides[n][here] = strides[n]);
        self.dims += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(shape: &[usize]) -> Layout {
        Layout::contiguous(shape).unwrap()
    }

    /// What the kernels do with it.
    fn places<const N: usize>(walk: &Walk<N>, i: u64) -> [u64; N] {
        if walk.is_dense() {
            return [i; N];
        }
        let (mut at, mut rest) = ([0; N], i);
        for axis in (0..walk.dims as usize).rev() {
            let here = if axis == 0 { rest } else { rest % u64::from(walk.sizes[axis]) };
            rest /= u64::from(walk.sizes[axis]);
            (0..N).for_each(|n| at[n] += here * u64::from(walk.strides[n][axis]));
        }
        at
    }

    #[test]
    fn elements_are_found_where_the_views_have_them() {
        let turned = layout(&[4, 3, 2]).permuted(&[2, 1, 0]).unwrap();
        let repeated = layout(&[3, 1]).broadcast_to(&[2, 3, 4]).unwrap();
        let walk = Walk::new(&[turned, repeated]);
        for i in 0..24u64 {
            let index = [i / 12, i / 4 % 3, i % 4];
            let at = |view: &Layout| (0..3).map(|axis| index[axis] * view.stride(axis) as u64).sum::<u64>();
            assert_eq!(places(&walk, i), [at(&turned), at(&repeated)], "element {i}");
        }
    }

    #[test]
    fn axes_side_by_side_in_all_views_are_one_and_whole_views_need_none() {
        let part = layout(&[5, 4, 6]).narrowed(0, 1, 3).unwrap().narrowed(1, 1, 2).unwrap();
        let walk = Walk::new(&[part]);
        assert_eq!((walk.dims, walk.sizes[0], walk.sizes[1]), (2, 3, 12));
        let whole = layout(&[3, 2, 6]);
        assert!(Walk::new(&[whole]).is_dense());
        assert_eq!(Walk::new(&[whole, part]).dims, 2);
        let one = layout(&[]).broadcast_to(&[7, 9]).unwrap();
        let walk = Walk::new(&[one]);
        assert_eq!((walk.dims, walk.sizes[0], places(&walk, 62)), (1, 63, [0]));
    }
}
