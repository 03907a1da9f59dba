//! Sizes of blocks: eight classes to a doubling, so that at most an eighth of a block is wasted.

/// Smallest block in bytes, and the alignment of all.
pub(crate) const BLOCK_MIN: usize = 256;
/// Largest size that has a class, in bytes; larger blocks are rounded to 2 MiB and never cached by a thread.
pub(crate) const CLASS_MAX: usize = 64 << 20;
/// Rounding of sizes above [`CLASS_MAX`].
const LARGE_ROUND: usize = 2 << 20;
const STEPS_LOG2: u32 = 3;
/// Number of classes: the smallest plus eight for each of the 18 doublings up to [`CLASS_MAX`].
pub(crate) const CLASSES: usize = 1 + (18 << STEPS_LOG2);

/// The class of a request and its block size. `None`: no class.
#[inline]
pub(crate) fn class_of(bytes: usize) -> Option<(usize, usize)> {
    if bytes <= BLOCK_MIN {
        return Some((0, BLOCK_MIN));
    }
    if bytes > CLASS_MAX {
        return None;
    }
    let last = bytes - 1;
    let log2 = usize::BITS - 1 - last.leading_zeros();
    let step_log2 = log2 - STEPS_LOG2;
    // Position inside the doubling, 0..8, of the last byte.
    let step = (last >> step_log2) & ((1 << STEPS_LOG2) - 1);
    let class = 1 + (((log2 - BLOCK_MIN.trailing_zeros()) << STEPS_LOG2) as usize) + step;
    // Classes below 2 KiB have steps smaller than the alignment: round up, the class keeps its number.
    let size = (((1usize << STEPS_LOG2) + step + 1) << step_log2).next_multiple_of(BLOCK_MIN);
    Some((class, size))
}

/// Size of the block for a request of `bytes`. `None`: the size cannot be counted.
pub(crate) fn block_bytes(bytes: usize) -> Option<usize> {
    match class_of(bytes) {
        Some((_, size)) => Some(size),
        None => bytes.checked_next_multiple_of(LARGE_ROUND).filter(|b| *b <= isize::MAX as usize),
    }
}

/// The class whose blocks have exactly `size` bytes, for a block of unknown history.
#[inline]
pub(crate) fn class_of_block(size: usize) -> Option<usize> {
    class_of(size).filter(|(_, s)| *s == size).map(|(class, _)| class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_its_request_and_wastes_at_most_an_eighth_above_two_kib() {
        let mut last = 0;
        for bytes in (1..100_000).chain((100_000..CLASS_MAX).step_by(9_973)) {
            let (class, size) = class_of(bytes).unwrap();
            assert!(class < CLASSES && size >= bytes && size % BLOCK_MIN == 0, "{bytes} -> {class} {size}");
            if bytes > 2048 {
                assert!((size - bytes) * 8 <= size, "{bytes} in {size}");
            }
            assert!(class >= last, "classes grow with sizes");
            last = class;
            let same = class_of_block(size).expect("a block's size has a class");
            assert_eq!(class_of(size).unwrap().1, size);
            assert!(same >= class);
        }
        assert_eq!(class_of(CLASS_MAX).unwrap().1, CLASS_MAX);
        assert!(class_of(CLASS_MAX + 1).is_none());
        assert!(block_bytes(usize::MAX).is_none());
    }
}
