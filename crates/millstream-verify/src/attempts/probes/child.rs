//! Probes in a process of their own.

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use millstream::evidence::Step;
use millstream::{Device, Error, Generator, RuntimeError, Tensor};
use millstream_sync::Arc;
use millstream_sync::atomic::{AtomicU32, Ordering};

use super::{Verdict, opened, text, work, zero};
use crate::attempts::{faults, fork, shutdown, tally};
use crate::plan::{DeviceName, Plan};

/// What a child that saw nothing wrong prints last.
pub const FINE: &str = "probe: fine";

/// How a child process is started.
#[derive(Clone, Debug)]
pub struct Child {
    /// The binary: for the command line, itself.
    pub program: PathBuf,
    /// Arguments before the probe's name, such as `probe`.
    pub arguments: Vec<String>,
    /// After this long a child counts as hung and is killed.
    pub timeout: Duration,
}

impl Child {
    /// Makes `count` runs of a probe in a child, from the run numbered `run` on. A crash, a hang, or an exit without its word is the verdict. What the child counted is added to this process's tally.
    pub fn run(&self, name: &str, plan: &Plan, run: u64, count: u64) -> Verdict {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .args([name, &plan.device.to_string(), &plan.seed.to_string(), &run.to_string(), &count.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Nobody reads it, and finding the names of a stack takes longer than the probe.
            .env("RUST_BACKTRACE", "0")
            .spawn()
            .map_err(|error| format!("the child process could not be started: {error}"))?;
        let begun = Instant::now();
        // The output of a probe is two lines: it fits the pipe, so that waiting before reading is safe.
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if begun.elapsed() > self.timeout => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(format!("hung: killed after {:?}", self.timeout));
                }
                Ok(None) => std::thread::sleep(Duration::from_millis(2)),
                Err(error) => return Err(format!("the child process could not be waited for: {error}")),
            }
        };
        let mut output = String::new();
        if let Some(mut pipe) = child.stdout.take() {
            let _ = std::io::Read::read_to_string(&mut pipe, &mut output);
        }
        tally::add_child(&output);
        let word = output.lines().last().unwrap_or("");
        match (status.success(), word) {
            (true, FINE) => Ok(()),
            (true, _) => Err(format!("exited with 0 and without its word: {word:?}")),
            (false, "") => Err(format!("crashed: {status}")),
            (false, word) => Err(format!("{word} ({status})")),
        }
    }
}

/// The child's side: runs the probe `name` with its arguments (device, seed, number of the first run, how many) and returns the exit code.
#[must_use]
pub fn run_child(name: &str, arguments: &[String]) -> i32 {
    let verdict = (|| {
        let device: DeviceName = arguments.first().map_or("cpu", String::as_str).parse()?;
        let number = |at: usize| arguments.get(at).and_then(|s| s.parse::<u64>().ok()).unwrap_or(0);
        let (seed, first, count) = (number(1), number(2), number(3).max(1));
        let told = |run: u64, detail| if count == 1 { detail } else { format!("run {}: {detail}", run + 1) };
        (first..first + count).try_for_each(|run| one(name, &device, seed, run).map_err(|detail| told(run, detail)))
    })();
    println!("{}", tally::line());
    match verdict {
        Ok(()) => {
            let said_later = shutdown::speaks_at_exit(name);
            println!("{}", if said_later { "probe: about to exit" } else { FINE });
            0
        }
        Err(detail) => {
            println!("{detail}");
            1
        }
    }
}

/// One run.
fn one(name: &str, device: &DeviceName, seed: u64, run: u64) -> Verdict {
    match name {
        "user-thread-local" => user_thread_local(device, seed),
        "use-in-destructor" => use_in_destructor(device, seed),
        "panic-in-flush" => panic_in_flush(device, seed),
        "no-shutdown" => no_shutdown(device, seed),
        _ => shutdown::in_child(name, device, seed, run)
            .or_else(|| fork::in_child(name, device, seed, run))
            .or_else(|| faults::in_child(name, seed, run))
            .unwrap_or_else(|| Err(format!("there is no probe {name:?}"))),
    }
}

/// Uses the device when it is dropped, in the destructor of a user's thread-local.
struct Late {
    device: Device,
    tensor: Tensor,
    /// How often it was told that its thread is exiting.
    told: Arc<AtomicU32>,
}

impl Drop for Late {
    fn drop(&mut self) {
        // Whichever order the destructors run in: an answer or a typed error, never a crash.
        match self.tensor.add(&self.tensor).and_then(|t| t.to_vec::<f32>()) {
            Ok(_) => {}
            Err(Error::Runtime(RuntimeError::ThreadExiting)) => drop(self.told.fetch_add(1, Ordering::Relaxed)),
            Err(error) => {
                println!("an operation in a destructor: {error}");
                std::process::exit(1);
            }
        }
        let _ = self.device.synchronize();
    }
}

millstream_sync::thread_state! {
    /// Mechanism: stands for a user's own; reached by `try_with` and `try_borrow_mut`
    static KEPT: RefCell<Option<Tensor>> = RefCell::new(None)
}

millstream_sync::thread_state! {
    /// Mechanism: stands for a user's own whose destructor computes; reached by `try_with` and `try_borrow_mut`
    static LATE: RefCell<Option<Late>> = RefCell::new(None)
}

/// A tensor in the user's own thread-local, which is touched first and so dropped last.
fn user_thread_local(name: &DeviceName, seed: u64) -> Verdict {
    let device = opened(name, seed, 4)?;
    let d = device.clone();
    std::thread::spawn(move || {
        let _ = KEPT.try_with(|kept| kept.replace(None));
        let tensor = Tensor::randn(&d, &[32, 32], &mut Generator::new(seed))?;
        let _ = KEPT.try_with(|kept| kept.replace(Some(tensor)));
        Ok::<_, Error>(())
    })
    .join()
    .map_err(|_| "the thread panicked".to_owned())?
    .map_err(text)?;
    if device.evidence().count(Step::InboxHandBack) == 0 {
        return Err("the late drop did not go through the inbox".to_owned());
    }
    zero("live bytes", device.memory_stats().live_bytes as u64)?;
    device.synchronize_all(None).map_err(text)?;
    device.trim();
    zero("bytes kept after a trim", device.memory_stats().reserved_bytes as u64)?;
    zero("streams claimed", device.leases() as u64)
}

/// A destructor of a user's thread-local that computes, touched before and after ours.
fn use_in_destructor(name: &DeviceName, seed: u64) -> Verdict {
    let told = Arc::new(AtomicU32::new(0));
    for first in [true, false] {
        let device = opened(name, seed, 4)?;
        let (d, told) = (device.clone(), told.clone());
        std::thread::spawn(move || {
            if first {
                let _ = LATE.try_with(|late| drop(late.replace(None)));
            }
            let tensor = Tensor::randn(&d, &[16], &mut Generator::new(seed))?;
            let late = Late { device: d.clone(), tensor, told };
            let _ = LATE.try_with(|kept| drop(kept.replace(Some(late))));
            Ok::<_, Error>(())
        })
        .join()
        .map_err(|_| "the thread panicked".to_owned())?
        .map_err(text)?;
        zero("streams claimed", device.leases() as u64)?;
        zero("flushes in progress", u64::from(device.flushes_in_progress()))?;
    }
    // Of the two one comes after ours.
    match told.load(Ordering::Relaxed) {
        1 => Ok(()),
        other => Err(format!("{other} of two destructors were told that their thread is exiting")),
    }
}

/// A flush panics half-way during thread exit: the process lives, the count comes back, and no byte is lost.
fn panic_in_flush(name: &DeviceName, seed: u64) -> Verdict {
    let device = opened(name, seed, 4)?;
    let d = device.clone();
    std::thread::spawn(move || {
        // Several sizes, so that several blocks are in the cache when it is flushed.
        for n in [8usize, 64, 256, 900] {
            Tensor::randn(&d, &[n, 3], &mut Generator::new(seed))?.sum()?.item::<f32>()?;
        }
        d.evidence().inject_panic_in_flush();
        Ok::<_, Error>(())
    })
    .join()
    .map_err(|_| "the panic left the destructor".to_owned())?
    .map_err(text)?;
    if device.evidence().count(Step::FlushPanicked) != 1 {
        return Err("the flush did not panic".to_owned());
    }
    zero("flushes in progress", u64::from(device.flushes_in_progress()))?;
    zero("streams claimed", device.leases() as u64)?;
    device.synchronize_all(None).map_err(text)?;
    device.trim();
    let kept = device.memory_stats().reserved_bytes as u64;
    let stranded = device.shutdown(Duration::from_secs(10)).stranded_bytes as u64;
    if kept > 0 && stranded < kept {
        return Err(format!("{kept} bytes are neither given back nor reported as stranded ({stranded})"));
    }
    Ok(())
}

/// A program that drops everything and ends, threads and all, without a shutdown.
fn no_shutdown(name: &DeviceName, seed: u64) -> Verdict {
    let device = opened(name, seed, 4)?;
    let handles: Vec<_> = (0..4)
        .map(|i| {
            let device = device.clone();
            std::thread::spawn(move || work(&device, i).map(drop))
        })
        .collect();
    let kept = work(&device, 9).map_err(text)?;
    drop(device);
    // Some threads may still run when main returns; one is not waited for at all.
    for handle in handles.into_iter().skip(1) {
        let _ = handle.join();
    }
    drop(kept);
    Ok(())
}
