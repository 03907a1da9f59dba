//! Words in bytes: little-endian `u32` and `f32` at word positions, and the positions of a view in row-major order.

use millstream_hal::Layout;

pub(super) fn u32_at(bytes: &[u8], word: usize) -> u32 {
    let at = word * 4;
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

pub(super) fn f32_at(bytes: &[u8], word: usize) -> f32 {
    f32::from_bits(u32_at(bytes, word))
}

pub(super) fn put_f32(bytes: &mut [u8], word: usize, value: f32) {
    bytes[word * 4..word * 4 + 4].copy_from_slice(&value.to_le_bytes());
}

pub(super) fn fill(bytes: &mut [u8], word: u32) {
    for chunk in bytes.chunks_exact_mut(4) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
}

/// Positions of the elements of `view`, in row-major order.
pub(super) fn positions(view: &Layout) -> impl Iterator<Item = usize> {
    let view = *view;
    let mut index = vec![0usize; view.dims()];
    let mut at = view.offset() as i64;
    (0..view.elements()).map(move |_| {
        let here = at as usize;
        for axis in (0..index.len()).rev() {
            index[axis] += 1;
            at += view.stride(axis);
            if index[axis] < view.size(axis) {
                break;
            }
            at -= view.stride(axis) * view.size(axis) as i64;
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
    fn a_scalar_has_one_position_and_an_empty_view_none() {
        assert_eq!(positions(&Layout::contiguous(&[]).unwrap()).collect::<Vec<_>>(), [0]);
        assert_eq!(positions(&Layout::contiguous(&[3, 0]).unwrap()).count(), 0);
    }
}
