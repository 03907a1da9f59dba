//! The nesting recorder: which lock was taken inside which, where, and how often.
//!
//! Always compiled in. Off, taking a lock pays one relaxed load. On (during a round), every taking goes into a fixed table of atomic words:
//! no lock, no allocation. What must not happen is kept as a row and becomes a finding; nothing panics here.
//!
//! **Invariants**
//! * `rows-only-grow`: a row's key never changes once it is ready; counts only grow until [`clear`].
#![expect(unsafe_code, reason = "rows keep addresses of statics")]

use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::levels::{LevelInfo, NESTINGS};
use super::token::{DEPTH_MAX, ROOT};

const ROWS: usize = 2048;
const EMPTY: u32 = 0;
const FILLING: u32 = 1;
const READY: u32 = 2;

struct Row {
    state: AtomicU32,
    /// held level, held location, taken level, taken location
    key: [AtomicUsize; 4],
    count: AtomicU64,
}

static ON: AtomicBool = AtomicBool::new(false);
static LOST: AtomicU64 = AtomicU64::new(0);
static REENTERED: AtomicU64 = AtomicU64::new(0);
static TABLE: [Row; ROWS] =
    [const { Row { state: AtomicU32::new(EMPTY), key: [const { AtomicUsize::new(0) }; 4], count: AtomicU64::new(0) } };
        ROWS];

/// Places where a thread leaves our own code: not locks, but rows of the same table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// The host may block.
    HostWait,
    /// A call into the driver that may block or take long.
    DriverCall,
    /// A non-blocking enqueue: allowed under `StreamSubmit`, and there alone.
    Enqueue,
    /// Code of the user's.
    Callback,
}

impl Boundary {
    fn info(self) -> &'static LevelInfo {
        match self {
            Self::HostWait => &LevelInfo { name: "host wait", reentrant: false },
            Self::DriverCall => &LevelInfo { name: "driver call", reentrant: false },
            Self::Enqueue => &LevelInfo { name: "enqueue", reentrant: false },
            Self::Callback => &LevelInfo { name: "callback", reentrant: false },
        }
    }
}

/// A row as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nesting {
    /// Level that was held and where it was taken; `None`: nothing was held.
    pub held: Option<(&'static str, &'static Location<'static>)>,
    /// Level (or boundary) that was entered inside it.
    pub taken: &'static str,
    /// Where.
    pub at: &'static Location<'static>,
    /// How often.
    pub count: u64,
    /// Whether the table allows it.
    pub allowed: bool,
}

/// Switches the recorder on or off and returns what it was.
pub fn switch(on: bool) -> bool {
    ON.swap(on, Ordering::Relaxed)
}

/// Whether the recorder is on.
#[inline]
#[must_use]
pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Sets all counts to zero. Rows stay; those with count zero are not reported.
pub fn clear() {
    for row in &TABLE {
        row.count.store(0, Ordering::Relaxed);
    }
    LOST.store(0, Ordering::Relaxed);
    REENTERED.store(0, Ordering::Relaxed);
}

/// Rows that found no place in the table since [`clear`]: when not zero, a report is incomplete.
#[must_use]
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// How often an owner entered its lock again since [`clear`].
#[must_use]
pub fn reentered() -> u64 {
    REENTERED.load(Ordering::Relaxed)
}

/// Notes that this thread crosses `boundary` here.
#[track_caller]
#[inline]
pub fn boundary(boundary: Boundary) {
    if is_on() {
        note(boundary.info(), Location::caller());
    }
}

/// A recorded taking, forgotten on drop.
#[derive(Debug)]
pub(super) struct Mark {
    entry: Option<(usize, usize)>,
}

/// Records that a lock of `level` was taken by the caller.
#[track_caller]
#[inline]
pub(super) fn taken(level: &'static LevelInfo) -> Mark {
    if !is_on() {
        return Mark { entry: None };
    }
    let at = Location::caller();
    note(level, at);
    let entry = (std::ptr::from_ref(level) as usize, std::ptr::from_ref(at) as usize);
    push(entry);
    Mark { entry: Some(entry) }
}

/// Records that the owner of `_mark` entered again.
pub(super) fn again(_mark: &Mark) {
    if is_on() {
        REENTERED.fetch_add(1, Ordering::Relaxed);
    }
}

impl Mark {
    /// The lock is released for a wait. What comes back is not on the thread's stack until [`Suspended::resumed`].
    pub(super) fn suspended(mut self) -> Suspended {
        let entry = self.entry.take();
        pop(entry);
        Suspended { entry }
    }
}

/// A mark whose lock is released for a wait.
pub(super) struct Suspended {
    entry: Option<(usize, usize)>,
}

impl Suspended {
    /// The lock was taken again after the wait.
    pub(super) fn resumed(self) -> Mark {
        if let Some(entry) = self.entry {
            push(entry);
        }
        Mark { entry: self.entry }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        pop(self.entry);
    }
}

fn push(entry: (usize, usize)) {
    let _ = ROOT.try_with(|root| {
        let depth = root.depth.get();
        if depth < DEPTH_MAX {
            root.stack[depth].set(entry);
        }
        root.depth.set(depth + 1);
    });
}

fn pop(entry: Option<(usize, usize)>) {
    if entry.is_some() {
        let _ = ROOT.try_with(|root| root.depth.set(root.depth.get().saturating_sub(1)));
    }
}

fn note(level: &'static LevelInfo, at: &'static Location<'static>) {
    let held = ROOT
        .try_with(|root| match root.depth.get() {
            0 => (0, 0),
            depth => root.stack[depth.min(DEPTH_MAX) - 1].get(),
        })
        .unwrap_or((0, 0));
    count([held.0, held.1, std::ptr::from_ref(level) as usize, std::ptr::from_ref(at) as usize]);
}

fn count(key: [usize; 4]) {
    let hash = key.iter().fold(0usize, |h, k| (h ^ k).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23));
    for step in 0..ROWS {
        let row = &TABLE[(hash.wrapping_add(step)) % ROWS];
        loop {
            // ORDER: Acquire so that the key words are visible; pairs with the Release store below.
            match row.state.load(Ordering::Acquire) {
                READY => break,
                EMPTY => {
                    // ORDER: Relaxed: winning only gives the right to write the key; Release below publishes it.
                    if row.state.compare_exchange(EMPTY, FILLING, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                        for (word, value) in row.key.iter().zip(key) {
                            word.store(value, Ordering::Relaxed);
                        }
                        // ORDER: Release so that the key words are visible; pairs with the Acquire load above and in `rows`.
                        row.state.store(READY, Ordering::Release);
                    }
                }
                _ => std::hint::spin_loop(),
            }
        }
        if row.key.iter().zip(key).all(|(word, value)| word.load(Ordering::Relaxed) == value) {
            row.count.fetch_add(1, Ordering::Relaxed);
            return;
        }
    }
    LOST.fetch_add(1, Ordering::Relaxed);
}

/// All rows with a count, in no order. Rows of one place that the compiler gave several addresses stay apart; the reader adds them up.
#[must_use]
pub fn rows() -> Vec<Nesting> {
    let mut rows = Vec::new();
    for row in &TABLE {
        // ORDER: Acquire so that the key words are visible; pairs with the Release store in `count`.
        if row.state.load(Ordering::Acquire) != READY {
            continue;
        }
        let count = row.count.load(Ordering::Relaxed);
        if count == 0 {
            continue;
        }
        let key: [usize; 4] = std::array::from_fn(|i| row.key[i].load(Ordering::Relaxed));
        let held = (key[0] != 0).then(|| (level_at(key[0]), location_at(key[1])));
        let taken = level_at(key[2]);
        let allowed = held.is_none_or(|(held, _)| allows(held.name, taken.name));
        rows.push(Nesting {
            held: held.map(|(l, at)| (l.name, at)),
            taken: taken.name,
            at: location_at(key[3]),
            count,
            allowed,
        });
    }
    rows
}

fn allows(held: &str, taken: &str) -> bool {
    NESTINGS.contains(&(held, taken)) || (held == "StreamSubmit" && taken == "enqueue")
}

fn level_at(address: usize) -> &'static LevelInfo {
    // SAFETY: the address was taken from a `&'static LevelInfo` in `note` or `taken`, and published with Release.
    unsafe { &*(address as *const LevelInfo) }
}

fn location_at(address: usize) -> &'static Location<'static> {
    // SAFETY: the address was taken from a `&'static Location<'static>` in `note` or `taken`, and published with Release.
    unsafe { &*(address as *const Location<'static>) }
}
