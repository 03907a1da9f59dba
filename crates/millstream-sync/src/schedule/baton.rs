//! The baton itself: handing it over between real threads, starting and ending a run.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::outcome::Outcome;
use super::state::State;
use super::{ON, Point, Settings};

/// Payload with which a waiting thread is unwound when its run was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released;

/// How long threads get to unwind after a verdict before they are left behind.
const GRACE: Duration = Duration::from_secs(2);

/// Real time that a long wait leaves to threads outside the run.
const MOMENT: Duration = Duration::from_micros(20);

static STATE: Mutex<Option<State>> = Mutex::new(None);
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
static LAST_ID: Mutex<u64> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

thread_local! {
    /// Run and number + 1 of this thread; no destructor, so it lasts to the very end of the thread.
    static SEAT: Cell<(u64, usize)> = const { Cell::new((0, 0)) };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn seat() -> Option<(u64, usize)> {
    let (run, number) = SEAT.try_with(Cell::get).unwrap_or((0, 0));
    number.checked_sub(1).map(|thread| (run, thread))
}

/// The state of the run that this thread belongs to, if it is still going on.
fn with_state<R>(f: impl FnOnce(&mut State, usize) -> R) -> Option<R> {
    let (run, me) = seat()?;
    let mut guard = lock(&STATE);
    let state = guard.as_mut().filter(|s| s.id == run && !s.released)?;
    Some(f(state, me))
}

pub(super) fn me() -> Option<usize> {
    with_state(|_, me| me)
}

pub(super) fn log(text: &str) {
    with_state(|state, me| state.log(me, text));
}

pub(super) fn now() -> Option<Duration> {
    with_state(|state, _| state.now())
}

/// The thread is at a point. True if it took part and holds the baton again.
pub(super) fn visit(point: Point, waits: bool, at: &'static Location<'static>) -> bool {
    let Some((run, me)) = seat() else { return false };
    let mut guard = lock(&STATE);
    let Some(state) = guard.as_mut().filter(|s| s.id == run) else { return false };
    if !state.released {
        state.visit(me, point, waits, at);
        pass_on(state, me);
        guard = until_mine(guard, run, me);
    }
    let Some(state) = guard.as_mut().filter(|s| s.id == run) else { return false };
    if !state.released {
        let tired = waits && state.is_tired(me);
        drop(guard);
        if tired {
            // A thread that takes no part (a device's worker) may hold what is waited for: leave it a moment.
            thread::sleep(MOMENT);
        }
        return true;
    }
    let unwind = waits && state.may_unwind(me) && !thread::panicking();
    drop(guard);
    if unwind {
        resume_unwind(Box::new(Released));
    }
    false
}

fn pass_on(state: &State, me: usize) {
    if state.holder != me && !state.released {
        state.bell(state.holder).notify_all();
    }
}

fn until_mine<'a>(mut guard: MutexGuard<'a, Option<State>>, run: u64, me: usize) -> MutexGuard<'a, Option<State>> {
    loop {
        let Some(state) = guard.as_ref().filter(|s| s.id == run) else { return guard };
        if state.holder == me || state.released {
            return guard;
        }
        let bell = state.bell(me);
        guard = bell.wait(guard).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Runs `bodies` as threads under one baton, uniform policy. See [`run_with`].
pub fn run(seed: u64, bodies: Vec<Box<dyn FnOnce() + Send>>) -> Outcome {
    run_with(&Settings::new(seed), bodies)
}

/// Runs each of `bodies` on a thread of its own, one at a time, and returns when all have ended with their destructors, or when the
/// run was given up. One run at a time in a process: a second waits for the first. Panics when called from a scheduled thread.
pub fn run_with(settings: &Settings, bodies: Vec<Box<dyn FnOnce() + Send>>) -> Outcome {
    assert!(!super::scheduled(), "a scheduled run inside a scheduled run");
    let _only = lock(&ONE_AT_A_TIME);
    let run = {
        let mut last = lock(&LAST_ID);
        *last += 1;
        *last
    };
    *lock(&STATE) = Some(State::new(run, settings, bodies.len()));
    // ORDER: Relaxed; the threads of the run are spawned after it and see it.
    ON.store(true, Ordering::Relaxed);
    for (me, body) in bodies.into_iter().enumerate() {
        // Joining waits for the destructors, so a second thread does it and then passes the baton on.
        let joiner = move || {
            let _ = spawn(format!("scheduled-{me}"), move || in_turn(run, me, body)).map(thread::JoinHandle::join);
            end(run, me);
        };
        if spawn(format!("joiner-{me}"), joiner).is_none() {
            end(run, me);
        }
    }
    let outcome = wait_for_all(settings.watchdog);
    // ORDER: Relaxed; threads left behind find no run of theirs.
    ON.store(false, Ordering::Relaxed);
    outcome
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> Option<thread::JoinHandle<()>> {
    thread::Builder::new().name(name).spawn(body).ok()
}

fn in_turn(run: u64, me: usize, body: Box<dyn FnOnce() + Send>) {
    SEAT.set((run, me + 1));
    drop(until_mine(lock(&STATE), run, me));
    let result = catch_unwind(AssertUnwindSafe(body));
    let mut guard = lock(&STATE);
    if let Some(state) = guard.as_mut().filter(|s| s.id == run) {
        state.exiting(me, result.err().and_then(message));
    }
}

fn message(payload: Box<dyn Any + Send>) -> Option<String> {
    if payload.is::<Released>() {
        return None;
    }
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_string());
    Some(text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "not a text".to_string()))
}

fn end(run: u64, me: usize) {
    let mut guard = lock(&STATE);
    if let Some(state) = guard.as_mut().filter(|s| s.id == run) {
        state.ended(me);
        pass_on(state, me);
    }
    ENDED.notify_all();
}

/// Waits for the end of all threads, and gives the run up when nothing has moved for the time of the watchdog.
fn wait_for_all(watchdog: Duration) -> Outcome {
    let mut guard = lock(&STATE);
    let (mut steps, mut since) = (0, Instant::now());
    loop {
        let Some(state) = guard.as_mut() else { return Outcome::default() };
        if state.outcome.steps != steps {
            (steps, since) = (state.outcome.steps, Instant::now());
        }
        let limit = if state.released { GRACE } else { watchdog };
        let late = since.elapsed() >= limit;
        if late && !state.released {
            state.give_up("no point reached in time");
            since = Instant::now();
        } else if late || state.all_ended() {
            break;
        }
        let step = limit.min(Duration::from_millis(100));
        guard = ENDED.wait_timeout(guard, step).unwrap_or_else(PoisonError::into_inner).0;
    }
    guard.take().map(State::into_outcome).unwrap_or_default()
}
