//! How the runs of a probe are spread over child processes.
//!
//! A process for each run, one after another, where opening a device is cheap. On a GPU a process that opens its first device spends about a second on the driver, the context and the kernels. There
//! a process makes several runs where the probe leaves it as it was, a probe that ends its process makes fewer runs, and several processes are at work at once; the report says
//! how many runs there were, and in how many processes.
//!
//! **Invariants**
//! * `no-run-twice`: each number of a run is given to one process.
//! * `first-failure`: after a failure no further process is started.

use millstream_sync::OwnedCell;
use millstream_sync::atomic::{AtomicBool, AtomicU64, Ordering};
use millstream_sync::thread;

use super::{Driven, Verdict, What};
use crate::model::{Probe, ProbeStatus};
use crate::plan::DeviceName;

/// Most runs of a probe that ends its process, on a device that is dear to open.
const ENDINGS_MAX: u64 = 24;
/// Runs in one process there, where the probe leaves it as it was.
const SERIES: u64 = 10;
/// Most processes at once there.
const AT_ONCE_MAX: usize = 6;

/// Runs, how many of them a process makes, and how many processes are at work at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spread {
    wanted: u64,
    runs: u64,
    each: u64,
    at_once: usize,
}

impl Spread {
    pub(super) fn of(driven: &Driven, device: &DeviceName) -> Self {
        let cheap = Self { wanted: driven.runs, runs: driven.runs, each: 1, at_once: 1 };
        if !device.is_dear_to_open() || matches!(driven.what, What::Elsewhere(_)) {
            return cheap;
        }
        // Each has threads of its own at work.
        let at_once = thread::available_parallelism().map_or(1, |n| n.get() / 4).clamp(1, AT_ONCE_MAX);
        match driven.what {
            What::Series(_) => Self { each: SERIES, at_once, ..cheap },
            _ => Self { runs: driven.runs.min(ENDINGS_MAX), at_once, ..cheap },
        }
    }

    /// What the report says beside the number of runs.
    fn words(&self) -> String {
        match (self.each, self.runs < self.wanted) {
            (1, false) => String::new(),
            (1, true) => {
                format!("{} runs elsewhere: a process of its own for each is dear on this device", self.wanted)
            }
            (each, _) => format!("in {} processes of up to {each} runs", self.runs.div_ceil(each)),
        }
    }

    /// Gives all numbers of runs to `process`, as first and count, until one fails or the user stops it.
    pub(super) fn run(
        &self,
        name: &str,
        interrupted: &(dyn Fn() -> bool + Sync),
        process: impl Fn(u64, u64) -> Verdict + Sync,
    ) -> Probe {
        let (next, made, over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
        let failure: OwnedCell<Option<String>> = OwnedCell::new(None);
        let work = || {
            while !over.load(Ordering::Relaxed) && !interrupted() {
                let from = next.fetch_add(self.each, Ordering::Relaxed);
                let count = self.each.min(self.runs.saturating_sub(from));
                if count == 0 {
                    break;
                }
                let verdict = process(from, count);
                made.fetch_add(count, Ordering::Relaxed);
                if let Err(detail) = verdict {
                    let detail = if count == 1 { format!("run {}: {detail}", from + 1) } else { detail };
                    over.store(true, Ordering::Relaxed);
                    let keep = |first: &mut Option<String>| *first = first.take().or_else(|| Some(detail.clone()));
                    while failure.try_with(keep).is_none() {
                        thread::yield_now();
                    }
                }
            }
        };
        match self.at_once {
            1 => work(),
            many => thread::scope(|scope| (0..many).for_each(|_| drop(scope.spawn(work)))),
        }
        let mut probe = Probe::passed(name, made.load(Ordering::Relaxed));
        (probe.child_process, probe.detail) = (self.each == 1, self.words());
        let mut failure = failure;
        if let Some(detail) = failure.value_mut().take() {
            (probe.status, probe.detail) = (ProbeStatus::Failed, detail);
        }
        probe
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(runs: u64, each: u64, at_once: usize) -> Spread {
        Spread { wanted: runs, runs, each, at_once }
    }

    fn ran(spread: Spread, process: impl Fn(u64, u64) -> Verdict + Sync) -> (Probe, Vec<(u64, u64)>) {
        let seen = OwnedCell::new(Vec::new());
        let probe = spread.run("probe", &|| false, |from, count| {
            while seen.try_with(|all: &mut Vec<_>| all.push((from, count))).is_none() {
                thread::yield_now();
            }
            process(from, count)
        });
        let mut seen = seen;
        let mut all = std::mem::take(seen.value_mut());
        all.sort_unstable();
        (probe, all)
    }

    #[test]
    fn every_run_is_made_once_and_counted() {
        let (probe, all) = ran(spread(23, 10, 3), |_, _| Ok(()));
        assert_eq!(all, [(0, 10), (10, 10), (20, 3)]);
        assert_eq!((probe.runs, probe.status, probe.child_process), (23, ProbeStatus::Passed, false));
        let (probe, all) = ran(spread(3, 1, 1), |_, _| Ok(()));
        assert_eq!((all, probe.runs), (vec![(0, 1), (1, 1), (2, 1)], 3));
        assert!(probe.child_process && probe.detail.is_empty());
    }

    #[test]
    fn the_first_failure_is_the_result_and_ends_it() {
        let (probe, all) = ran(spread(100, 1, 1), |from, _| if from == 2 { Err("lost".to_owned()) } else { Ok(()) });
        assert_eq!((all.len(), probe.status, probe.detail.as_str()), (3, ProbeStatus::Failed, "run 3: lost"));
        let (probe, all) = ran(spread(1000, 1, 4), |from, _| if from == 2 { Err("lost".to_owned()) } else { Ok(()) });
        assert!(probe.status == ProbeStatus::Failed && all.len() < 1000, "{}", all.len());
    }

    #[test]
    fn a_dear_device_gets_fewer_processes_and_says_so() {
        let driven = |what| Driven { pattern: "row", name: "probe", runs: 100, what };
        let cuda = DeviceName::Cuda(0);
        let ending = Spread::of(&driven(What::Child("x")), &cuda);
        assert_eq!((ending.runs, ending.each), (ENDINGS_MAX, 1));
        assert!(ending.words().contains("100 runs elsewhere"));
        let series = Spread::of(&driven(What::Series("x")), &cuda);
        assert_eq!((series.runs, series.each, series.words().as_str()), (100, 10, "in 10 processes of up to 10 runs"));
        assert_eq!(Spread::of(&driven(What::Series("x")), &DeviceName::Cpu), spread(100, 1, 1));
        assert_eq!(Spread::of(&driven(What::Elsewhere("x")), &cuda), spread(100, 1, 1));
    }
}
