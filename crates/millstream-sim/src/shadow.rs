//! Shadow of one piece of memory: for each range of bytes the last write, the reads since, and what the bytes hold.
//!
//! The reads kept are those that no later read is ordered after, as in FastTrack (Flanagan and Freund, PLDI 2009): a write that is ordered
//! after the later read is ordered after the earlier one.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::clock::VectorClock;
use crate::finding::Access;

/// What bytes hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Nothing that was ever written.
    Nothing,
    /// The poison of a freed block.
    Poison,
    /// A value.
    Value,
}

/// An access with its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Touch {
    pub(crate) access: Access,
    pub(crate) stream: usize,
    pub(crate) tick: u64,
}

impl Touch {
    fn is_known_to(&self, clock: &VectorClock) -> bool {
        self.tick <= clock.at(self.stream)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    end: usize,
    holds: Holds,
    write: Option<Touch>,
    reads: Vec<Touch>,
}

/// A conflict or a read of no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    Unordered(Access, Range<usize>),
    NoValue(Holds, Range<usize>),
}

/// The shadow.
#[derive(Debug)]
pub(crate) struct Shadow(BTreeMap<usize, Span>);

impl Shadow {
    pub(crate) fn new(bytes: usize, holds: Holds) -> Self {
        Self(BTreeMap::from([(0, Span { end: bytes, holds, write: None, reads: Vec::new() })]))
    }

    /// Makes `at` the start of a span.
    fn split(&mut self, at: usize) {
        let Some((start, span)) = self.0.range_mut(..at).next_back() else { return };
        if *start < at && at < span.end {
            let upper = span.clone();
            span.end = at;
            self.0.insert(at, upper);
        }
    }

    /// A read that is over when it returns, so that no later write can meet it.
    pub(crate) fn look(&mut self, range: Range<usize>, clock: &VectorClock) -> Vec<Problem> {
        self.split(range.start);
        self.split(range.end);
        let mut problems = Vec::new();
        for (start, span) in self.0.range(range) {
            let here = *start..span.end;
            if let Some(write) = span.write.filter(|w| !w.is_known_to(clock)) {
                add(&mut problems, Problem::Unordered(write.access, here.clone()));
            }
            if span.holds != Holds::Value {
                add(&mut problems, Problem::NoValue(span.holds, here));
            }
        }
        problems
    }

    pub(crate) fn read(&mut self, range: Range<usize>, touch: Touch, clock: &VectorClock) -> Vec<Problem> {
        let problems = self.look(range.clone(), clock);
        for (_, span) in self.0.range_mut(range) {
            span.reads.retain(|r| !r.is_known_to(clock));
            span.reads.push(touch);
        }
        problems
    }

    pub(crate) fn write(
        &mut self,
        range: Range<usize>,
        touch: Touch,
        clock: &VectorClock,
        holds: Holds,
    ) -> Vec<Problem> {
        self.split(range.start);
        self.split(range.end);
        let mut problems = Vec::new();
        let mut inside = Vec::new();
        for (start, span) in self.0.range(range.clone()) {
            inside.push(*start);
            for other in span.write.iter().chain(&span.reads).filter(|t| !t.is_known_to(clock)) {
                add(&mut problems, Problem::Unordered(other.access, *start..span.end));
            }
        }
        for start in inside {
            self.0.remove(&start);
        }
        self.0.insert(range.start, Span { end: range.end, holds, write: Some(touch), reads: Vec::new() });
        problems
    }

    /// A stream whose access `clock` does not know of.
    pub(crate) fn unknown_to(&self, clock: &VectorClock) -> Option<u32> {
        let touches = self.0.values().flat_map(|s| s.write.iter().chain(&s.reads));
        touches.filter(|t| !t.is_known_to(clock)).map(|t| t.access.stream).next()
    }
}

/// Adds a problem, or makes the same problem of the bytes before longer.
fn add(problems: &mut Vec<Problem>, new: Problem) {
    for old in problems.iter_mut() {
        match (old, &new) {
            (Problem::Unordered(a, r), Problem::Unordered(b, s)) if a == b && r.end == s.start => {
                r.end = s.end;
                return;
            }
            (Problem::NoValue(a, r), Problem::NoValue(b, s)) if a == b && r.end == s.start => {
                r.end = s.end;
                return;
            }
            _ => {}
        }
    }
    problems.push(new);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(stream: usize, tick: u64, write: bool) -> Touch {
        Touch { access: Access { stream: stream as u32, seq: tick, kernel: "k", operand: 0, write }, stream, tick }
    }

    #[test]
    fn an_unordered_read_of_a_part_is_found_with_its_range() {
        let mut shadow = Shadow::new(100, Holds::Nothing);
        let (mut a, b) = (VectorClock::default(), VectorClock::default());
        a.tick(0);
        assert_eq!(shadow.write(10..50, touch(0, 1, true), &a, Holds::Value), []);
        let found = shadow.read(40..50, touch(1, 1, false), &b);
        assert_eq!(found, [Problem::Unordered(touch(0, 1, true).access, 40..50)]);
        assert_eq!(shadow.read(10..20, touch(1, 1, false), &a), []);
    }

    #[test]
    fn every_unordered_reader_is_found_not_only_the_last() {
        let mut shadow = Shadow::new(8, Holds::Value);
        let nothing = VectorClock::default();
        assert_eq!(shadow.read(0..8, touch(0, 1, false), &nothing), []);
        assert_eq!(shadow.read(0..8, touch(1, 1, false), &nothing), []);
        let mut knows_one = VectorClock::default();
        knows_one.set(1, 1);
        let found = shadow.write(0..8, touch(2, 1, true), &knows_one, Holds::Value);
        assert_eq!(found, [Problem::Unordered(touch(0, 1, false).access, 0..8)]);
    }

    #[test]
    fn bytes_without_a_value_are_found_across_spans() {
        let mut shadow = Shadow::new(30, Holds::Nothing);
        let clock = VectorClock::default();
        shadow.write(0..10, touch(0, 0, true), &clock, Holds::Value);
        shadow.write(20..30, touch(0, 0, true), &clock, Holds::Poison);
        let found = shadow.read(5..25, touch(0, 0, false), &clock);
        assert_eq!(found, [Problem::NoValue(Holds::Nothing, 10..20), Problem::NoValue(Holds::Poison, 20..25)]);
    }
}
