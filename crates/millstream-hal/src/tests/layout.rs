//! Layouts: strides worked out by hand, and what is refused.

use super::*;

fn layout(shape: &[usize]) -> Layout {
    Layout::contiguous(shape).unwrap()
}

fn strides(layout: &Layout) -> Vec<usize> {
    (0..layout.dims()).map(|axis| layout.stride(axis)).collect()
}

#[test]
fn row_major_strides_and_a_transposed_view() {
    let layout = layout(&[2, 3, 4]);
    assert_eq!(strides(&layout), [12, 4, 1]);
    assert!(layout.is_contiguous());
    let view = layout.transposed(0, 2);
    assert_eq!(view.shape(), [4, 3, 2]);
    assert!(!view.is_contiguous());
    assert_eq!((view.elements(), view.extent()), (24, 24));
    assert_eq!(view.dense().unwrap(), self::layout(&[4, 3, 2]));
}

#[test]
fn sizes_that_overflow_are_an_error() {
    assert!(Layout::contiguous(&[1 << 31, 1 << 31, 4]).is_err());
    assert!(Layout::contiguous(&[2, 1 << 31, 4]).is_err());
    assert!(Layout::contiguous(&[1, 1 << 31, 4]).is_ok());
    assert!(Layout::contiguous(&[1; 9]).is_err());
    assert_eq!(layout(&[0, 5]).elements(), 0);
    assert_eq!(layout(&[0, 5]).extent(), 0);
}

#[test]
fn a_permutation_names_each_axis_once() {
    let view = layout(&[2, 3, 4]).permuted(&[2, 0, 1]).unwrap();
    assert_eq!((view.shape(), strides(&view)), (vec![4, 2, 3], vec![1, 12, 4]));
    for wrong in [&[0, 1][..], &[0, 1, 1], &[0, 1, 3], &[0, 1, 2, 3], &[]] {
        assert!(matches!(layout(&[2, 3, 4]).permuted(wrong), Err(Error::Permutation { .. })), "{wrong:?}");
    }
    assert!(layout(&[]).permuted(&[]).is_ok());
}

#[test]
fn a_narrowed_view_begins_later_and_ends_earlier() {
    let view = layout(&[4, 5]).narrowed(1, 2, 2).unwrap().narrowed(0, 1, 3).unwrap();
    assert_eq!((view.shape(), view.offset(), view.extent()), (vec![3, 2], 7, 19));
    assert!(!view.is_contiguous());
    assert_eq!(layout(&[4, 5]).narrowed(1, 5, 0).unwrap().elements(), 0);
    let refused = layout(&[4, 5]).narrowed(1, 4, 2);
    assert_eq!(refused, Err(Error::OutOfRange { axis: 1, start: 4, length: 2, size: 5 }));
    assert!(layout(&[4, 5]).narrowed(0, usize::MAX, 2).is_err());
    assert_eq!(layout(&[4, 5]).narrowed(2, 0, 1), Err(Error::NoSuchAxis { axis: 2, dims: 2 }));
}

#[test]
fn broadcasting_repeats_axes_of_one_and_axes_that_are_not_there() {
    let view = layout(&[3, 1]).broadcast_to(&[2, 3, 4]).unwrap();
    assert_eq!((view.shape(), strides(&view)), (vec![2, 3, 4], vec![0, 1, 0]));
    assert_eq!((view.elements(), view.extent()), (24, 3));
    for wrong in [&[2, 4][..], &[3], &[1, 1]] {
        assert!(matches!(layout(&[3, 1]).broadcast_to(wrong), Err(Error::NotBroadcastable { .. })), "{wrong:?}");
    }
    assert_eq!(layout(&[1]).broadcast_to(&[0]).unwrap().elements(), 0);
    let huge = layout(&[1]).broadcast_to(&[1 << 31, 1 << 31, 1 << 31]).unwrap();
    assert_eq!((huge.elements(), huge.extent()), (usize::MAX, 1));
    assert!(matches!(huge.dense(), Err(Error::ShapeTooLarge { .. })));
}

#[test]
fn two_views_take_the_smallest_shape_that_both_can() {
    let (a, b) = layout(&[3, 1]).broadcast_together(&layout(&[5, 1, 4])).unwrap();
    assert_eq!((a.shape(), strides(&a)), (vec![5, 3, 4], vec![0, 1, 0]));
    assert_eq!((b.shape(), strides(&b)), (vec![5, 3, 4], vec![4, 0, 1]));
    let (b, a) = layout(&[5, 1, 4]).broadcast_together(&layout(&[3, 1])).unwrap();
    assert_eq!((strides(&a), strides(&b)), (vec![0, 1, 0], vec![4, 0, 1]));
    assert!(layout(&[3]).broadcast_together(&layout(&[4])).is_err());
    assert!(layout(&[2, 3]).broadcast_together(&layout(&[2])).is_err());
    let (none, _) = layout(&[1]).broadcast_together(&layout(&[0])).unwrap();
    assert_eq!(none.shape(), [0]);
    let (scalar, _) = layout(&[]).broadcast_together(&layout(&[2, 2])).unwrap();
    assert_eq!(strides(&scalar), [0, 0]);
}

#[test]
fn an_axis_of_one_comes_and_goes() {
    let view = layout(&[2, 3]).transposed(0, 1).unsqueezed(1).unwrap();
    assert_eq!((view.shape(), strides(&view)), (vec![3, 1, 2], vec![1, 0, 3]));
    assert_eq!(view.squeezed(1).unwrap(), layout(&[2, 3]).transposed(0, 1));
    assert_eq!(layout(&[]).unsqueezed(0).unwrap(), layout(&[1]));
    assert!(layout(&[2]).unsqueezed(2).is_err());
    assert!(layout(&[1; 8]).unsqueezed(0).is_err());
    assert!(layout(&[2]).squeezed(0).is_err());
    assert!(layout(&[1]).squeezed(1).is_err());
}

#[test]
fn views_of_one_shape_share_it_and_views_of_two_are_refused() {
    let (a, b) = (layout(&[2, 3]), layout(&[3, 2]).transposed(0, 1));
    let views = Views::new([a, b]).unwrap();
    assert_eq!(views.all(), [a, b]);
    assert_eq!(views.elements(), 6);
    assert!(matches!(Views::new([a, layout(&[3, 2])]), Err(Error::NotBroadcastable { .. })));
}

#[test]
fn a_reshape_walks_the_same_elements_or_says_that_it_cannot() {
    let walk = |l: &Layout| -> Vec<usize> {
        (0..l.elements())
            .map(|n| {
                let (mut at, mut left) = (l.offset(), n);
                for axis in (0..l.dims()).rev() {
                    at += left % l.size(axis) * l.stride(axis);
                    left /= l.size(axis);
                }
                at
            })
            .collect()
    };
    let plain = Layout::contiguous(&[4, 6, 2]).unwrap();
    let views = [
        plain,
        plain.transposed(0, 2),
        plain.narrowed(0, 1, 2).unwrap(),
        plain.narrowed(1, 2, 3).unwrap(),
        plain.narrowed(2, 1, 1).unwrap(),
        plain.narrowed(2, 1, 1).unwrap().broadcast_to(&[4, 6, 4]).unwrap(),
        plain.narrowed(0, 3, 1).unwrap().broadcast_to(&[3, 6, 2]).unwrap().permuted(&[0, 2, 1]).unwrap(),
    ];
    let (mut said, mut not) = (0, 0);
    for view in views {
        let n = view.elements();
        for shape in [vec![n], vec![2, n / 2], vec![n / 4, 4], vec![1, n / 6, 1, 2, 3], vec![n / 2, 1, 2], view.shape()]
        {
            let to = Layout::contiguous(&shape).unwrap();
            match view.reshaped(&to) {
                Some(reshaped) => {
                    said += 1;
                    assert_eq!((reshaped.shape(), walk(&reshaped)), (shape, walk(&view)), "{view:?}");
                }
                None => {
                    not += 1;
                    assert!(!view.is_contiguous(), "{view:?} to {shape:?}");
                }
            }
        }
        assert!(view.reshaped(&Layout::contiguous(&view.shape()).unwrap()).is_some(), "{view:?}");
        assert_eq!(view.reshaped(&Layout::contiguous(&[n + 1]).unwrap()), None);
        assert_eq!(view.reshaped(&Layout::contiguous(&[0]).unwrap()), None);
    }
    assert!(said > 10 && not > 5, "{said} {not}");
}

#[test]
fn a_view_of_given_strides_is_checked_and_normalised() {
    let view = Layout::strided(&[(3, 1), (1, 999), (2, 3)], 5).unwrap();
    assert_eq!((view.shape(), strides(&view), view.offset(), view.extent()), (vec![3, 1, 2], vec![1, 0, 3], 5, 11));
    assert_eq!(Layout::strided(&[(2, 3), (3, 1)], 0).unwrap(), layout(&[2, 3]));
    assert_eq!(Layout::strided(&[], 0).unwrap(), layout(&[]));
    assert!(matches!(Layout::strided(&[(1, 1); 9], 0), Err(Error::TooManyDims { dims: 9, max: 8 })));
    for wrong in [[(1 << 32, 1), (1, 0)], [(2, 1 << 32), (1, 0)], [(1 << 31, 1 << 31), (2, 1)]] {
        assert!(matches!(Layout::strided(&wrong, 0), Err(Error::ShapeTooLarge { .. })), "{wrong:?}");
    }
    assert!(Layout::strided(&[(2, 1)], usize::MAX).is_err());
}
