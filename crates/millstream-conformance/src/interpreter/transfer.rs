//! Uploads, downloads and the fingerprint: bytes as they are.

use millstream_hal::Kernel;

use super::words::u32_at;

pub(super) fn copy_bytes(out: &mut [u8], to: usize, input: &[u8], from: usize, bytes: usize) {
    if bytes > 0 {
        out[to..to + bytes].copy_from_slice(&input[from..from + bytes]);
    }
}

pub(super) fn fingerprint(words: usize, out: &mut [u8], input: &[u8]) {
    let hash = Kernel::fingerprint_of((0..words).map(|word| u32_at(input, word)));
    out[..8].copy_from_slice(&hash.to_le_bytes());
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
    fn a_fingerprint_is_that_of_the_words() {
        let mut out = [0u8; 8];
        let input: Vec<u8> = [1u32, 2, 3].iter().flat_map(|w| w.to_le_bytes()).collect();
        interpret(&Kernel::Fingerprint { words: 3 }, &mut out, &[&input]).unwrap();
        assert_eq!(u64::from_le_bytes(out), Kernel::fingerprint_of([1, 2, 3]));
    }
}
