//! Host memory as device memory: segments and staging, within one byte budget.
//!
//! Large pieces come straight from the system, small ones from the process's allocator; all of them are zeroed, so that no read of
//! device memory is a read of uninitialised memory (the system's pages are zero anyway). Pieces of 2 MiB and more are asked
//! to lie on huge pages. It keeps no pool: pooling is the runtime's business.
//!
//! **Invariants**
//! * `budget-holds`: the bytes handed out never exceed the limit.
#![expect(unsafe_code, reason = "takes memory from the system and gives it back")]

use std::alloc::Layout;

use millstream_hal::{Error, Result, SEGMENT_ALIGN};
use millstream_sync::atomic::{AtomicUsize, Ordering};

const HUGE_PAGE: usize = 2 << 20;
/// From here on a piece comes from the system.
const MAPPED: usize = 1 << 16;

/// The byte budget of one device.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: usize,
    in_use: AtomicUsize,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, in_use: AtomicUsize::new(0) }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Address and size of a zeroed piece of at least `bytes` bytes, aligned to [`SEGMENT_ALIGN`]. Errors: [`Error::OutOfMemory`], also where
    /// the size cannot be addressed.
    pub(crate) fn take(&self, bytes: usize) -> Result<(u64, usize)> {
        let size = Self::rounded(bytes).ok_or_else(|| self.out_of_memory(bytes))?;
        let mut found = self.in_use.load(Ordering::Relaxed);
        loop {
            let wanted = found.checked_add(size).filter(|sum| *sum <= self.limit);
            let wanted = wanted.ok_or_else(|| self.out_of_memory(bytes))?;
            // ORDER: Relaxed; the word only counts, the memory itself comes from the system.
            match self.in_use.compare_exchange_weak(found, wanted, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => found = now,
            }
        }
        match system::take(size) {
            Some(address) => Ok((address, size)),
            None => {
                self.in_use.fetch_sub(size, Ordering::Relaxed);
                Err(self.out_of_memory(bytes))
            }
        }
    }

    /// Gives back a piece that [`Memory::take`] returned. Nobody uses it any more.
    pub(crate) fn give_back(&self, address: u64, size: usize) {
        system::give_back(address, size);
        self.in_use.fetch_sub(size, Ordering::Relaxed);
    }

    fn rounded(bytes: usize) -> Option<usize> {
        let unit = if bytes >= HUGE_PAGE { HUGE_PAGE } else { SEGMENT_ALIGN };
        bytes.max(1).checked_next_multiple_of(unit).filter(|size| *size <= isize::MAX as usize - HUGE_PAGE)
    }

    fn out_of_memory(&self, requested: usize) -> Error {
        Error::OutOfMemory { requested, available: self.limit.saturating_sub(self.in_use.load(Ordering::Relaxed)) }
    }
}

/// Copies bytes of device or host memory at `address`. Nobody writes them meanwhile: the runtime keeps their value alive (`read_back` of the contract).
pub(crate) fn read(address: u64, to: &mut [u8]) {
    if to.is_empty() {
        return;
    }
    let from = std::ptr::with_exposed_provenance::<u8>(address as usize);
    // SAFETY: asks for initialised, live bytes that nobody writes; all memory was zeroed when taken or filled by its owner, the runtime keeps it (`memory-outlives-work`)
    // and calls only when the work that wrote it has completed.
    let bytes = unsafe { std::slice::from_raw_parts(from, to.len()) };
    to.copy_from_slice(bytes);
}

/// From the process's allocator, below [`MAPPED`].
fn take_small(size: usize) -> Option<u64> {
    let layout = Layout::from_size_align(size, SEGMENT_ALIGN).ok()?;
    // SAFETY: asks for a size above zero; `rounded` gives at least SEGMENT_ALIGN.
    let address = unsafe { std::alloc::alloc_zeroed(layout) };
    (!address.is_null()).then_some(address as u64)
}

fn give_back_small(address: u64, size: usize) {
    if let Ok(layout) = Layout::from_size_align(size, SEGMENT_ALIGN) {
        // SAFETY: asks for a block of this allocator with this layout; `take_small` made it so.
        unsafe { std::alloc::dealloc(address as *mut u8, layout) };
    }
}

#[cfg(unix)]
mod system {
    use super::{HUGE_PAGE, MAPPED};

    pub(super) fn take(size: usize) -> Option<u64> {
        if size < MAPPED {
            return super::take_small(size);
        }
        if size < HUGE_PAGE {
            return map(size);
        }
        // Room to cut off at both ends, so that the piece begins at a huge page.
        let start = map(size + HUGE_PAGE)?;
        let base = start.next_multiple_of(HUGE_PAGE as u64);
        unmap(start, (base - start) as usize);
        unmap(base + size as u64, HUGE_PAGE - (base - start) as usize);
        #[cfg(target_os = "linux")]
        // SAFETY: a hint about pages of the mapping above; it changes no contents, and failing does no harm.
        unsafe {
            libc::madvise(base as *mut libc::c_void, size, libc::MADV_HUGEPAGE);
        }
        Some(base)
    }

    pub(super) fn give_back(address: u64, size: usize) {
        if size < MAPPED {
            super::give_back_small(address, size);
        } else {
            unmap(address, size);
        }
    }

    fn map(size: usize) -> Option<u64> {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANON);
        // SAFETY: an anonymous mapping at an address of the system's choice replaces nothing.
        let address = unsafe { libc::mmap(std::ptr::null_mut(), size, access, kind, -1, 0) };
        (address != libc::MAP_FAILED).then_some(address as u64)
    }

    fn unmap(address: u64, size: usize) {
        if size > 0 {
            // SAFETY: asks for pages that nobody uses; they are part of a mapping of `map` that is being cut or given back.
            unsafe { libc::munmap(address as *mut libc::c_void, size) };
        }
    }
}

#[cfg(not(unix))]
mod system {
    pub(super) use super::{give_back_small as give_back, take_small as take};
}

/// Memory of the machine, or of the control group if that allows less.
pub(crate) fn machine_bytes() -> usize {
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    physical_bytes().min(group.unwrap_or(usize::MAX))
}

#[cfg(unix)]
fn physical_bytes() -> usize {
    // SAFETY: sysconf reads a number of the system.
    let pages = unsafe { libc::sysconf(libc::_SC_PHYS_PAGES) };
    // SAFETY: as above.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(pages).unwrap_or(0).saturating_mul(usize::try_from(size).unwrap_or(0)).max(1 << 28)
}

#[cfg(not(unix))]
fn physical_bytes() -> usize {
    isize::MAX as usize / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_all_sizes_are_aligned_zeroed_and_given_back() {
        let memory = Memory::new(1 << 30);
        for bytes in [0, 1, 255, 256, 257, MAPPED - 1, MAPPED, 1 << 20, HUGE_PAGE - 1, HUGE_PAGE, 5 * HUGE_PAGE + 1] {
            let (address, size) = memory.take(bytes).unwrap();
            assert!(size >= bytes && address.is_multiple_of(SEGMENT_ALIGN as u64));
            // SAFETY: the piece is `size` bytes, zeroed, and this test's alone.
            let words = unsafe { std::slice::from_raw_parts_mut(address as *mut u8, size) };
            assert!(words.iter().all(|w| *w == 0));
            words.fill(1);
            memory.give_back(address, size);
        }
        assert_eq!(memory.in_use.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_cannot_be_had_is_a_typed_error_and_costs_no_budget() {
        let memory = Memory::new(isize::MAX as usize);
        for bytes in [usize::MAX, isize::MAX as usize, isize::MAX as usize - 1, 1 << 62, 1 << 50] {
            let error = memory.take(bytes).unwrap_err();
            assert!(matches!(error, Error::OutOfMemory { requested, .. } if requested == bytes), "{error}");
        }
        assert_eq!(memory.in_use.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_budget_is_kept_and_said() {
        let memory = Memory::new(1 << 20);
        let (address, size) = memory.take(1 << 19).unwrap();
        let error = memory.take((1 << 19) + 1).unwrap_err();
        assert_eq!(error, Error::OutOfMemory { requested: (1 << 19) + 1, available: 1 << 19 });
        memory.give_back(address, size);
        assert!(machine_bytes() >= 1 << 28);
    }
}
