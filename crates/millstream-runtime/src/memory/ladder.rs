//! What an allocation tried before it gave up, and which rung served how many.

use millstream_sync::atomic::{AtomicU64, Ordering};

/// A rung of the ladder, in the order in which they are climbed. The search is made again after every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
#[non_exhaustive]
pub enum Rung {
    /// The thread's own cache.
    Cache,
    /// Blocks freed on other threads.
    Inbox,
    /// The stream's own free blocks, and segments at rest.
    OwnPool,
    /// Freed blocks whose users have completed.
    Limbo,
    /// Free blocks of streams that nobody holds and that have completed all their work.
    IdlePools,
    /// A new segment within the budget.
    Grow,
    /// Free blocks of other streams that have completed all their work.
    OtherPools,
    /// Free blocks of streams that are at work: this stream waits for them on the device.
    BusyPools,
    /// The thread's own cache, given to its stream's pool.
    OwnCache,
    /// The caches of threads that are not in the middle of an operation, and every inbox and limbo.
    IdleCaches,
    /// Empty segments, given back to the device to make room for another one.
    Release,
    /// A bounded wait for the oldest position that holds memory back, then for the next.
    Wait,
    /// Memory that registered reclaimers freed.
    Reclaim,
}

impl Rung {
    /// All rungs, in their order.
    pub const ALL: [Self; 13] = [
        Self::Cache,
        Self::Inbox,
        Self::OwnPool,
        Self::Limbo,
        Self::IdlePools,
        Self::Grow,
        Self::OtherPools,
        Self::BusyPools,
        Self::OwnCache,
        Self::IdleCaches,
        Self::Release,
        Self::Wait,
        Self::Reclaim,
    ];

    /// Name in messages and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Inbox => "inbox",
            Self::OwnPool => "own pool",
            Self::Limbo => "limbo",
            Self::IdlePools => "idle pools",
            Self::Grow => "grow",
            Self::OtherPools => "other pools",
            Self::BusyPools => "busy pools",
            Self::OwnCache => "own cache",
            Self::IdleCaches => "idle caches",
            Self::Release => "release",
            Self::Wait => "wait",
            Self::Reclaim => "reclaim",
        }
    }
}

const NONE: (Rung, usize) = (Rung::Cache, 0);

/// The report of an allocation that climbed the whole ladder: what each rung had, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    rows: [(Rung, usize); Rung::ALL.len()],
    len: usize,
}

impl Default for Ladder {
    fn default() -> Self {
        Self { rows: [NONE; Rung::ALL.len()], len: 0 }
    }
}

impl Ladder {
    /// Notes what `rung` had; of a rung that was climbed more than once the most. Allocates nothing: most climbs end early.
    pub(super) fn note(&mut self, rung: Rung, bytes: usize) {
        match self.rows[..self.len].iter_mut().find(|(known, _)| *known == rung) {
            Some((_, most)) => *most = bytes.max(*most),
            None => {
                self.rows[self.len] = (rung, bytes);
                self.len += 1;
            }
        }
    }

    /// Each rung in the order climbed, with the bytes that it had to offer (too small or in pieces, or the allocation would have succeeded).
    #[must_use]
    pub fn rows(&self) -> &[(Rung, usize)] {
        &self.rows[..self.len]
    }
}

impl std::fmt::Display for Ladder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("tried ")?;
        for (i, (rung, bytes)) in self.rows().iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}{} {bytes}", rung.name())?;
        }
        Ok(())
    }
}

/// How many allocations each rung has served. The cache counts for itself, without a shared word.
#[derive(Debug)]
pub(super) struct Served([AtomicU64; Rung::ALL.len()]);

impl Default for Served {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; Rung::ALL.len()])
    }
}

impl Served {
    pub(super) fn count(&self, rung: Rung) {
        self.0[rung as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn of(&self, rung: Rung) -> u64 {
        self.0[rung as usize].load(Ordering::Relaxed)
    }
}
