//! A further attempt: forks of a process that computes. The child is refused by a typed error and its drops do nothing; the parent goes on.
//!
//! Each run is made in a child process that forks: a fork that goes wrong takes no round with it.

mod drops;

use millstream::evidence::{self, Step};
use millstream::{Device, Error, Event, RuntimeError, Tensor};
use millstream_sync::Arc;
use millstream_sync::atomic::{AtomicBool, Ordering};

use super::probes::{Driven, Verdict, What, opened, queued_name, text, work};
use super::sheet::{Row, Sheet};
use super::stage::Steps;
use crate::plan::DeviceName;

/// Steps that the attempt claims to drive: those of the parents.
pub const CLAIMS: [Step; 2] = [Step::HostWait, Step::LeaseClaimed];

const CHILD: &str = "Forked child";
const OWN: &str = "Forked child's own device";
const PARENT: &str = "Parent";

/// The attempt.
pub static SHEET: Sheet = Sheet {
    id: "fork",
    title: "Fork",
    methods: &[
        "A process forks at rest, then while four of its threads compute, hold locks and wait",
        "The child calls everything, drops everything, and opens a device of its own; the parent computes on and ends",
    ],
    rows: &[
        Row {
            pattern: CHILD,
            place: ("crates/millstream-runtime/src/fork.rs", "extern \"C\" fn in_child"),
            mechanism: "a handler counts forks; a device remembers the count at which it was opened",
        },
        Row {
            pattern: OWN,
            place: ("crates/millstream-runtime/src/fork.rs", "extern \"C\" fn in_child"),
            mechanism: "a device that was opened after the fork has the child's own count",
        },
        Row {
            pattern: PARENT,
            place: ("crates/millstream-runtime/src/device/shared.rs", "fn check_process"),
            mechanism: "nothing in the child touches what it shares with its parent",
        },
    ],
    probes: &[
        Driven { pattern: CHILD, name: "is refused, at rest", runs: 20, what: What::Series("forked-child") },
        Driven { pattern: CHILD, name: "is refused while threads work", runs: 40, what: What::Series("fork-at-work") },
        Driven { pattern: OWN, name: "opens a device of its own", runs: 20, what: What::Series("fork-and-open") },
        Driven {
            pattern: CHILD,
            name: "drops everything, the last handle too",
            runs: 20,
            what: What::Series("fork-and-drop"),
        },
        Driven { pattern: PARENT, name: "computes on and ends", runs: 20, what: What::Series("fork-and-go-on") },
    ],
    properties: &[
        "Every call in a forked child was refused as ForkedChild, also on a device whose threads were inside it",
        "Drops in the child did nothing and took no lock",
        "A device that a forked child opened itself computed the right values",
        "The parent's values were right after each fork, and its shutdown was complete",
    ],
};

/// The child process's side. `None`: no probe of this attempt.
pub(super) fn in_child(name: &str, device: &DeviceName, seed: u64, run: u64) -> Option<Verdict> {
    Some(match name {
        "forked-child" => at_rest(device, seed),
        "fork-at-work" => at_work(device, seed, run),
        "fork-and-open" => and_open(device, seed, run),
        "fork-and-drop" => drops::everything(device, seed, run),
        "fork-and-go-on" => and_go_on(device, seed, run),
        _ => return None,
    })
}

fn refused<T>(what: Result<T, Error>) -> bool {
    matches!(what, Err(Error::Runtime(RuntimeError::ForkedChild)))
}

/// The answer of a child that makes every kind of call: bits of those that were not refused.
fn calls(device: &Device, tensor: &Tensor, event: &Event) -> u8 {
    let calls = [
        refused(Tensor::zeros(device, &[4])),
        refused(tensor.add(tensor)),
        refused(tensor.item::<f32>()),
        refused(device.synchronize().map_err(Error::from)),
        refused(device.acquire_stream().map_err(Error::from)),
        refused(event.record().and(event.wait()).map_err(Error::from)),
        refused(event.query().map_err(Error::from)),
        refused(event.synchronize(None).map_err(Error::from)),
    ];
    // These answer without an error: they must not wait for a lock of a thread that is not here.
    device.trim();
    drop((device.memory_stats(), device.trace()));
    device.leave_thread();
    calls.iter().enumerate().filter(|(_, refused)| !**refused).map(|(i, _)| 1u8 << i).sum()
}

fn judge(answer: Option<u8>) -> Verdict {
    match answer {
        Some(0) => Ok(()),
        Some(calls) => Err(format!("calls not refused in the child, as bits: {calls:08b}")),
        None => Err("the forked child was killed".to_owned()),
    }
}

fn value(device: &Device, key: u64) -> Result<u32, String> {
    work(device, key).and_then(|sum| sum.item()).map(f32::to_bits).map_err(text)
}

/// A forked child gets the typed error from every call, its drops do nothing, and the parent goes on.
fn at_rest(name: &DeviceName, seed: u64) -> Verdict {
    let device = opened(name, seed, 4)?;
    let (tensor, event) = (work(&device, 1).map_err(text)?, Event::new(&device, false));
    let before = value(&device, 1)?;
    judge(evidence::in_forked_child(|| {
        drop(tensor.clone());
        calls(&device, &tensor, &event)
    }))?;
    if value(&device, 1)? == before { Ok(()) } else { Err("the parent computes other values now".to_owned()) }
}

/// Forks while four threads are anywhere in the runtime. The child has their locks as they were; it must not wait for one.
fn at_work(name: &DeviceName, seed: u64, run: u64) -> Verdict {
    let device = opened(&queued_name(name), seed ^ run, 4)?;
    let expected = value(&device, 1)?;
    let (tensor, event) = (work(&device, 1).map_err(text)?, Event::new(&device, true));
    event.record().map_err(text)?;
    let (stop, steps) = (Arc::new(AtomicBool::new(false)), Arc::new(Steps::default()));
    let workers: Vec<_> = (0..4u64)
        .map(|thread| {
            let (device, stop, steps) = (device.clone(), stop.clone(), steps.clone());
            std::thread::spawn(move || -> Verdict {
                while !stop.load(Ordering::Relaxed) {
                    value(&device, 1 + thread)?;
                    drop(work(&device, thread).map_err(text)?);
                    // Calls that hold locks, so that the child finds some of them taken.
                    let _ = device.memory_stats();
                    device.trim();
                    steps.advance();
                }
                Ok(())
            })
        })
        .collect();
    steps.wait_for(4 + (run % 7) as u32)?;
    let verdict = judge(evidence::in_forked_child(|| {
        let open = calls(&device, &tensor, &event);
        // All that the child has of the device, the last handle among it.
        drop((tensor.clone(), Event::new(&device, false), device.clone()));
        open
    }));
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked".to_owned())??;
    }
    verdict?;
    if value(&device, 1)? == expected { Ok(()) } else { Err("the parent computes other values now".to_owned()) }
}

/// The child does what the error advises: it opens a device after the fork.
fn and_open(name: &DeviceName, seed: u64, run: u64) -> Verdict {
    let device = opened(name, seed ^ run, 4)?;
    let expected = value(&device, 5)?;
    let answer = evidence::in_forked_child(|| {
        let own = opened(name, seed, 2).and_then(|own| {
            let found = value(&own, 5)?;
            let complete = own.shutdown(super::stage::LONG).complete;
            Ok((found, complete))
        });
        match own {
            Ok((found, true)) if found == expected => 0,
            Ok((_, true)) => 1,
            Ok((_, false)) => 2,
            Err(_) => 3,
        }
    });
    match answer {
        Some(0) => Ok(()),
        Some(1) => Err("a device that the child opened computes other values".to_owned()),
        Some(2) => Err("the shutdown of a device that the child opened was not complete".to_owned()),
        Some(_) => Err("the child could not use a device that it opened itself".to_owned()),
        None => Err("the forked child was killed".to_owned()),
    }
}

/// Three forks while tensors are alive and work is in flight; the parent reads them all, shuts down, and nothing is missing.
fn and_go_on(name: &DeviceName, seed: u64, run: u64) -> Verdict {
    let device = opened(&queued_name(name), seed ^ run, 4)?;
    let expected: Vec<u32> = (0..6).map(|key| value(&device, key)).collect::<Result<_, _>>()?;
    let mut kept: Vec<Tensor> = Vec::new();
    for key in 0..6 {
        device.enqueue(millstream::Kernel::Spin { micros: 1_000 }).map_err(text)?;
        kept.push(work(&device, key).map_err(text)?);
        if key % 2 == 0 {
            let event = Event::new(&device, false);
            judge(evidence::in_forked_child(|| {
                kept.clear();
                let tensor = Tensor::zeros(&device, &[1]);
                u8::from(!refused(tensor)) | u8::from(!refused(event.record().map_err(Error::from))) << 1
            }))?;
        }
    }
    for (key, tensor) in kept.iter().enumerate() {
        if tensor.item::<f32>().map_err(text)?.to_bits() != expected[key] {
            return Err(format!("tensor {key} has another value after the forks"));
        }
    }
    drop(kept);
    super::stage::at_rest(&device)
}
