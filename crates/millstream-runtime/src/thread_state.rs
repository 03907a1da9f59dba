//! What a thread keeps of each device: its current stream, its lease, its block caches, its profiler ring.
//!
//! The one thread-local of the workspace that has a destructor. In the order of the first report: the field `lease` with the guards is `CURRENT_STREAM`, the field
//! `caches` is `BLOCK_CACHE`, [`Entry::leave`] is `BlockCache::flush` for all of them, and the destructor is `BlockCache::drop`.
//!
//! **Life** an entry is made at the thread's first use of a device; it ends at thread exit, at [`leave_device`], or when the device is closed and the thread comes by.
//!
//! **Invariants**
//! * `destructor-cannot-panic`: everything in it runs under `catch_unwind`; it takes no lock by force and never waits for the device.
//! * `try-only`: the state is reached by `try_with` and `try_borrow_mut`; who cannot have it gets an error, or in a drop the inbox.

use std::cell::RefCell;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use millstream_sync::Arc;
use millstream_sync::lease_word::{Begun, Closed};
use millstream_sync::lock::try_enter;
use millstream_sync::schedule::{self, Point};

use crate::device::Shared;
use crate::error::{Error, Result};
use crate::evidence::Step;
use crate::fork;
use crate::memory::{Pin, ThreadCache};
use crate::profile::{ThreadRing, Why};
use crate::stream::{Kept, Lease};

/// This file, for reports.
pub(crate) const FILE: &str = file!();

/// Where the fields and the destructor stand, for reports: the line of each is the one after its constant.
pub(crate) const PLACES: [(&str, u32); 4] = [
    ("CURRENT_STREAM", CURRENT_STREAM_AT),
    ("BLOCK_CACHE", BLOCK_CACHE_AT),
    ("PROFILER_RING", RING_AT),
    ("BlockCache::drop", DROP_AT),
];

const CURRENT_STREAM_AT: u32 = line!() + 8;
const BLOCK_CACHE_AT: u32 = line!() + 11;
const RING_AT: u32 = line!() + 11;

/// What a thread keeps of one device.
struct Entry {
    pin: Arc<Pin>,
    /// `CURRENT_STREAM`, together with `guards`.
    lease: Option<Lease>,
    /// Streams made current by scopes, innermost last.
    guards: Vec<u16>,
    /// `BLOCK_CACHE`: one for each stream that was current.
    caches: Vec<Arc<ThreadCache>>,
    ring: Arc<ThreadRing>,
    /// The current stream and its cache, worked out from the fields above.
    now: Option<Here>,
}

/// A thread's entries, one for each device that it uses.
struct ThreadState {
    entries: RefCell<Vec<Entry>>,
}

millstream_sync::thread_state! {
    /// Mechanism: `try_with` and `try_borrow_mut` only; the destructor flushes caches through the gate (alive check, count, second check), under `catch_unwind`
    static THREAD: ThreadState = ThreadState { entries: RefCell::new(Vec::new()) }
}

/// What an operation needs of its thread, counted without an atomic: an operation keeps it while user code may run inside, which may change the thread's state.
pub(crate) type Here = Rc<Current>;

/// The current stream of a thread, with its cache and ring. Every operation counts it up and down: on lines of its own.
#[repr(align(128))]
pub(crate) struct Current {
    pub(crate) pin: Arc<Pin>,
    pub(crate) slot: u16,
    pub(crate) cache: Arc<ThreadCache>,
    pub(crate) ring: Arc<ThreadRing>,
}

/// An operation of this thread on a device: as long as it lives the thread's lease is not revoked.
pub(crate) struct Operation {
    here: Here,
    outermost: bool,
}

impl Deref for Operation {
    type Target = Here;
    fn deref(&self) -> &Here {
        &self.here
    }
}

impl Drop for Operation {
    #[inline]
    fn drop(&mut self) {
        if !self.outermost {
            return;
        }
        let lease = self.here.cache.lease();
        if lease.is_busy() {
            lease.end();
        } else if lease.is_revoked() {
            self.here.pin.shared.evidence.hit(Step::RevokedInside);
        }
    }
}

/// Begins an operation on this thread's current stream; claims one at the first call, and again when it was revoked. Errors: as [`here`].
#[inline]
pub(crate) fn begin(shared: &Arc<Shared>) -> Result<Operation> {
    loop {
        let here = here(shared)?;
        match here.cache.lease().begin() {
            Begun::Outermost => return Ok(Operation { here, outermost: true }),
            Begun::Nested => return Ok(Operation { here, outermost: false }),
            Begun::Revoked => with_entry(shared, Entry::become_current)?,
        }
    }
}

/// Marks this thread as inside a call, if it has a current stream on the device. For waits.
pub(crate) fn begin_if_any(shared: &Shared) -> Option<Operation> {
    let here = THREAD
        .try_with(|state| {
            let entries = state.entries.try_borrow().ok()?;
            entries.iter().find(|e| std::ptr::eq(Arc::as_ptr(&e.pin.shared), shared))?.now.clone()
        })
        .ok()??;
    let begun = here.cache.lease().begin();
    // Not made when it is not needed: dropping one ends the operation.
    (begun == Begun::Outermost).then(|| Operation { here, outermost: true })
}

/// Runs `f` on this thread's entry for the device. Errors: `ThreadExiting`, `Reentered`.
#[inline]
fn with_entry<R>(shared: &Arc<Shared>, f: impl FnOnce(&mut Entry) -> Result<R>) -> Result<R> {
    THREAD
        .try_with(|state| {
            let mut entries = state.entries.try_borrow_mut().map_err(|_| Error::Reentered)?;
            let at = entries.iter().position(|e| Arc::ptr_eq(&e.pin.shared, shared));
            let at = match at {
                Some(at) => at,
                None => {
                    entries.push(Entry::new(shared)?);
                    entries.len() - 1
                }
            };
            f(&mut entries[at])
        })
        .unwrap_or(Err(Error::ThreadExiting))
}

/// This thread's current stream and cache; claims a stream at the first call. Errors: as `Shared::claim`, `ThreadExiting`, `Reentered`, `ForkedChild`.
#[inline]
pub(crate) fn here(shared: &Arc<Shared>) -> Result<Here> {
    shared.check()?;
    with_entry(shared, |entry| {
        if entry.now.is_none() {
            entry.become_current()?;
        }
        entry.now.clone().ok_or(Error::Closed)
    })
}

/// Runs `f` on this thread's cache for `stream` if that is its current stream. `None`: it is not, or the state cannot be had. For drops.
#[inline]
pub(crate) fn cache_if_current<R>(shared: &Arc<Shared>, stream: u16, f: impl FnOnce(&ThreadCache) -> R) -> Option<R> {
    THREAD
        .try_with(|state| {
            let entries = state.entries.try_borrow().ok()?;
            let entry = entries.iter().find(|e| Arc::ptr_eq(&e.pin.shared, shared))?;
            match &entry.now {
                Some(now) if now.slot == stream => Some(f(&now.cache)),
                _ => None,
            }
        })
        .ok()?
}

/// The clock of this thread's ring, where the thread has one.
pub(crate) fn now(shared: &Shared) -> Option<u64> {
    ring_of(shared, ThreadRing::now)
}

/// Records in this thread's ring that the host asked for `seq` of stream `slot`, and waited for it from `start` until now, if it did.
pub(crate) fn note_host_sync(shared: &Shared, why: Why, slot: u16, seq: u64, start: Option<u64>) {
    let _ = ring_of(shared, |ring| ring.host_sync(why, slot, seq, start));
}

fn ring_of<R>(shared: &Shared, f: impl FnOnce(&ThreadRing) -> R) -> Option<R> {
    THREAD
        .try_with(|state| {
            let entries = state.entries.try_borrow().ok()?;
            entries.iter().find(|e| std::ptr::eq(Arc::as_ptr(&e.pin.shared), shared)).map(|e| f(&e.ring))
        })
        .ok()?
}

/// Makes `slot` current until [`pop_guard`]. Returns the depth before, and what keeps the thread's own lease meanwhile.
pub(crate) fn push_guard(shared: &Arc<Shared>, slot: u16) -> Result<(usize, Option<Kept>)> {
    with_entry(shared, |entry| {
        let own = entry.keep_lease();
        entry.guards.push(slot);
        if let Err(error) = entry.become_current() {
            entry.guards.pop();
            return Err(error);
        }
        Ok((entry.guards.len() - 1, own))
    })
}

/// Ends the scope at `depth` and all inside it. Returns the cache to flush, when the thread has no other reason to keep it.
pub(crate) fn pop_guard(shared: &Arc<Shared>, slot: u16, depth: usize) -> Option<Arc<ThreadCache>> {
    with_entry(shared, |entry| {
        entry.guards.truncate(depth);
        entry.now = None;
        if entry.lease.is_some() || !entry.guards.is_empty() {
            entry.become_current()?;
        }
        let kept = entry.lease.as_ref().is_some_and(|l| l.slot == slot) || entry.guards.contains(&slot);
        Ok(entry.caches.iter().find(|c| c.slot() == slot).filter(|_| !kept).cloned())
    })
    .ok()
    .flatten()
}

/// The explicit hand-back: flushes this thread's caches and returns its lease on the device. What thread exit does, when the caller chooses. Does nothing when
/// the thread has nothing of the device or its state cannot be had.
pub(crate) fn leave_device(shared: &Arc<Shared>) {
    let entry = THREAD
        .try_with(|state| {
            let mut entries = state.entries.try_borrow_mut().ok()?;
            let at = entries.iter().position(|e| Arc::ptr_eq(&e.pin.shared, shared) && e.guards.is_empty())?;
            Some(entries.swap_remove(at))
        })
        .ok()
        .flatten();
    if let Some(entry) = entry {
        entry.leave();
    }
}

impl Entry {
    fn new(shared: &Arc<Shared>) -> Result<Self> {
        let ring = try_enter(|held| shared.profiler.register(held)).ok_or(Error::Reentered)?;
        let pin = Arc::new(Pin { shared: shared.clone() });
        Ok(Self { pin, lease: None, guards: Vec::new(), caches: Vec::new(), ring, now: None })
    }

    /// Lets go of what was revoked: the lease is somebody else's, its cache is empty.
    fn drop_revoked(&mut self) {
        while let Some(at) = self.caches.iter().position(|cache| cache.lease().is_revoked()) {
            let cache = self.caches.swap_remove(at);
            self.lease.take_if(|lease| lease.slot == cache.slot());
            self.now = None;
            self.pin.shared.retire(&cache);
        }
    }

    /// Keeps this thread's own lease, if it has one. A cache whose stream is both a lease's and a guard's has one word for both.
    fn keep_lease(&mut self) -> Option<Kept> {
        let slot = self.lease.as_ref()?.slot;
        let cache = self.caches.iter().find(|cache| cache.slot() == slot)?;
        let begun = cache.lease().begin();
        if begun == Begun::Revoked {
            self.drop_revoked();
            return None;
        }
        let kept = Kept::new(cache);
        if begun == Begun::Outermost {
            cache.lease().end();
        }
        Some(kept)
    }

    /// Works out the current stream: the innermost guard's, else the lease's, claimed now if there is none.
    fn become_current(&mut self) -> Result<()> {
        self.drop_revoked();
        let slot = match self.guards.last() {
            Some(slot) => *slot,
            None => match &self.lease {
                Some(lease) => lease.slot,
                None => {
                    let lease = self.pin.shared.claim()?;
                    let slot = lease.slot;
                    self.lease = Some(lease);
                    // It was a guard's until now.
                    if let Some(cache) = self.caches.iter().find(|cache| cache.slot() == slot) {
                        cache.lease().let_go();
                    }
                    slot
                }
            },
        };
        let cache = match self.caches.iter().find(|c| c.slot() == slot) {
            Some(cache) => cache.clone(),
            None => {
                let shared = &self.pin.shared;
                let leased = self.lease.as_ref().is_some_and(|lease| lease.slot == slot);
                let cache = Arc::new(ThreadCache::new(slot, shared.memory.cache_bytes_max, leased));
                try_enter(|held| held.lock(&shared.state).caches.push(cache.clone())).ok_or(Error::Reentered)?;
                self.caches.push(cache.clone());
                cache
            }
        };
        let (pin, ring) = (self.pin.clone(), self.ring.clone());
        self.now = Some(Rc::new(Current { pin, slot, cache, ring }));
        Ok(())
    }

    /// Flushes the caches, closes the ring, then gives the lease back: in that order, so that the stream is free only when its blocks are home.
    fn leave(mut self) {
        let shared = self.pin.shared.clone();
        if fork::generation() != shared.fork_generation {
            return;
        }
        schedule::point(Point::ThreadExit);
        self.now = None;
        // From here on nobody revokes it; if somebody has, the lease is not this thread's any more.
        for cache in &self.caches {
            if cache.close() == Closed::Revoked {
                self.lease.take_if(|lease| lease.slot == cache.slot());
            }
        }
        let evidence = &shared.evidence;
        let caught = |doing, step: &mut dyn FnMut()| {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(step)) {
                evidence.keep_panic(doing, &*panic);
            }
        };
        for cache in std::mem::take(&mut self.caches) {
            if catch_unwind(AssertUnwindSafe(|| shared.flush(&cache))).is_err() {
                evidence.hit(Step::FlushPanicked);
                // What the flush had not taken yet: once more, without the probe's panic.
                caught("flushing a cache", &mut || shared.flush(&cache));
            }
            caught("retiring a cache", &mut || shared.retire(&cache));
        }
        caught("closing a profiler's ring", &mut || self.ring.close());
        if let Some(lease) = self.lease.take() {
            let mut lease = Some(lease);
            caught("giving a lease back", &mut || lease.take().into_iter().for_each(|lease| shared.give_back(lease)));
        }
        caught("closing the device", &mut || shared.finish_if_last());
    }
}

const DROP_AT: u32 = line!() + 3;

impl Drop for ThreadState {
    fn drop(&mut self) {
        for entry in self.entries.get_mut().drain(..) {
            // `leave` catches what it calls; this catches the rest, since a panic here would end the process.
            let _ = catch_unwind(AssertUnwindSafe(|| entry.leave()));
        }
    }
}
