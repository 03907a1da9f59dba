//! The stream pool: a fixed number of slots, each a raw stream made at its first use, with the memory that belongs to it.
//!
//! A slot lives as long as the device; what changes hands is the lease on it. Everything that others must reach when its holder is gone (inbox, pool,
//! limbo) is therefore here and not with the thread.
//!
//! **Invariants**
//! * `tail-after-enqueue`: `published` grows only after the enqueue succeeded.
//!
//! **Locks** `StreamSlots` (in the permits), `StreamSubmit`, `BlockPool`, `Limbo`: one each per slot.

use std::collections::VecDeque;

use millstream_hal::{Backend, RawStream};
use millstream_sync::atomic::{AtomicU32, AtomicU64, Ordering};
use millstream_sync::lock::Lock;
use millstream_sync::lock::levels::{self, StreamSubmit};
use millstream_sync::permits::Permits;
use millstream_sync::{Arc, Inbox, OnceLock};

use crate::error::{Error, Result};
use crate::event::NativeEvent;
use crate::evidence::Evidence;
use crate::memory::{Block, Limbo, Pool};
use crate::stream::load::Load;

/// Newest operations of a stream whose kernels are remembered.
pub(crate) const RECENT: usize = 64;

/// What is known only to who submits to a stream.
#[derive(Debug)]
pub(crate) struct Submission {
    /// Position of the last operation that was enqueued.
    pub(crate) seq: u64,
    /// Newest position of every other stream that this one has been made to wait for.
    pub(crate) seen: Box<[u64]>,
    /// Native events recorded and not yet known to be done, oldest first.
    pub(crate) recorded: VecDeque<(u64, Arc<NativeEvent>)>,
    /// Events of waits behind which a launch was refused: kept from their end, which is the backend's own.
    pub(crate) unseen: Vec<Arc<NativeEvent>>,
    /// Kernels of the newest operations, each at its position modulo the length: suspects after a fault.
    recent: Box<[&'static str; RECENT]>,
}

impl Submission {
    /// The operation at the next position was enqueued: it is the tail now. Returns its position.
    #[inline]
    pub(crate) fn advance(&mut self, kernel: &'static str) -> u64 {
        self.seq += 1;
        self.recent[self.seq as usize % RECENT] = kernel;
        self.seq
    }

    /// The kernel of one of the newest [`RECENT`] operations.
    pub(crate) fn kernel(&self, seq: u64) -> &'static str {
        self.recent[seq as usize % RECENT]
    }
}

/// A slot of the pool, on lines of its own: each submission of its holder writes to it.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Slot {
    index: u16,
    raw: OnceLock<RawStream>,
    generation: AtomicU32,
    /// Leases and handles on the slot; its bit in the permits is set while this is not zero.
    pub(super) holders: AtomicU32,
    /// When it was leased or submitted to last, on the profiler's clock.
    used_at: AtomicU64,
    /// Its recent load.
    pub(super) load: Load,
    pub(crate) submit: Lock<StreamSubmit, Submission>,
    published: AtomicU64,
    done: AtomicU64,
    wanted: AtomicU64,
    pub(crate) inbox: Inbox,
    inbox_bytes: AtomicU64,
    pub(crate) pool: Lock<levels::BlockPool, Pool>,
    pub(crate) limbo: Lock<levels::Limbo, Limbo>,
    freed_elsewhere: AtomicU64,
}

impl Slot {
    fn new(index: u16, streams: usize) -> Self {
        let submission = Submission {
            seq: 0,
            seen: vec![0; streams].into_boxed_slice(),
            recorded: VecDeque::new(),
            unseen: Vec::new(),
            recent: Box::new([""; RECENT]),
        };
        Self {
            index,
            raw: OnceLock::new(),
            generation: AtomicU32::new(0),
            holders: AtomicU32::new(0),
            used_at: AtomicU64::new(0),
            load: Load::default(),
            submit: Lock::new(submission),
            published: AtomicU64::new(0),
            done: AtomicU64::new(0),
            wanted: AtomicU64::new(0),
            inbox: Inbox::new(),
            inbox_bytes: AtomicU64::new(0),
            pool: Lock::new(Pool::new(index)),
            limbo: Lock::new(Limbo::default()),
            freed_elsewhere: AtomicU64::new(0),
        }
    }

    pub(super) fn used_at(&self) -> u64 {
        self.used_at.load(Ordering::Relaxed)
    }

    pub(super) fn has_one_holder(&self) -> bool {
        self.holders.load(Ordering::Relaxed) == 1
    }

    /// Notes the time of a use.
    #[inline]
    pub(crate) fn note_used(&self, now: u64) {
        self.used_at.store(now, Ordering::Relaxed);
    }

    pub(crate) fn index(&self) -> u16 {
        self.index
    }

    /// How often the slot was leased.
    pub(crate) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Relaxed)
    }

    pub(super) fn next_generation(&self) -> u32 {
        self.generation.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The raw stream, made now if it is the first use. May call the driver: nothing is held.
    pub(crate) fn raw_or_create(&self, backend: &dyn Backend, evidence: &Evidence) -> Result<RawStream> {
        if let Some(raw) = self.raw.get() {
            return Ok(*raw);
        }
        let made = backend.create_stream().map_err(Error::backend("making a stream"))?;
        let kept = *self.raw.get_or_init(|| made);
        if kept != made {
            evidence.keep("ending a stream that was made twice", backend.destroy_stream(made));
        }
        Ok(kept)
    }

    /// The raw stream of a slot that has been leased.
    pub(crate) fn raw(&self) -> Option<RawStream> {
        self.raw.get().copied()
    }

    /// The tail: position of the last operation that was enqueued.
    #[inline]
    pub(crate) fn published(&self) -> u64 {
        // ORDER: Acquire so that who sees the position also sees the enqueue; pairs with `publish`.
        self.published.load(Ordering::Acquire)
    }

    /// Moves the tail. The caller holds the submission lock and the enqueue has succeeded.
    #[inline]
    pub(crate) fn publish(&self, seq: u64) {
        // ORDER: Release so that who sees the position also sees the enqueue; pairs with `published`.
        self.published.store(seq, Ordering::Release);
    }

    /// The last position known to be complete, without asking for more than a load.
    #[inline]
    pub(crate) fn completed(&self, backend: &dyn Backend) -> u64 {
        let counted = self.raw.get().and_then(|raw| backend.completed(*raw));
        // ORDER: Acquire so that the effects of the work are visible; pairs with `note_done`.
        counted.unwrap_or_else(|| self.done.load(Ordering::Acquire))
    }

    /// An event at `seq` was seen to be done.
    pub(crate) fn note_done(&self, seq: u64) {
        // ORDER: Release so that what the query made visible is visible to who reads the position; pairs with `completed`.
        self.done.fetch_max(seq, Ordering::Release);
    }

    /// Somebody wants to see `seq` complete: the next submitter records an event.
    pub(crate) fn want(&self, seq: u64) {
        self.wanted.fetch_max(seq, Ordering::Relaxed);
    }

    /// Whether somebody wants a position that is not known to be complete.
    #[inline]
    pub(crate) fn is_wanted(&self, backend: &dyn Backend) -> bool {
        let wanted = self.wanted();
        wanted > 0 && wanted > self.completed(backend)
    }

    #[inline]
    pub(crate) fn wanted(&self) -> u64 {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Puts a freed block into the inbox. Who sees it counted as freed sees it counted here: call this before `count_freed`.
    pub(crate) fn hand_back(&self, number: u32, block: &Block) {
        self.inbox_bytes.fetch_add(block.bytes() as u64, Ordering::Relaxed);
        self.inbox.push(number, &block.link);
    }

    /// Blocks were taken out of the inbox.
    pub(crate) fn count_taken(&self, bytes: usize) {
        self.inbox_bytes.fetch_sub(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes of the blocks in the inbox.
    pub(crate) fn inbox_bytes(&self) -> usize {
        self.inbox_bytes.load(Ordering::Relaxed) as usize
    }

    pub(crate) fn count_freed(&self, bytes: usize) {
        // ORDER: Release so that who sees the bytes freed sees them in the inbox; pairs with `freed_elsewhere`.
        self.freed_elsewhere.fetch_add(bytes as u64, Ordering::Release);
    }

    pub(crate) fn freed_elsewhere(&self) -> u64 {
        // ORDER: Acquire so that what was freed is seen in the inbox too; pairs with `count_freed`.
        self.freed_elsewhere.load(Ordering::Acquire)
    }
}

/// The pool.
#[derive(Debug)]
pub(crate) struct StreamPool {
    slots: Box<[Slot]>,
    pub(super) permits: Permits,
}

impl StreamPool {
    pub(crate) fn new(streams: usize) -> Self {
        Self { slots: (0..streams).map(|i| Slot::new(i as u16, streams)).collect(), permits: Permits::new(streams) }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    #[inline]
    pub(crate) fn slot(&self, index: u16) -> &Slot {
        &self.slots[usize::from(index)]
    }

    /// Slots that have been leased at least once.
    pub(crate) fn created(&self) -> impl Iterator<Item = u16> + '_ {
        self.slots.iter().filter(|s| s.raw.get().is_some()).map(Slot::index)
    }

    /// Whether somebody holds a lease on the slot just now.
    pub(crate) fn is_held(&self, index: u16) -> bool {
        self.slot(index).holders.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn permits(&self) -> &Permits {
        &self.permits
    }
}
