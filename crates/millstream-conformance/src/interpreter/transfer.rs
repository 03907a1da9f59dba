//! Uploads, downloads and the fingerprint: bytes as they are.

use millstream_hal::Kernel;

pub(super) fn copy_bytes(out: &mut [u8], to: usize, input: &[u8], from: usize, bytes: usize) {
    if bytes > 0 {
        out[to..to + bytes].copy_from_slice(&input[from..from + bytes]);
    }
}

pub(super) fn poison(bytes: &mut [u8]) {
    for word in bytes.as_chunks_mut::<4>().0 {
        *word = Kernel::POISON_WORD.to_le_bytes();
    }
}

pub(super) fn fingerprint(bytes: usize, out: &mut [u8], input: &[u8]) {
    out[..8].copy_from_slice(&Kernel::fingerprint_of(&input[..bytes]).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use millstream_hal::Kernel;

    use crate::interpreter::interpret;

    #[test]
    fn a_download_writes_only_its_range() {
        let mut staging = [0u8; 8];
        interpret(&Kernel::Download { bytes: 3, from: 1, to: 2 }, &mut staging, &[&[1, 2, 3, 4, 5]]).unwrap();
        assert_eq!(staging, [0, 0, 2, 3, 4, 0, 0, 0]);
    }

    #[test]
    fn a_fingerprint_is_that_of_the_bytes_and_of_no_more() {
        let mut out = [0u8; 8];
        interpret(&Kernel::Fingerprint { bytes: 5 }, &mut out, &[&[1, 2, 3, 4, 5, 6]]).unwrap();
        assert_eq!(u64::from_le_bytes(out), Kernel::fingerprint_of(&[1, 2, 3, 4, 5]));
    }
}
