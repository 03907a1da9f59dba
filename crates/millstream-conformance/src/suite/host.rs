//! The host's side of staging memory: the one place of this crate that goes through an address.
#![expect(unsafe_code, reason = "a backend gives staging memory as an address")]

use millstream_hal::RawStaging;

/// Writes `bytes` from byte `to` on.
pub(super) fn write(staging: &RawStaging, to: usize, bytes: &[u8]) {
    assert!(to + bytes.len() <= staging.bytes, "beyond the staging memory");
    let first: *mut u8 = std::ptr::with_exposed_provenance_mut(staging.host as usize + to);
    // SAFETY: the target must be valid for so many bytes and not overlap the source; true because the backend handed out `staging.bytes`
    // bytes at `staging.host`, the range was checked above, and no work that names them is running (`Rig` waits for it).
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), first, bytes.len()) }
}

/// Reads `bytes` bytes from byte `from` on.
pub(super) fn read(staging: &RawStaging, from: usize, bytes: usize) -> Vec<u8> {
    assert!(from + bytes <= staging.bytes, "beyond the staging memory");
    let first: *const u8 = std::ptr::with_exposed_provenance(staging.host as usize + from);
    let mut copy = vec![0; bytes];
    // SAFETY: as in `write`, with source and target exchanged.
    unsafe { std::ptr::copy_nonoverlapping(first, copy.as_mut_ptr(), bytes) }
    copy
}
