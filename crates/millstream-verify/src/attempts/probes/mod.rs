//! Probes: small programs that drive one pattern and look at what it left.
//!
//! Those that may crash, fork, or end the process run in a child: the parent starts its own binary again with hidden arguments, the child runs one probe and
//! prints one line. A crash, a hang, a wrong exit or a missing line is a failed probe. How runs are spread over processes is in [`processes`].
//!
//! **Invariants**
//! * `no-retry`: a probe runs as often as it says, and one failure of any run is its result.

mod child;
mod claims;
mod exits;
mod leases;
mod processes;
mod traffic;

pub(super) use child::FINE;
pub use child::{Child, run_child};

use std::time::Instant;

use millstream::{Device, Generator, Tensor};

use self::processes::Spread;
use super::Context;
use super::limits::{self, Limit};
use crate::model::{Finding, Probe, ProbeStatus};
use crate::open;
use crate::plan::{DeviceName, Plan};

/// What a probe says: nothing, or what must not be.
pub type Verdict = Result<(), String>;

/// A probe and the pattern that it drives.
pub struct Driven {
    /// Row of the table.
    pub pattern: &'static str,
    /// A few words.
    pub name: &'static str,
    /// How often.
    pub runs: u64,
    /// One run, or one child process.
    pub what: What,
}

/// How a probe runs.
pub enum What {
    /// In this process, on a device opened for it.
    Here(fn(&Plan, u64) -> Verdict),
    /// The same with a figure to show: that of the last run stands in the report.
    Measured(fn(&Plan, u64) -> Result<String, String>),
    /// In a process of its own, by this name: it ends the process.
    Child(&'static str),
    /// The same for what leaves its process as it was: one may make several runs, one after another ([`processes`]).
    Series(&'static str),
    /// In a process of its own, on a device that the probe chooses: the plan's is not opened there.
    Elsewhere(&'static str),
}

/// All probes of the thread-local attempt.
pub const THREAD_LOCAL: [Driven; 19] = [
    Driven {
        pattern: "CURRENT_STREAM",
        name: "claim held between its two looks while the device closes",
        runs: 3,
        what: What::Here(claims::claim_between_looks),
    },
    Driven { pattern: "CURRENT_STREAM", name: "churn of threads", runs: 1, what: What::Here(leases::churn) },
    Driven {
        pattern: "CURRENT_STREAM",
        name: "more threads than streams, shared",
        runs: 1,
        what: What::Here(leases::shared),
    },
    Driven {
        pattern: "CURRENT_STREAM",
        name: "more threads than streams, waiting",
        runs: 2,
        what: What::Here(leases::waiting),
    },
    Driven {
        pattern: "CURRENT_STREAM",
        name: "a waiter that times out as a stream is freed",
        runs: 40,
        what: What::Here(leases::timing_out),
    },
    Driven {
        pattern: "CURRENT_STREAM",
        name: "no stream left, policy Fail",
        runs: 1,
        what: What::Here(leases::failing),
    },
    Driven {
        pattern: "CURRENT_STREAM",
        name: "a forked child is refused, its parent goes on",
        runs: 1,
        what: What::Series("forked-child"),
    },
    Driven {
        pattern: "BLOCK_CACHE",
        name: "freed on other threads, used by two, dropped by a third",
        runs: 1,
        what: What::Here(traffic::hand_around),
    },
    Driven {
        pattern: "BLOCK_CACHE",
        name: "a tensor in the user's own thread-local, dropped after ours",
        runs: 5,
        what: What::Series("user-thread-local"),
    },
    Driven {
        pattern: "BLOCK_CACHE",
        name: "operations during destruction",
        runs: 5,
        what: What::Series("use-in-destructor"),
    },
    Driven {
        pattern: "BlockCache::flush",
        name: "flush held between its two looks while the device closes",
        runs: 3,
        what: What::Here(claims::flush_between_looks),
    },
    Driven {
        pattern: "BlockCache::flush",
        name: "1,000 thread exits against shutdowns",
        runs: 50,
        what: What::Here(exits::against_shutdown),
    },
    Driven {
        pattern: "BlockCache::flush",
        name: "exit after the device has closed",
        runs: 10,
        what: What::Here(exits::after_close),
    },
    Driven {
        pattern: "BlockCache::drop",
        name: "exit with work in flight",
        runs: 10,
        what: What::Here(exits::work_in_flight),
    },
    Driven {
        pattern: "BlockCache::drop",
        name: "panic in a flush during thread exit",
        runs: 3,
        what: What::Series("panic-in-flush"),
    },
    Driven {
        pattern: "BlockCache::drop",
        name: "everything dropped without a shutdown",
        runs: 5,
        what: What::Child("no-shutdown"),
    },
    Driven {
        pattern: "PROFILER_RING",
        name: "events and traces from all threads meanwhile",
        runs: 1,
        what: What::Here(traffic::events_and_traces),
    },
    Driven {
        pattern: "ROOT",
        name: "a second root is refused on every thread",
        runs: 1,
        what: What::Here(traffic::second_root),
    },
    Driven {
        pattern: "SEAT",
        name: "scheduled runs on the simulator",
        runs: 20,
        what: What::Here(traffic::scheduled_run),
    },
];

impl Driven {
    /// Runs it as often as it says, or until the user stops it.
    #[must_use]
    pub fn run(&self, plan: &Plan, child: &Child, interrupted: &dyn Fn() -> bool) -> Probe {
        let begun = Instant::now();
        let one: Box<dyn Fn(u64) -> Result<String, String>> = match self.what {
            What::Child(name) | What::Series(name) | What::Elsewhere(name) => {
                let spread = Spread::of(self, &plan.device);
                let mut probe = spread.run(self.name, interrupted, |from, count| child.run(name, plan, from, count));
                probe.seconds = Some(begun.elapsed().as_secs_f64());
                return probe;
            }
            What::Here(f) => Box::new(move |run| f(plan, run).map(|()| String::new())),
            What::Measured(f) => Box::new(move |run| f(plan, run)),
        };
        let mut probe = Probe::passed(self.name, 0);
        for run in 0..self.runs {
            if interrupted() {
                break;
            }
            probe.runs += 1;
            match guarded(|| one(run)) {
                Ok(figures) => probe.detail = figures,
                Err(detail) => {
                    probe.status = ProbeStatus::Failed;
                    probe.detail = format!("run {}: {detail}", run + 1);
                    break;
                }
            }
        }
        probe.seconds = Some(begun.elapsed().as_secs_f64());
        probe
    }
}

/// What a list of probes gave.
#[derive(Default)]
pub(super) struct Driving {
    /// Each with its pattern.
    pub(super) probes: Vec<(&'static str, Probe)>,
    /// One for each probe that failed.
    pub(super) findings: Vec<Finding>,
    /// What the device has not.
    pub(super) limits: Vec<&'static Limit>,
    /// Whether the user stopped it.
    pub(super) interrupted: bool,
}

/// Runs `list` for the attempt `id`; `place` says where a pattern stands in the sources.
pub(super) fn drive(context: &Context<'_>, id: &str, list: &[Driven], place: impl Fn(&str) -> String) -> Driving {
    let mut driving = Driving { limits: limits::of(id, context.plan), ..Driving::default() };
    for (done, driven) in list.iter().enumerate() {
        if context.progress.interrupted() {
            break;
        }
        context.progress.advance(done as u64, list.len() as u64);
        if let Some(limit) = driving.limits.iter().find(|limit| limit.pattern == driven.pattern) {
            let mut probe = Probe::passed(driven.name, 0);
            (probe.status, probe.detail) = (ProbeStatus::NotReached, limit.reason.to_owned());
            driving.probes.push((driven.pattern, probe));
            continue;
        }
        let probe = driven.run(context.plan, context.child, &|| context.progress.interrupted());
        let failed = probe.status == ProbeStatus::Failed;
        if failed {
            driving.findings.push(Finding {
                attempt: id.to_owned(),
                text: format!("{}: {}", driven.name, probe.detail),
                location: place(driven.pattern),
                ..Finding::default()
            });
        }
        driving.probes.push((driven.pattern, probe));
        if failed && context.plan.first_finding {
            break;
        }
    }
    driving.interrupted = context.progress.interrupted();
    driving
}

/// Whether the attempt of that id has probes that run in processes of their own.
#[must_use]
pub fn in_children(id: &str) -> bool {
    let here = |what: &What| matches!(what, What::Here(_) | What::Measured(_));
    let any = |list: &[Driven]| list.iter().any(|driven| !here(&driven.what));
    (id == "thread_local" && any(&THREAD_LOCAL))
        || super::SHEETS.iter().any(|sheet| sheet.id == id && any(sheet.probes))
}

/// A panic inside a probe is what it found.
fn guarded<T>(f: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        Err(format!("panicked: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no message")))
    })
}

/// The plan's device with asynchronous streams where it has them: what has work in flight shows more.
pub(super) fn queued(plan: &Plan) -> DeviceName {
    queued_name(&plan.device)
}

/// The same for a name.
pub(super) fn queued_name(name: &DeviceName) -> DeviceName {
    match name {
        DeviceName::Cpu => DeviceName::CpuQueued,
        other => other.clone(),
    }
}

pub(super) fn opened(name: &DeviceName, seed: u64, streams: usize) -> Result<Device, String> {
    open::open(name, seed, |options| options.streams = streams).map_err(|absent| absent.to_string())
}

/// A small product and its sum: the work of a probe. The value depends on `key` alone.
pub(super) fn work(device: &Device, key: u64) -> millstream::Result<Tensor> {
    let mut generator = Generator::new(0x9e3).split(key);
    let a = Tensor::randn(device, &[16, 16], &mut generator)?;
    let b = Tensor::randn(device, &[16, 16], &mut generator)?;
    a.matmul(&b)?.sum()
}

/// `found` must be zero.
pub(super) fn zero(what: &str, found: impl Into<u64>) -> Verdict {
    match found.into() {
        0 => Ok(()),
        found => Err(format!("{what}: {found}, must be 0")),
    }
}

pub(super) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Starts `count` threads of `body` and waits for them with their destructors. A panic or an error is the verdict.
pub(super) fn threads(count: usize, body: impl Fn(usize) -> Verdict + Send + Clone + 'static) -> Verdict {
    let handles: Vec<_> = (0..count)
        .map(|i| {
            let body = body.clone();
            std::thread::spawn(move || body(i))
        })
        .collect();
    let mut verdict = Ok(());
    for handle in handles {
        // join waits for the thread's destructors too.
        let one = handle.join().unwrap_or_else(|_| Err("a thread panicked".to_owned()));
        verdict = verdict.and(one);
    }
    verdict
}
