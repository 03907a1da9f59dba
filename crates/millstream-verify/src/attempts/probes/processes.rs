//! How the runs of a probe are spread over child processes.
//!
//! A process for each run where opening a device is cheap. On a GPU a process spends about a second on the driver, the context and the kernels, and several at once take as long as one after another: on an
//! H100, 0.9 s alone, 3.7 to 4.6 s each of four (2026-11). There a process makes several runs where the probe leaves it as it was, and a probe that ends its process makes fewer
//! runs; the report says how many, and in how many processes.
//!
//! **Invariants**
//! * `no-run-twice`: each number of a run is given to one process.
//! * `first-failure`: after a failure no further process is started.

use super::{Driven, Verdict, What};
use crate::model::{Probe, ProbeStatus};
use crate::plan::DeviceName;

/// Most runs of a probe that ends its process, on a device that is dear to open.
const ENDINGS_MAX: u64 = 10;
/// Most runs in one process there, where the probe leaves it as it was.
const SERIES: u64 = 25;

/// How many runs were wanted, how many are made, and how many of them a process makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spread {
    wanted: u64,
    runs: u64,
    each: u64,
}

impl Spread {
    pub(super) fn of(driven: &Driven, device: &DeviceName) -> Self {
        let wanted = driven.runs;
        match driven.what {
            What::Series(_) if device.is_dear_to_open() => Self { wanted, runs: wanted, each: SERIES },
            What::Child(_) if device.is_dear_to_open() => Self { wanted, runs: wanted.min(ENDINGS_MAX), each: 1 },
            _ => Self { wanted, runs: wanted, each: 1 },
        }
    }

    /// What the report says beside the number of runs.
    fn words(&self) -> String {
        match self.runs.div_ceil(self.each) {
            1 if self.runs > 1 => "in one process".to_owned(),
            processes if processes < self.runs => format!("in {processes} processes"),
            _ if self.runs < self.wanted => {
                format!("in place of {}: each is a process that opens the device", self.wanted)
            }
            _ => String::new(),
        }
    }

    /// Gives all numbers of runs to `process`, as first and count, until one fails or the user stops it.
    pub(super) fn run(
        &self,
        name: &str,
        interrupted: &dyn Fn() -> bool,
        process: impl Fn(u64, u64) -> Verdict,
    ) -> Probe {
        let mut probe = Probe::passed(name, 0);
        (probe.child_process, probe.detail) = (self.each == 1, self.words());
        while probe.runs < self.runs && !interrupted() {
            let (from, count) = (probe.runs, self.each.min(self.runs - probe.runs));
            probe.runs += count;
            if let Err(detail) = process(from, count) {
                // A process that makes several runs names the one that failed.
                probe.detail = if count == 1 { format!("run {}: {detail}", from + 1) } else { detail };
                probe.status = ProbeStatus::Failed;
                break;
            }
        }
        probe
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn ran(spread: Spread, fails: Option<u64>) -> (Probe, Vec<(u64, u64)>) {
        let seen = RefCell::new(Vec::new());
        let probe = spread.run("probe", &|| false, |from, count| {
            seen.borrow_mut().push((from, count));
            if Some(from) == fails { Err("lost".to_owned()) } else { Ok(()) }
        });
        (probe, seen.into_inner())
    }

    #[test]
    fn every_run_is_made_once_and_counted() {
        let (probe, all) = ran(Spread { wanted: 23, runs: 23, each: 10 }, None);
        assert_eq!(all, [(0, 10), (10, 10), (20, 3)]);
        assert_eq!((probe.runs, probe.status, probe.child_process), (23, ProbeStatus::Passed, false));
        let (probe, all) = ran(Spread { wanted: 3, runs: 3, each: 1 }, None);
        assert_eq!((all, probe.runs), (vec![(0, 1), (1, 1), (2, 1)], 3));
        assert!(probe.child_process && probe.detail.is_empty());
    }

    #[test]
    fn the_first_failure_is_the_result_and_ends_it() {
        let (probe, all) = ran(Spread { wanted: 100, runs: 100, each: 1 }, Some(2));
        assert_eq!((all.len(), probe.status, probe.detail.as_str()), (3, ProbeStatus::Failed, "run 3: lost"));
        let (probe, all) = ran(Spread { wanted: 100, runs: 100, each: 25 }, Some(25));
        assert_eq!((all.len(), probe.status, probe.detail.as_str()), (2, ProbeStatus::Failed, "lost"));
    }

    #[test]
    fn a_stop_ends_it_between_two_processes() {
        let seen = RefCell::new(0);
        let stopped = || *seen.borrow() == 2;
        let probe = Spread { wanted: 100, runs: 100, each: 10 }.run("probe", &stopped, |_, _| {
            *seen.borrow_mut() += 1;
            Ok(())
        });
        assert_eq!((seen.into_inner(), probe.runs, probe.status), (2, 20, ProbeStatus::Passed));
    }

    #[test]
    fn a_dear_device_gets_fewer_processes_and_says_so() {
        let spread = |runs, what, device| Spread::of(&Driven { pattern: "row", name: "probe", runs, what }, &device);
        let cuda = || DeviceName::Cuda(0);
        let ending = spread(100, What::Child("x"), cuda());
        assert_eq!((ending.runs, ending.each), (ENDINGS_MAX, 1));
        assert!(ending.words().starts_with("in place of 100"), "{}", ending.words());
        let series = spread(100, What::Series("x"), cuda());
        assert_eq!((series.runs, series.words().as_str()), (100, "in 4 processes"));
        assert_eq!(spread(5, What::Series("x"), cuda()).words(), "in one process");
        assert_eq!(spread(5, What::Child("x"), cuda()).words(), "");
        assert_eq!(spread(1, What::Series("x"), cuda()).words(), "");
        let cheap = Spread { wanted: 100, runs: 100, each: 1 };
        assert_eq!(spread(100, What::Series("x"), DeviceName::Cpu), cheap);
        assert_eq!(spread(100, What::Elsewhere("x"), cuda()), cheap);
    }
}
