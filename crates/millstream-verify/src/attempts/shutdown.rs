//! A further attempt: the end of a device and of a process, a hundred times each in child processes.
//!
//! A child that hangs is killed and is a finding; so is one that crashes after its last word, in what the system runs at exit.

mod deadline;

use std::time::Duration;

use millstream::evidence::{self, Step};
use millstream::{Device, Error, Health, Kernel, RuntimeError, StreamPolicy, Tensor};
use millstream_sync::Arc;

use super::probes::{Driven, FINE, Verdict, What, opened, text, work, zero};
use super::sheet::{Row, Sheet};
use super::stage::{LONG, Steps};
use super::tally;
use crate::open;
use crate::plan::DeviceName;

/// Steps that the attempt claims to drive.
pub const CLAIMS: [Step; 3] = [Step::FlushRefused, Step::LeaseReturned, Step::HostWait];

const EXIT: &str = "Process exit";
const HOOK: &str = "Exit hook";
const CLOSE: &str = "Shutdown";
const AFTER: &str = "After the end";

/// The attempt.
pub static SHEET: Sheet = Sheet {
    id: "shutdown",
    title: "Shutdown",
    methods: &[
        "Child processes that end while their threads work and the device has work in flight",
        "A shutdown against eight working threads, a little later from run to run; a second one at the same time",
        "Buffers, streams and events that outlive the shutdown, dropped by threads that come after it",
    ],
    rows: &[
        Row {
            pattern: EXIT,
            place: ("crates/millstream-runtime/src/thread_state.rs", "impl Drop for ThreadState"),
            mechanism: "nothing waits for the device at exit; destructors cannot panic",
        },
        Row {
            pattern: HOOK,
            place: ("crates/millstream-runtime/src/exit.rs", "fn close_all("),
            mechanism: "an exit handler closes the gates and waits at most 200 ms for who is inside; the table holds weak handles",
        },
        Row {
            pattern: CLOSE,
            place: ("crates/millstream-runtime/src/shutdown.rs", "fn close("),
            mechanism: "refuse, wait for submissions and flushes, drain, collect, release: in that order",
        },
        Row {
            pattern: AFTER,
            place: ("crates/millstream-runtime/src/shutdown.rs", "fn release_rest"),
            mechanism: "memory of live buffers stays until they drop; what comes late finds the gate closed",
        },
    ],
    probes: &[
        Driven {
            pattern: EXIT,
            name: "with work in flight and threads at work",
            runs: 100,
            what: What::Child("exit-in-flight"),
        },
        Driven { pattern: HOOK, name: "20 threads at work, main returns", runs: 100, what: What::Child(FROM_MAIN) },
        Driven {
            pattern: HOOK,
            name: "20 threads at work, somebody calls exit",
            runs: 100,
            what: What::Child(BY_CALL),
        },
        Driven {
            pattern: CLOSE,
            name: "against working threads",
            runs: 100,
            what: What::Series("shutdown-against-work"),
        },
        Driven {
            pattern: CLOSE,
            name: "a deadline that passes with a stream at work",
            runs: 20,
            what: What::Child("shutdown-too-short"),
        },
        Driven {
            pattern: AFTER,
            name: "live buffers and late threads",
            runs: 100,
            what: What::Series("shutdown-live-buffers"),
        },
    ],
    properties: &[
        "No process hung or crashed at its end",
        "The exit hook ran, closed the device and ended in time, whoever was inside",
        "A deadline that passed with a stream at work was kept, and the report said what was left; a second shutdown said the same",
        "Every thread at work was told by a typed error; no flush, lease or byte was left behind",
        "Buffers that outlived the shutdown kept their memory, were counted, and went home when they dropped",
    ],
};

const FROM_MAIN: &str = "exit-from-main";
const BY_CALL: &str = "exit-by-call";

/// Whether the last word of this probe is said by the exit hook.
pub(super) fn speaks_at_exit(name: &str) -> bool {
    name == FROM_MAIN || name == BY_CALL
}

/// The child's side. `None`: no probe of this attempt.
pub(super) fn in_child(name: &str, device: &DeviceName, seed: u64, run: u64) -> Option<Verdict> {
    Some(match name {
        "exit-in-flight" => exit_in_flight(device, seed, run),
        FROM_MAIN | BY_CALL => at_work_at_exit(name, device, seed, run),
        "shutdown-against-work" => against_work(device, seed, run),
        "shutdown-too-short" => deadline::passes(device, seed, run),
        "shutdown-live-buffers" => live_buffers(device, seed, run),
        _ => return None,
    })
}

/// The hook gives up on who is inside a call after this time, and not before.
const HOOK_WAIT: Duration = Duration::from_millis(200);
/// The rest is what a busy machine adds.
const HOOK_LIMIT: Duration = Duration::from_secs(5);

/// Asynchronous and inline in turn, where the device has both.
fn mode(name: &DeviceName, run: u64) -> DeviceName {
    match (name, run % 2) {
        (DeviceName::Cpu, 1) => DeviceName::CpuQueued,
        (name, _) => name.clone(),
    }
}

/// Works until it is told that the device is closed. Errors: any other error, in words.
fn work_until_closed(device: &Device, thread: u64) -> Verdict {
    for round in 0.. {
        let step = work(device, thread * 100_000 + round).and_then(|sum| sum.item::<f32>());
        match step {
            Ok(_) => {}
            Err(Error::Runtime(RuntimeError::Closed)) => return Ok(()),
            Err(error) => return Err(format!("thread {thread}, round {round}: {error}")),
        }
    }
    Ok(())
}

/// Main returns while four threads work, long work is in flight and nothing was shut down. What comes after is the system's: static destructors, exit hooks, other
/// threads that are cut off anywhere.
fn exit_in_flight(name: &DeviceName, seed: u64, run: u64) -> Verdict {
    let device = opened(&mode(name, run), seed ^ run, 4)?;
    let steps = Arc::new(Steps::default());
    for thread in 0..4 {
        let (device, steps) = (device.clone(), steps.clone());
        // Not joined: it is at work when the process ends.
        std::thread::spawn(move || {
            for round in 0.. {
                let _ = work(&device, thread * 1_000 + round).and_then(|sum| sum.item::<f32>());
                steps.advance();
            }
        });
    }
    steps.wait_for((run % 10) as u32)?;
    let kept = work(&device, 7).map_err(text)?;
    if mode(name, run) != DeviceName::Cpu {
        device.enqueue(Kernel::Spin { micros: 3_000 }).map_err(text)?;
    }
    let after = kept.add(&kept).map_err(text)?;
    if run.is_multiple_of(3) {
        drop(device);
    }
    // Half of the runs leave tensors to a thread that never ends, half drop them here.
    if run % 4 < 2 {
        std::thread::spawn(move || {
            let _kept = (kept, after);
            std::thread::sleep(LONG);
        });
    }
    Ok(())
}

/// Twenty threads work on eight streams, some of them waiting for one, when the process ends: main returns, or main or another thread calls for it. The last word is said after the hook.
fn at_work_at_exit(probe: &str, name: &DeviceName, seed: u64, run: u64) -> Verdict {
    const THREADS: u64 = 20;
    let policy = if run % 4 < 2 { StreamPolicy::Share } else { StreamPolicy::Wait(LONG) };
    let device = open::open(&mode(name, run), seed ^ run, |options| {
        options.streams = 8;
        options.policy = policy;
    })
    .map_err(text)?;
    let closed = device.clone();
    evidence::after_exit_hook(move |report| {
        let health = closed.health();
        let waited = report.inside == 0 || report.waited >= HOOK_WAIT;
        let closed = report.devices == 1 && health == Health::Closed;
        match closed && waited && report.waited < HOOK_LIMIT {
            true => println!("{FINE}"),
            false => println!("the exit hook says {report:?}, the device is {health:?}"),
        }
    });
    let steps = Arc::new(Steps::default());
    for thread in 0..THREADS {
        let (device, steps) = (device.clone(), steps.clone());
        // Not joined: it is at work when the process ends.
        std::thread::spawn(move || {
            for round in 0.. {
                if work(&device, thread * 1_000 + round).and_then(|sum| sum.item::<f32>()).is_err() {
                    // Told that the device is closed: what a program does then is its own affair, and it must be able to.
                    device.leave_thread();
                    std::thread::sleep(LONG);
                }
                steps.advance();
                if round % 8 == thread % 8 {
                    device.leave_thread();
                }
            }
        });
    }
    steps.wait_for((run % 50) as u32)?;
    if probe == FROM_MAIN {
        return Ok(());
    }
    println!("{}", tally::line());
    if run % 2 == 1 {
        std::thread::spawn(|| std::process::exit(0));
        std::thread::sleep(LONG);
    }
    std::process::exit(0)
}

/// Eight threads work; two threads shut down at one moment; everybody is told, nothing is left.
fn against_work(name: &DeviceName, seed: u64, run: u64) -> Verdict {
    const THREADS: u64 = 8;
    let device = opened(&mode(name, run), seed ^ run, 6)?;
    let steps = Arc::new(Steps::default());
    let workers: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (device, steps) = (device.clone(), steps.clone());
            std::thread::spawn(move || {
                let _ = work(&device, thread);
                steps.advance();
                work_until_closed(&device, thread)
            })
        })
        .collect();
    steps.wait_for((run % (THREADS + 1)) as u32)?;
    std::thread::sleep(Duration::from_micros(run * 17 % 1_000));
    let second = {
        let device = device.clone();
        std::thread::spawn(move || device.shutdown(LONG))
    };
    let report = device.shutdown(LONG);
    let other = second.join().map_err(|_| "the second shutdown panicked".to_owned())?;
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked".to_owned())??;
    }
    if !report.complete || report != other {
        return Err(format!("two shutdowns at one moment say {report:?} and {other:?}"));
    }
    zero("flushes in progress", u64::from(device.flushes_in_progress()))?;
    zero("streams claimed", device.leases() as u64)?;
    zero("bytes stranded", report.stranded_bytes as u64)?;
    zero("live bytes after everybody has left", device.memory_stats().live_bytes as u64)?;
    match device.synchronize() {
        Err(RuntimeError::Closed) => Ok(()),
        other => Err(format!("a closed device answers {other:?}")),
    }
}

/// Tensors, a stream and an event outlive the shutdown; threads that worked before come by after it.
fn live_buffers(name: &DeviceName, seed: u64, run: u64) -> Verdict {
    let device = opened(&mode(name, run), seed ^ run, 6)?;
    let steps = Arc::new(Steps::default());
    let late: Vec<_> = (0..4u64)
        .map(|thread| {
            let (device, steps) = (device.clone(), steps.clone());
            std::thread::spawn(move || -> Verdict {
                let kept: Vec<Tensor> =
                    (0..4).map(|i| work(&device, thread * 10 + i)).collect::<Result<_, _>>().map_err(text)?;
                let gone = work(&device, 99).map_err(text)?;
                gone.item::<f32>().map_err(text)?;
                drop(gone);
                steps.advance();
                steps.wait_for(5)?;
                match kept[0].item::<f32>() {
                    Err(Error::Runtime(RuntimeError::Closed)) => Ok(()),
                    other => Err(format!("a read after the end gave {other:?}")),
                }
            })
        })
        .collect();
    steps.wait_for(4)?;
    let mine = work(&device, 1).map_err(text)?;
    let stream = device.acquire_stream().map_err(text)?;
    let event = millstream::Event::new(&device, run.is_multiple_of(2));
    event.record().map_err(text)?;
    let live = device.memory_stats().live_bytes;
    let report = device.shutdown(LONG);
    if !report.complete || report.live_bytes != live || live == 0 {
        return Err(format!("{live} bytes were live before the shutdown: {report:?}"));
    }
    zero("bytes stranded", report.stranded_bytes as u64)?;
    if report.reserved_bytes_left < live {
        return Err(format!("{live} bytes are live and {} were kept", report.reserved_bytes_left));
    }
    steps.advance();
    for thread in late {
        thread.join().map_err(|_| "a late thread panicked".to_owned())??;
    }
    // Again, when everybody has come by: the first report stands, at once.
    let again = device.shutdown(Duration::ZERO);
    if again != report {
        return Err(format!("a second shutdown says {again:?} after {report:?}"));
    }
    match (mine.item::<f32>(), event.wait(), device.with_stream(&stream).map(drop)) {
        (Err(Error::Runtime(RuntimeError::Closed)), Err(RuntimeError::Closed), Err(RuntimeError::Closed)) => {}
        others => return Err(format!("a read, a wait and a guard after the end gave {others:?}")),
    }
    drop((stream, event));
    drop(mine);
    zero("live bytes after the last drop", device.memory_stats().live_bytes as u64)?;
    zero("streams claimed", device.leases() as u64)?;
    zero("blocks put into a closed pool", device.evidence().count(Step::PutAfterClose))
}
