//! One stream: a queue of items, a timeline, and the word that says who drives.
//!
//! A slot is made once and reused by later streams, until one of them fails. Its position counts the items of all of them, so that a mark that an
//! event kept of an earlier stream is in the past, whatever happens to the slot; `base` translates to the sequence numbers of the runtime.
//!
//! **Life** free -> alive (`open`) -> free (`close`, its queue empty).
//!
//! **Invariants**
//! * `one-mover`: only the driver moves the timeline.
//! * those of its queue, [`millstream_sync::driven_queue`].
//!
//! **Locks** none. **Checked by** tests/streams.

use millstream_hal::{Launch, Mark};
use millstream_sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use millstream_sync::{DrivenQueue, OnceLock, OwnedCell, Timeline, thread};

/// What a queue holds.
#[expect(clippy::large_enum_variant, reason = "items lie inline in the queue: enqueueing allocates nothing")]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item {
    /// A kernel; completing it reaches `position`.
    Launch { launch: Launch, position: u64 },
    /// Later items start after `mark`.
    Wait { mark: Mark },
    /// Reaches `position`, and notes the time for event `timed`.
    Record { position: u64, timed: Option<(u32, Mark)> },
}

/// One slot.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) index: u16,
    /// Its bell is rung when the position has moved, the driver has left, an item was pushed, or the stream is to end.
    pub(crate) queue: DrivenQueue<Item>,
    pub(crate) timeline: Timeline,
    /// Position before the first item of the stream that has the slot now.
    base: AtomicU64,
    /// Position of the newest item.
    enqueued: AtomicU64,
    /// Whether its driver computes just now.
    working: AtomicBool,
    generation: AtomicU32,
    alive: AtomicBool,
    stop: AtomicBool,
    pub(crate) worker: OwnedCell<Option<thread::JoinHandle<()>>>,
}

impl Slot {
    pub(crate) fn new(index: u16, queue_capacity: usize) -> Self {
        Self {
            index,
            queue: DrivenQueue::with_capacity(queue_capacity),
            timeline: Timeline::new(),
            base: AtomicU64::new(0),
            enqueued: AtomicU64::new(0),
            working: AtomicBool::new(false),
            generation: AtomicU32::new(0),
            alive: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            worker: OwnedCell::new(None),
        }
    }

    /// Makes the slot a new stream.
    pub(crate) fn open(&self) {
        let position = self.timeline.reached();
        // ORDER: Relaxed stores; published by the Release store of `alive`.
        self.base.store(position, Ordering::Relaxed);
        self.enqueued.store(position, Ordering::Relaxed);
        self.stop.store(false, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::Relaxed);
        // ORDER: Release so that who finds it alive finds the fields above; pairs with `is_alive`.
        self.alive.store(true, Ordering::Release);
    }

    /// Ends the stream; its queue is empty. Returns `false` when it was not alive.
    pub(crate) fn close(&self) -> bool {
        // ORDER: AcqRel so that of two closers one goes on, after what the opener did.
        self.alive.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn is_alive(&self, generation: u32) -> bool {
        // ORDER: Acquire so that the fields of `open` are visible; pairs with it.
        self.alive.load(Ordering::Acquire) && self.generation() == generation
    }

    /// Number of the stream that has the slot now, in the bits that a handle has for it.
    pub(crate) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Relaxed) & GENERATIONS
    }

    /// Tells the worker to leave.
    pub(crate) fn request_stop(&self) {
        // ORDER: Relaxed; the ring's fence makes a sleeper see it.
        self.stop.store(true, Ordering::Relaxed);
        self.queue.bell().ring();
    }

    pub(crate) fn stop_requested(&self) -> bool {
        // ORDER: Relaxed; nothing is published by the flag.
        self.stop.load(Ordering::Relaxed)
    }

    /// Reaches `position` and tells who waits. Called by the driver.
    #[inline]
    pub(crate) fn advance(&self, position: u64) {
        self.timeline.reach(position);
        self.queue.bell().ring();
    }

    /// Says whether the driver computes. Called by the driver: two stores for a launch, where a count for all streams would be two exchanges of one word.
    #[inline]
    pub(crate) fn set_working(&self, working: bool) {
        // ORDER: Relaxed; nothing is published by the flag.
        self.working.store(working, Ordering::Relaxed);
    }

    /// The position of the runtime's sequence number `seq`.
    pub(crate) fn position_of(&self, seq: u64) -> u64 {
        self.base.load(Ordering::Relaxed).saturating_add(seq)
    }

    /// The runtime's sequence number of `position`.
    pub(crate) fn seq_of(&self, position: u64) -> u64 {
        position.saturating_sub(self.base.load(Ordering::Relaxed))
    }

    /// Position of the newest item, known to the one thread that enqueues.
    pub(crate) fn enqueued(&self) -> u64 {
        // ORDER: Relaxed; enqueues of one stream are ordered by the caller (`enqueue-order`).
        self.enqueued.load(Ordering::Relaxed)
    }

    pub(crate) fn set_enqueued(&self, position: u64) {
        // ORDER: Relaxed; as above.
        self.enqueued.store(position, Ordering::Relaxed);
    }
}

/// All slots, made one after the other as they are wanted.
#[derive(Debug)]
pub(crate) struct Slots(Box<[OnceLock<Box<Slot>>]>);

impl Slots {
    pub(crate) fn new() -> Self {
        Self((0..STREAMS_MAX).map(|_| OnceLock::new()).collect())
    }

    /// The slot of a mark or of a handle that was handed out.
    #[inline]
    pub(crate) fn slot(&self, index: usize) -> &Slot {
        self.0[index].get().expect("a slot that was handed out exists")
    }

    /// The slot, made now if this is its first use.
    pub(crate) fn slot_or_make(&self, index: usize, queue_capacity: usize) -> &Slot {
        self.0[index].get_or_init(|| Box::new(Slot::new(index as u16, queue_capacity)))
    }

    /// Those that were made.
    pub(crate) fn made(&self) -> impl Iterator<Item = &Slot> {
        self.0.iter().filter_map(OnceLock::get).map(|slot| &**slot)
    }

    /// Streams whose drivers compute just now.
    pub(crate) fn working(&self) -> usize {
        // Slots are made in order, or nearly so: one that is just being made does not compute yet.
        let made = self.0.iter().map_while(OnceLock::get);
        // ORDER: Relaxed; as in `set_working`.
        made.filter(|slot| slot.working.load(Ordering::Relaxed)).count()
    }
}

/// Bits of a generation in a raw stream.
pub(crate) const GENERATIONS: u32 = (1 << 22) - 1;
/// Most streams at once.
pub(crate) const STREAMS_MAX: usize = 1 << 10;
