//! The block cache of one thread for one stream: size-class bins, newest first, no lock.
//!
//! The owner and, when the owner is idle, whoever needs memory take it by the same owner word. It holds only blocks whose sole user is its
//! stream, so that work of that stream may overwrite them without a wait.
//!
//! **Invariants**
//! * `sole-user`: a cached block has no foreign user and was allocated for this stream.
//! * `bounded`: the bytes in the bins are at most the limit.
//! * `nobody-leaves-blocks`: what a closing owner could not take, because somebody had the bins, is taken by that one.
//! * `empty-when-revoked`: who revokes the lease empties the bins under the same ownership, and nothing is put into them any more.

use millstream_sync::atomic::{AtomicU64, Ordering, fence};
use millstream_sync::lease_word::Closed;
use millstream_sync::{LeaseWord, OwnedCell};

use super::size_class::CLASSES;

/// Classes of small blocks (up to 4 KiB): results of reductions, of which a thread may keep a hundred until it reads them.
const SMALL: usize = 1 + (4 << 3);
const SMALL_DEPTH: usize = 126;
const DEPTH: usize = 14;
/// Numbers in all bins.
const NUMBERS: usize = SMALL * SMALL_DEPTH + (CLASSES - SMALL) * DEPTH;

/// How many blocks of a class are kept.
const fn depth(class: usize) -> usize {
    if class < SMALL { SMALL_DEPTH } else { DEPTH }
}

/// Where the bin of a class begins.
const fn start(class: usize) -> usize {
    if class < SMALL { class * SMALL_DEPTH } else { SMALL * SMALL_DEPTH + (class - SMALL) * DEPTH }
}

/// One bin after another: how many each holds, and their numbers, newest last. On lines of their own.
#[derive(Debug)]
#[repr(align(128))]
struct Table {
    lens: [u8; CLASSES],
    numbers: [u32; NUMBERS],
}

/// The bins, and the bytes of the blocks in them.
#[derive(Debug)]
struct Bins {
    table: Box<Table>,
    bytes: usize,
}

impl Bins {
    #[inline]
    fn pop(&mut self, class: usize) -> Option<u32> {
        let len = self.table.lens[class].checked_sub(1)?;
        self.table.lens[class] = len;
        Some(self.table.numbers[start(class) + usize::from(len)])
    }

    fn empty_into(&mut self, numbers: &mut Vec<u32>) {
        let Table { lens, numbers: all } = &mut *self.table;
        for (class, len) in lens.iter_mut().enumerate() {
            numbers.extend_from_slice(&all[start(class)..start(class) + usize::from(*len)]);
            *len = 0;
        }
        self.bytes = 0;
    }

    /// `false`: the bin is full.
    #[inline]
    fn push(&mut self, class: usize, number: u32) -> bool {
        let len = usize::from(self.table.lens[class]);
        if len == depth(class) {
            return false;
        }
        self.table.numbers[start(class) + len] = number;
        self.table.lens[class] += 1;
        true
    }
}

/// The cache, on lines of its own: every allocation of its thread writes to it.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct ThreadCache {
    slot: u16,
    limit: usize,
    bins: OwnedCell<Bins>,
    /// The thread's lease of the stream; kept while the stream is only a guard's.
    lease: LeaseWord,
    /// What `bins` holds, for readers that come while it is in use; written by who has it.
    bytes: AtomicU64,
    // Statistics, written by the owner alone.
    allocated: AtomicU64,
    freed: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    workspaces: AtomicU64,
    workspace_bytes_max: AtomicU64,
}

/// A cache's statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CacheCounts {
    pub(crate) allocated: u64,
    pub(crate) freed: u64,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) workspaces: u64,
    pub(crate) workspace_bytes_max: u64,
}

impl CacheCounts {
    pub(crate) fn add(&mut self, other: Self) {
        self.allocated += other.allocated;
        self.freed += other.freed;
        self.hits += other.hits;
        self.misses += other.misses;
        self.workspaces += other.workspaces;
        self.workspace_bytes_max = self.workspace_bytes_max.max(other.workspace_bytes_max);
    }
}

/// Adds to a statistic that only one thread writes: no read-modify-write.
#[inline]
fn bump(word: &AtomicU64, by: u64) {
    word.store(word.load(Ordering::Relaxed) + by, Ordering::Relaxed);
}

impl ThreadCache {
    /// `leased`: the thread has a lease of the stream; else it is there by a guard.
    pub(crate) fn new(slot: u16, limit: usize, leased: bool) -> Self {
        let zero = || AtomicU64::new(0);
        let bins =
            OwnedCell::new(Bins { table: Box::new(Table { lens: [0; CLASSES], numbers: [0; NUMBERS] }), bytes: 0 });
        Self {
            slot,
            limit,
            bins,
            lease: if leased { LeaseWord::new() } else { LeaseWord::kept() },
            bytes: zero(),
            allocated: zero(),
            freed: zero(),
            hits: zero(),
            misses: zero(),
            workspaces: zero(),
            workspace_bytes_max: zero(),
        }
    }

    pub(crate) fn slot(&self) -> u16 {
        self.slot
    }

    #[inline]
    pub(crate) fn lease(&self) -> &LeaseWord {
        &self.lease
    }

    /// The owner ends its lease, if it still has it, before it empties the cache for the last time.
    pub(crate) fn close(&self) -> Closed {
        let closed = self.lease.close();
        // ORDER: SeqCst fence so that either the owner finds the bins free or who has them sees the close; pairs with `left_behind`.
        fence(Ordering::SeqCst);
        closed
    }

    /// Whether the owner has closed the cache and left blocks in it, because it found it in use. For who had it in use, after that: they are this thread's to take.
    pub(super) fn left_behind(&self) -> bool {
        // ORDER: SeqCst fence so that either this thread sees the close or the owner finds the bins free; pairs with `close`.
        fence(Ordering::SeqCst);
        self.lease.is_closed() && self.bytes() > 0
    }

    /// Takes the lease away from a thread that is outside of every operation, and its cached blocks with it. `false`: it is inside, or keeps the lease by a handle.
    pub(crate) fn revoke(&self, numbers: &mut Vec<u32>) -> bool {
        // Under the ownership of the bins, so that the owner finds the cache as it left it or its lease gone.
        self.bins
            .try_with(|b| {
                let revoked = self.lease.revoke();
                if revoked {
                    b.empty_into(numbers);
                    self.bytes.store(0, Ordering::Relaxed);
                }
                revoked
            })
            .unwrap_or(false)
    }

    /// Takes a cached block of `class`; none when the lease is gone. For the owner.
    #[inline]
    pub(super) fn take(&self, class: usize, bytes: usize) -> Option<u32> {
        let number = self.bins.try_with(|b| {
            if self.lease.is_revoked() {
                return None;
            }
            let number = b.pop(class)?;
            b.bytes -= bytes;
            self.bytes.store(b.bytes as u64, Ordering::Relaxed);
            Some(number)
        })??;
        bump(&self.allocated, bytes as u64);
        bump(&self.hits, 1);
        Some(number)
    }

    /// Counts a block that did not come from the bins. For the owner.
    pub(super) fn missed(&self, bytes: usize) {
        bump(&self.allocated, bytes as u64);
        bump(&self.misses, 1);
    }

    /// Keeps a freed block. `false`: the cache is full or in use or the lease is gone, and the block is still the caller's. For the owner.
    #[inline]
    pub(super) fn put(&self, class: usize, bytes: usize, number: u32) -> bool {
        let kept = self.bins.try_with(|b| {
            let kept = !self.lease.is_revoked() && b.bytes + bytes <= self.limit && b.push(class, number);
            if kept {
                b.bytes += bytes;
                self.bytes.store(b.bytes as u64, Ordering::Relaxed);
            }
            kept
        });
        kept == Some(true)
    }

    /// Counts a launch with a workspace of `bytes` bytes. For the owner.
    pub(crate) fn count_workspace(&self, bytes: usize) {
        bump(&self.workspaces, 1);
        let most = self.workspace_bytes_max.load(Ordering::Relaxed).max(bytes as u64);
        self.workspace_bytes_max.store(most, Ordering::Relaxed);
    }

    /// Counts a block freed by this thread. For the owner.
    #[inline]
    pub(super) fn count_freed(&self, bytes: usize) {
        // ORDER: Release so that who sees the bytes freed sees them where they went, in a bin or an inbox; pairs with `counts`.
        self.freed.store(self.freed.load(Ordering::Relaxed) + bytes as u64, Ordering::Release);
    }

    /// Takes a cached block away, of any class. `None`: empty, or in use just now. For anyone.
    pub(crate) fn take_any(&self, block_bytes: impl Fn(u32) -> usize) -> Option<u32> {
        self.bins.try_with(|b| {
            let class = b.table.lens.iter().position(|len| *len > 0)?;
            let number = b.pop(class)?;
            b.bytes -= block_bytes(number);
            self.bytes.store(b.bytes as u64, Ordering::Relaxed);
            Some(number)
        })?
    }

    /// Empties the cache into `numbers`. `false`: in use just now. For anyone.
    pub(super) fn take_all(&self, numbers: &mut Vec<u32>) -> bool {
        self.bins
            .try_with(|b| {
                b.empty_into(numbers);
                self.bytes.store(0, Ordering::Relaxed);
            })
            .is_some()
    }

    /// The numbers in the bins; none while in use.
    pub(super) fn numbers(&self) -> Vec<u32> {
        let read = |b: &mut Bins| {
            let Table { lens, numbers } = &*b.table;
            let bin = |(class, len): (usize, &u8)| &numbers[start(class)..start(class) + usize::from(*len)];
            lens.iter().enumerate().flat_map(bin).copied().collect()
        };
        self.bins.try_with(read).unwrap_or_default()
    }

    /// Bytes in the bins.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed) as usize
    }

    pub(crate) fn counts(&self) -> CacheCounts {
        let read = |word: &AtomicU64| word.load(Ordering::Relaxed);
        CacheCounts {
            allocated: read(&self.allocated),
            // ORDER: Acquire so that what was freed is seen where it went; pairs with `count_freed`.
            freed: self.freed.load(Ordering::Acquire),
            hits: read(&self.hits),
            misses: read(&self.misses),
            workspaces: read(&self.workspaces),
            workspace_bytes_max: read(&self.workspace_bytes_max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bins_lie_one_behind_the_other_and_fill_the_table() {
        let mut end = 0;
        for class in 0..CLASSES {
            assert_eq!(start(class), end, "class {class}");
            end += depth(class);
        }
        assert_eq!(end, NUMBERS);
        assert_eq!((depth(SMALL - 1), depth(SMALL)), (SMALL_DEPTH, DEPTH));
    }
}
