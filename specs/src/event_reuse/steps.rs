//! The steps of `cover`, of `poll`, and of the owner of an event with timing.

use super::{At, Bug, Config, Mark, Native, State};

impl State {
    /// Who refers to an event: the pool, the queues, the owner, hands.
    pub(super) fn references(&self, event: usize) -> usize {
        let hands = self.at.iter().map(|at| match at {
            At::Covering(_, e) | At::Ordering(e) | At::Waiting(e, _) | At::Asking(e, _) | At::Popping(e, _) => {
                usize::from(*e == event)
            }
            At::OwnerAsks(e) | At::OwnerReturns(e) | At::OwnerRecords(e) | At::OwnerRests(e) | At::Watching(e) => {
                usize::from(*e == event)
            }
            At::Resting(e, done, _) => usize::from(*e == event) + done.iter().filter(|e| **e == event).count(),
            At::Away | At::Taking(_) => 0,
        });
        let queues = self.recorded.iter().flatten().filter(|(_, e)| *e == event).count();
        let resting = self.resting.iter().filter(|e| **e == event).count();
        hands.sum::<usize>() + queues + resting + usize::from(self.cell == Some(event))
    }

    pub(super) fn is_reached(&self, event: usize) -> bool {
        self.events[event].mark.is_none_or(|mark| self.reached[mark.stream] >= mark.seq)
    }

    /// There is one event, a position is known by it, and it stands for another one.
    pub(super) fn used_again(&self) -> bool {
        let stands = self.recorded.iter().zip(&self.done).any(|(queue, done)| queue.iter().any(|(seq, _)| seq > done));
        self.events.len() == 1 && self.done.iter().any(|done| *done > 0) && stands
    }

    /// Gives the event a new mark; `hands` are those of the taker.
    fn mark(&mut self, event: usize, mark: Mark, hands: usize) {
        self.early |= !self.is_reached(event);
        self.moved |= self.references(event) > hands;
        self.events[event].mark = Some(mark);
    }

    fn know(&mut self, mark: Mark) {
        self.done[mark.stream] = self.done[mark.stream].max(mark.seq);
    }

    fn make(&mut self, timing: bool) -> usize {
        self.events.push(Native { timing, mark: None });
        self.events.len() - 1
    }
}

impl Config {
    /// One that nobody refers to, out of the rest. Under the pool's lock.
    fn take(&self, s: &mut State, timing: bool) -> Option<usize> {
        let good = |s: &State, e: usize| {
            s.events[e].timing == timing
                && (s.references(e) == 1 || self.has(Bug::CountIgnored) || self.has(Bug::RestedWhenRecorded))
        };
        let at = (0..s.resting.len()).find(|at| good(s, s.resting[*at]))?;
        Some(s.resting.remove(at))
    }

    /// Refers to the front of the queue, if it is not known to be reached. Under the submission lock.
    pub(super) fn begin_poll(&self, s: &mut State, t: usize, stream: usize) {
        if let Some((seq, event)) = s.recorded[stream].first().copied() {
            let mark = Mark { stream, seq };
            s.at[t] = if self.known(s, stream) < seq { At::Asking(event, mark) } else { At::Popping(event, mark) };
        }
    }

    /// The owner takes an event for its record; the other refers to the one that it has.
    pub(super) fn begin_timed(&self, s: &mut State, t: usize) {
        if t == self.watcher() {
            if let Some(event) = s.cell {
                s.at[t] = At::Watching(event);
            }
            return;
        }
        s.at[t] = match self.take(s, true) {
            Some(event) if self.has(Bug::TimingUnasked) => At::OwnerRecords(event),
            Some(event) => At::OwnerAsks(event),
            None => At::OwnerRecords(s.make(true)),
        };
    }

    pub(super) fn go(&self, s: &mut State, t: usize) {
        s.at[t] = match s.at[t].clone() {
            At::Away => At::Away,
            At::Taking(mark) => {
                let event = self.take(s, false);
                At::Covering(mark, event.unwrap_or_else(|| s.make(false)))
            }
            At::Covering(mark, fresh) => self.cover(s, mark, fresh),
            At::Resting(event, done, wanted) => {
                s.resting.extend(done);
                match wanted {
                    Some(mark) if mark.stream == t => At::Waiting(event, mark),
                    Some(_) => At::Ordering(event),
                    None => At::Away,
                }
            }
            At::Waiting(_, mark) => {
                s.know(mark);
                At::Away
            }
            At::Ordering(_) | At::Watching(_) => At::Away,
            At::Asking(event, mark) if s.is_reached(event) => {
                let newest = s.recorded[mark.stream].last().map_or(mark.seq, |(seq, _)| *seq);
                let seq = if self.has(Bug::NewestNoted) { newest } else { mark.seq };
                s.know(Mark { seq, ..mark });
                At::Popping(event, mark)
            }
            At::Asking(..) => At::Away,
            At::Popping(event, mark) => {
                let queue = &mut s.recorded[mark.stream];
                let done = queue.extract_if(.., |(seq, _)| *seq <= mark.seq).map(|(_, event)| event).collect();
                At::Resting(event, done, None)
            }
            At::OwnerAsks(event) if s.is_reached(event) => At::OwnerRecords(event),
            At::OwnerAsks(event) => At::OwnerReturns(event),
            At::OwnerReturns(event) => {
                s.resting.push(event);
                At::OwnerRecords(s.make(true))
            }
            At::OwnerRecords(event) => {
                s.mark(event, Mark { stream: 0, seq: s.tail[0] }, 1);
                s.cell.replace(event).map_or(At::Away, At::OwnerRests)
            }
            At::OwnerRests(event) => {
                s.resting.push(event);
                At::Away
            }
        };
    }

    /// Takes what is complete out of the queue, and finds an event that stands for the mark, or records the one that was taken. Under the
    /// submission lock.
    fn cover(&self, s: &mut State, mark: Mark, fresh: usize) -> At {
        let Mark { stream, seq } = mark;
        let complete = if self.has(Bug::RestedUnreached) { s.tail[stream] } else { self.known(s, stream) };
        let mut done: Vec<usize> =
            s.recorded[stream].extract_if(.., |(at, _)| *at <= complete).map(|(_, event)| event).collect();
        let found = s.recorded[stream].iter().find(|(at, _)| *at >= seq).copied();
        let Some((at, found)) = found else {
            let tail = s.tail[stream];
            s.mark(fresh, Mark { stream, seq: tail }, 1);
            s.recorded[stream].push((tail, fresh));
            if self.has(Bug::RestedWhenRecorded) {
                done.push(fresh);
            }
            return At::Resting(fresh, done, Some(Mark { stream, seq: tail }));
        };
        if self.has(Bug::UnusedDropped) {
            s.lost = true;
        } else {
            done.push(fresh);
        }
        let found = if self.has(Bug::UnmarkedAwaited) { fresh } else { found };
        At::Resting(found, done, Some(Mark { stream, seq: at }))
    }
}
