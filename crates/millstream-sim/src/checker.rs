//! The checker: judges every access and every end of life by vector clocks.
//!
//! The host is one more party with one clock for all its threads: what one thread has seen complete, every later enqueue of any thread
//! comes after. Two host threads that pass work to each other without synchronising are therefore not found here; loom and the
//! thread sanitizer look at that side.
//!
//! **Invariants**
//! * `luck-does-not-count`: a release or an early reuse is judged by what the caller knew, not by what had happened to run.

use std::collections::BTreeMap;
use std::ops::Range;

use millstream_sync::Arc;

use crate::clock::VectorClock;
use crate::engine::slot_of;
use crate::finding::{Access, Finding, Race};
use crate::shadow::{Holds, Problem, Shadow, Touch};

/// Findings kept; a broken program repeats itself.
const FINDINGS_MAX: usize = 1_000;

/// The checker of one device.
#[derive(Debug)]
pub(crate) struct Checker {
    on: bool,
    /// What the host has seen complete. Shared with the operations that were enqueued since it last grew.
    pub(crate) host: Arc<VectorClock>,
    shadows: BTreeMap<(bool, u64), Shadow>,
    pub(crate) findings: Vec<Finding>,
}

impl Checker {
    pub(crate) fn new(on: bool) -> Self {
        Self { on, host: Arc::default(), shadows: BTreeMap::new(), findings: Vec::new() }
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        if self.on && self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    /// The host has seen a mark.
    pub(crate) fn host_saw(&mut self, clock: &VectorClock) {
        if !clock.is_known_to(&self.host) {
            Arc::make_mut(&mut self.host).join(clock);
        }
    }

    /// New memory. The host writes staging unseen, so that always holds a value.
    pub(crate) fn memory(&mut self, staging: bool, base: u64, bytes: usize) {
        if self.on {
            let holds = if staging { Holds::Value } else { Holds::Nothing };
            self.shadows.insert((staging, base), Shadow::new(bytes, holds));
        }
    }

    /// Memory goes back. `queued` is a stream with queued work that names it.
    pub(crate) fn release(&mut self, staging: bool, base: u64, queued: Option<u32>) {
        let Some(shadow) = self.shadows.remove(&(staging, base)) else { return };
        if let Some(stream) = queued.or_else(|| shadow.unknown_to(&self.host)) {
            self.add(Finding::ReleaseUnfinished { base, stream });
        }
    }

    /// The host reads device memory by itself: it must have seen the writes complete.
    pub(crate) fn host_reads(&mut self, base: u64, range: Range<usize>, access: Access) {
        let Some(shadow) = self.shadows.get_mut(&(false, base)) else { return };
        let problems = shadow.look(range, &self.host);
        self.report(problems, access, base);
    }

    /// One access of a running operation. `range` counts from the base of the memory.
    pub(crate) fn access(
        &mut self,
        (staging, base): (bool, u64),
        range: Range<usize>,
        access: Access,
        clock: &VectorClock,
        holds: Holds,
    ) {
        let Some(shadow) = self.shadows.get_mut(&(staging, base)) else { return };
        let stream = slot_of(access.stream);
        let touch = Touch { access, stream, tick: clock.at(stream) };
        let problems =
            if access.write { shadow.write(range, touch, clock, holds) } else { shadow.read(range, touch, clock) };
        self.report(problems, access, base);
    }

    fn report(&mut self, problems: Vec<Problem>, access: Access, base: u64) {
        for problem in problems {
            self.add(match problem {
                Problem::Unordered(first, range) => Finding::Race(Race { first, second: access, base, range }),
                Problem::NoValue(Holds::Poison, range) => Finding::PoisonedRead { access, base, range },
                Problem::NoValue(_, range) => Finding::UninitialisedRead { access, base, range },
            });
        }
    }
}
