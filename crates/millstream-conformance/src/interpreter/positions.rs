//! Positions of a view's elements in row-major order.

use millstream_hal::Layout;

/// Positions of the elements of `view`, in row-major order.
pub(crate) fn positions(view: &Layout) -> impl Iterator<Item = usize> + use<> {
    let view = *view;
    let mut index = vec![0usize; view.dims()];
    let mut at = view.offset();
    (0..view.elements()).map(move |_| {
        let here = at;
        for axis in (0..index.len()).rev() {
            index[axis] += 1;
            at += view.stride(axis);
            if index[axis] < view.size(axis) {
                break;
            }
            at -= view.stride(axis) * view.size(axis);
            index[axis] = 0;
        }
        here
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_of_a_transposed_view_walk_its_columns() {
        let view = Layout::contiguous(&[2, 3]).unwrap();
        assert_eq!(positions(&view).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(positions(&view.transposed(0, 1)).collect::<Vec<_>>(), [0, 3, 1, 4, 2, 5]);
    }

    #[test]
    fn positions_of_a_repeated_and_narrowed_view() {
        let view = Layout::contiguous(&[2, 3]).unwrap().narrowed(1, 1, 2).unwrap();
        assert_eq!(positions(&view).collect::<Vec<_>>(), [1, 2, 4, 5]);
        let row = view.narrowed(0, 1, 1).unwrap().broadcast_to(&[2, 1, 2]).unwrap();
        assert_eq!(positions(&row).collect::<Vec<_>>(), [4, 5, 4, 5]);
    }

    #[test]
    fn a_scalar_has_one_position_and_an_empty_view_none() {
        assert_eq!(positions(&Layout::contiguous(&[]).unwrap()).collect::<Vec<_>>(), [0]);
        assert_eq!(positions(&Layout::contiguous(&[3, 0]).unwrap()).count(), 0);
    }
}
