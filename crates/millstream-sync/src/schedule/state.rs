//! The state of a scheduled run: who can run, who waits, what was seen. Plain data behind the baton's mutex.

use std::panic::Location;
use std::sync::{Arc, Condvar};
use std::time::Duration;

use super::outcome::{Deadlock, Digest, Hang, Outcome, Place, TraceLine, What};
use super::policy::Chooser;
use super::{Point, Settings};

/// Points without a wait between them after which a thread counts as moving.
const MOVING_AFTER: u32 = 16;
/// Waits in a row after which a thread lets others go first.
const TIRED_AFTER: u32 = 32;
/// Time of one point.
const POINT_NS: u64 = 1_000;
/// Time of a round in which nobody can do anything but wait.
const IDLE_NS: u64 = 1_000_000;

/// A thread of the run.
#[derive(Debug)]
struct Seat {
    bell: Arc<Condvar>,
    last: Option<(Point, &'static Location<'static>)>,
    /// Waiting since so many moves; able again once there are more.
    waiting_since: Option<u64>,
    /// Waits in a row with nothing moving.
    stalls: u32,
    /// Points since the last wait.
    free_points: u32,
    /// The body has returned; destructors may still run.
    exiting: bool,
    ended: bool,
}

/// The run.
#[derive(Debug)]
pub(super) struct State {
    pub(super) id: u64,
    pub(super) holder: usize,
    /// No baton any more: a verdict was reached, everybody runs freely.
    pub(super) released: bool,
    pub(super) outcome: Outcome,
    seats: Vec<Seat>,
    chooser: Chooser,
    digest: Digest,
    moves: u64,
    clock_ns: u64,
    stall_limit: u32,
    steps_max: u64,
    trace_lines_max: usize,
}

impl State {
    pub(super) fn new(id: u64, settings: &Settings, threads: usize) -> Self {
        let seat = || Seat {
            bell: Arc::default(),
            last: None,
            waiting_since: None,
            stalls: 0,
            free_points: 0,
            exiting: false,
            ended: false,
        };
        let mut chooser = Chooser::new(settings.policy, settings.seed, threads);
        let all: Vec<usize> = (0..threads).collect();
        let holder = if threads == 0 { 0 } else { chooser.pick(&all, 0, 0) };
        Self {
            id,
            holder,
            released: false,
            outcome: Outcome { seed: settings.seed, ..Outcome::default() },
            seats: all.iter().map(|_| seat()).collect(),
            chooser,
            digest: Digest::START,
            moves: 0,
            clock_ns: 0,
            stall_limit: settings.stall_limit.max(1),
            steps_max: settings.steps_max,
            trace_lines_max: settings.trace_lines_max,
        }
    }

    pub(super) fn bell(&self, thread: usize) -> Arc<Condvar> {
        Arc::clone(&self.seats[thread].bell)
    }

    /// Whether `thread` has waited so long that only somebody outside the run can help.
    pub(super) fn is_tired(&self, thread: usize) -> bool {
        self.seats[thread].stalls > TIRED_AFTER
    }

    pub(super) fn may_unwind(&self, thread: usize) -> bool {
        !self.seats[thread].exiting
    }

    pub(super) fn now(&self) -> Duration {
        Duration::from_nanos(self.clock_ns)
    }

    pub(super) fn all_ended(&self) -> bool {
        self.seats.iter().all(|s| s.ended)
    }

    /// `me` has reached a point, perhaps to wait there; decides who is next.
    pub(super) fn visit(&mut self, me: usize, point: Point, waits: bool, at: &'static Location<'static>) {
        let step = self.outcome.steps;
        self.outcome.steps += 1;
        self.clock_ns += POINT_NS;
        self.digest.add(&[me as u8, point as u8, u8::from(waits)]);
        let moves = self.moves;
        let seat = &mut self.seats[me];
        seat.last = Some((point, at));
        if waits {
            seat.waiting_since = Some(moves);
            seat.stalls += 1;
            seat.free_points = 0;
            if seat.stalls.is_multiple_of(TIRED_AFTER) {
                self.chooser.tire(me);
            }
        } else {
            seat.waiting_since = None;
            seat.free_points += 1;
            self.moves += 1;
            if seat.free_points > MOVING_AFTER {
                self.progress();
            }
        }
        if self.seats.iter().all(|s| s.ended || s.stalls >= self.stall_limit) {
            return self.deadlocked();
        }
        if self.outcome.steps >= self.steps_max {
            return self.give_up("the run has no end");
        }
        let next = self.pick(me, step);
        if next != me {
            self.outcome.switches += 1;
            self.line(me, What::Switch { point, to: next });
        }
        self.holder = next;
    }

    /// Something moved: nobody is stuck.
    fn progress(&mut self) {
        self.moves += 1;
        for seat in &mut self.seats {
            seat.stalls = 0;
        }
    }

    fn pick(&mut self, me: usize, step: u64) -> usize {
        let moves = self.moves;
        let able = |s: &Seat| !s.ended && s.waiting_since.is_none_or(|since| moves > since);
        let mut all: Vec<usize> = (0..self.seats.len()).filter(|t| able(&self.seats[*t])).collect();
        if all.is_empty() {
            self.clock_ns += IDLE_NS;
            // Everybody looks again in turn: the device below may move when it is asked.
            all = (0..self.seats.len()).filter(|t| !self.seats[*t].ended).collect();
            let least = all.iter().map(|t| self.seats[*t].stalls).min().unwrap_or(0);
            all.retain(|t| self.seats[*t].stalls == least);
        }
        self.chooser.pick(&all, me, step)
    }

    pub(super) fn log(&mut self, me: usize, text: &str) {
        self.line(me, What::Log(text.into()));
        self.progress();
    }

    pub(super) fn exiting(&mut self, me: usize, panic: Option<String>) {
        self.seats[me].exiting = true;
        self.outcome.panics.extend(panic.map(|message| (me, message)));
    }

    /// `me` has ended with the baton in its hand.
    pub(super) fn ended(&mut self, me: usize) {
        self.seats[me].ended = true;
        self.seats[me].waiting_since = None;
        if self.released {
            return;
        }
        self.progress();
        let next = (!self.all_ended()).then(|| self.pick(me, self.outcome.steps));
        self.line(me, What::Ended { to: next });
        self.holder = next.unwrap_or(self.holder);
    }

    pub(super) fn give_up(&mut self, reason: &'static str) {
        let holder = Place::new(self.holder, self.seats[self.holder].last);
        self.outcome.hang = Some(Hang { holder, reason });
        self.release();
    }

    fn deadlocked(&mut self) {
        let waiting = |(thread, seat): (usize, &Seat)| (!seat.ended).then(|| Place::new(thread, seat.last));
        let waiting = self.seats.iter().enumerate().filter_map(waiting).collect();
        self.outcome.deadlock = Some(Deadlock { waiting });
        self.release();
    }

    fn release(&mut self) {
        self.released = true;
        for seat in &self.seats {
            seat.bell.notify_all();
        }
    }

    fn line(&mut self, thread: usize, what: What) {
        let line = TraceLine { step: self.outcome.steps, thread, what };
        self.digest.add(line.to_string().as_bytes());
        if self.outcome.trace.len() < self.trace_lines_max {
            self.outcome.trace.push(line);
        }
    }

    pub(super) fn into_outcome(self) -> Outcome {
        let mut outcome = self.outcome;
        outcome.digest = self.digest.0;
        outcome.panics.sort();
        outcome
    }
}
