//! The exit hook of the process: closes the gate of every live device and gives threads that are inside a call a moment to come out.
//!
//! When the process ends by `exit` (main returned, or somebody called it), other threads go on running while the exit handlers run, and a backend's library may take itself down in one of them. The
//! hook is registered at the first open of a device, after its backend was made, so it runs before the handlers of that backend's library. It refuses new work and waits a bounded time; it gives nothing back: the
//! system does that.
//!
//! **Invariants**
//! * `bounded`: the hook returns within [`LIMIT`] and what one look at a lock costs, whatever the threads do.
//! * `no-global-device`: the table holds weak handles; it keeps no device alive.
//! * `child-leaves-alone`: in a forked child the parent's devices are not touched.
//! * `runs-once`: however often it is registered, it runs once in a process. Nobody waits for who registers it, who may be missing in a forked child.
//!
//! **Locks** `DeviceState`, `StreamSlots` and `StreamSubmit`, one after the other, the second only tried. A place of the table is taken by its owner word: nobody waits for it.
//!
//! **Checked by** specs/exit_hook, the probes `exit-from-main` and `exit-by-call` of the shutdown attempt.
#![expect(unsafe_code, reason = "registers a handler with the C library")]

use std::mem::ManuallyDrop;
use std::panic::catch_unwind;
use std::time::{Duration, Instant};

use millstream_sync::atomic::{AtomicBool, AtomicU32, Ordering};
use millstream_sync::gate::State;
use millstream_sync::lock::levels::Nothing;
use millstream_sync::lock::{Held, try_enter};
use millstream_sync::seeded::{self, Bug};
use millstream_sync::{Arc, OnceLock, OwnedCell, Weak};

use crate::device::Shared;
use crate::fork;

/// Longest wait for threads that are inside a call, all devices together.
const LIMIT: Duration = Duration::from_millis(200);

/// Time between two looks.
const GLANCE: Duration = Duration::from_micros(100);

/// Devices that can be live at once and still be closed by the hook. Those beyond end without it, as all did before there was one.
const PLACES: usize = 256;

static DEVICES: [OwnedCell<Weak<Shared>>; PLACES] = [const { OwnedCell::new(Weak::new()) }; PLACES];
static REGISTERED: AtomicBool = AtomicBool::new(false);
/// The process in which the hook ran: the count of forks that led there, and one.
static RAN_IN: AtomicU32 = AtomicU32::new(0);
static AFTER: OnceLock<After> = OnceLock::new();

type After = Box<dyn Fn(ExitReport) + Send + Sync>;

/// What the exit hook did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExitReport {
    /// Devices that it closed.
    pub devices: usize,
    /// Threads that were still inside a call at its last look: zero, unless it waited as long as it may.
    pub inside: u32,
    /// How long it took.
    pub waited: Duration,
}

extern "C" fn at_exit() {
    let here = fork::generation() + 1;
    if RAN_IN.swap(here, Ordering::Relaxed) == here {
        return;
    }
    // A panic must not leave a handler of the C library.
    let _ = catch_unwind(|| {
        let report = close_all();
        if let Some(after) = AFTER.get() {
            after(report);
        }
    });
}

/// Has `after` called at the end of the hook. The first call of the process counts.
pub(crate) fn after_hook(after: After) {
    let _ = AFTER.set(after);
}

/// Notes a new device; the first one of the process registers the hook, or a few at once do.
pub(crate) fn watch(shared: &Arc<Shared>) {
    // ORDER: Acquire so that who finds it registered has a hook that comes after its opening; pairs with the store.
    if !REGISTERED.load(Ordering::Acquire) {
        // SAFETY: atexit asks for a function that may be called at the end of the process; true because `at_exit` uses statics only and does not unwind.
        let failed = unsafe { libc::atexit(at_exit) };
        debug_assert_eq!(failed, 0, "atexit can only fail for want of memory");
        // ORDER: Release so that the hook is registered for who reads it; pairs with the load.
        REGISTERED.store(true, Ordering::Release);
    }
    for place in &DEVICES {
        let put = place.try_with(|device| {
            let free = device.strong_count() == 0;
            if free {
                *device = Arc::downgrade(shared);
            }
            free
        });
        if put == Some(true) {
            return;
        }
    }
}

/// Closes the gates of all live devices of this process first, then waits for who is inside.
fn close_all() -> ExitReport {
    let begun = Instant::now();
    let deadline = if seeded::is(Bug::ExitUnwaited) { begun } else { begun + LIMIT };
    // A place that is in use just now belongs to a device that is being opened.
    let live: Vec<Arc<Shared>> =
        DEVICES.iter().filter_map(|place| place.try_with(|device| device.upgrade())?).collect();
    let live: Vec<Arc<Shared>> = live.into_iter().filter(|device| device.check_process().is_ok()).collect();
    for device in live.iter().filter(|_| !seeded::is(Bug::ExitGateOpen)) {
        device.gate.advance(State::Closed);
    }
    let inside = live.iter().map(|device| device.await_outside(deadline)).sum();
    let report = ExitReport { devices: live.len(), inside, waited: begun.elapsed() };
    // A handle that became the last one meanwhile would end its device here, with the process half gone.
    let _kept = ManuallyDrop::new(live);
    report
}

impl Shared {
    /// Waits until `deadline` for who saw the device live: waiters for a stream are told, submissions, passes and operations come to their end.
    /// Returns how many are still inside.
    fn await_outside(&self, deadline: Instant) -> u32 {
        // Where the exit was called from inside one of our own calls no lock can be taken: the gate alone is waited for.
        let _ = try_enter(|held| {
            self.streams.permits().wake_all(held);
            for slot in self.streams.created() {
                while held.try_lock(&self.streams.slot(slot).submit).is_none() && Instant::now() < deadline {
                    std::thread::sleep(GLANCE);
                }
            }
        });
        let left = if seeded::is(Bug::ExitGateOpen) { 0 } else { self.gate.close(Some(deadline)) };
        let look = || try_enter(|held| self.inside_operations(held)).unwrap_or(0);
        let mut inside = look();
        while inside > 0 && Instant::now() < deadline {
            std::thread::sleep(GLANCE);
            inside = look();
        }
        left.max(inside)
    }

    /// Threads that are inside an operation on their stream.
    fn inside_operations(&self, held: &mut Held<'_, Nothing>) -> u32 {
        let state = held.lock(&self.state);
        state.caches.iter().filter(|cache| cache.lease().is_busy()).count() as u32
    }
}
