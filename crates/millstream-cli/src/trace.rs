//! `millstream trace`: the stress with hand-overs for a short while, and what the profiler saw as a file for a viewer.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use millstream::{Device, Trace};
use millstream_sync::atomic::{AtomicBool, Ordering};
use millstream_verify::model::Stress;
use millstream_verify::plan::{Plan, Progress};
use millstream_verify::workload::{self, Variant};
use millstream_verify::{Error, open, round, subject};
use serde::Serialize;

use crate::args;
use crate::exit::{Ended, Stop, code};
use crate::output::{say, say_json};
use crate::progress::{self, Teller};
use crate::verify::shown;

/// Between two samples of the memory.
const SAMPLE_EVERY: Duration = Duration::from_millis(1);

/// What the file holds.
#[derive(Serialize)]
struct Summary {
    file: String,
    bytes: u64,
    device: String,
    threads: usize,
    iterations_per_thread: u64,
    size: usize,
    seconds: f64,
    errors: u64,
    thread_tracks: usize,
    stream_tracks: usize,
    operations: usize,
    host_syncs: usize,
    hand_overs: usize,
    limbo_stays: usize,
    memory_samples: usize,
    overwritten_records: u64,
    seed: u64,
}

/// Runs the command.
pub fn run(arguments: &args::Trace) -> Ended {
    progress::listen();
    let plan = Plan {
        threads: arguments.threads,
        iterations: arguments.iterations,
        duration: Duration::ZERO,
        compare: false,
        ..Plan::new(arguments.device.clone(), subject::embedded().default_seed(0))
    };
    round::look_at_device(&plan)?;
    // Before the run, so that a path that cannot be written is known at once.
    let file = NewFile::beside(&arguments.out)?;
    let device = open::open(&plan.device, plan.seed, |_| {}).map_err(Error::from)?;
    let teller = Teller::new();
    teller.stage(&format!("stress with hand-overs on {}, recorded", plan.device));
    let figures = sampled(&device, || workload::stress(&device, &plan, Variant::HandOver, &teller));
    let trace = device.trace();
    teller.stage("writing the trace");
    let bytes = file.finish(&trace)?;
    drop(teller);
    device.shutdown(Duration::from_secs(5));
    let summary = summary(arguments, &plan, &figures, &trace, bytes);
    if arguments.json {
        say_json(&summary)?;
    } else {
        say(&text(&summary))?;
    }
    Ok(match (progress::is_interrupted(), figures.passed()) {
        (true, _) => code::INTERRUPTED,
        (false, true) => 0,
        (false, false) => code::FINDINGS,
    })
}

/// Runs `work` while another thread samples the memory of `device`, before, meanwhile and after.
fn sampled<R>(device: &Device, work: impl FnOnce() -> R) -> R {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sampler = std::thread::Builder::new().name("sampler".to_owned()).spawn_scoped(scope, || {
            // ORDER: Relaxed: a flag alone, nothing is published with it.
            while !done.load(Ordering::Relaxed) {
                device.sample_memory();
                std::thread::sleep(SAMPLE_EVERY);
            }
        });
        // Without that thread the trace has the first and the last sample only.
        if sampler.is_err() {
            device.sample_memory();
        }
        let worked = work();
        // ORDER: Relaxed: as above.
        done.store(true, Ordering::Relaxed);
        device.sample_memory();
        worked
    })
}

/// A file that appears whole or not at all: written under a name beside it, then renamed.
struct NewFile {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
}

impl NewFile {
    /// Errors: code 73.
    fn beside(path: &Path) -> Result<Self, Stop> {
        let name = path.file_name().ok_or_else(|| cannot(path, "this is no name of a file"))?;
        let mut temporary = name.to_owned();
        temporary.push(format!(".{}.new", std::process::id()));
        let temporary = path.with_file_name(temporary);
        if path.is_dir() {
            return Err(cannot(path, "there is a folder of this name"));
        }
        let file = File::create(&temporary).map_err(|error| cannot(path, &error.to_string()))?;
        Ok(Self { path: path.to_owned(), temporary, file })
    }

    /// Writes `trace` and gives the file its name. Returns its bytes. Errors: code 73.
    fn finish(self, trace: &Trace) -> Result<u64, Stop> {
        let written = || -> io::Result<u64> {
            let mut out = BufWriter::new(&self.file);
            trace.write_chrome(&mut out)?;
            out.flush()?;
            drop(out);
            self.file.sync_all()?;
            std::fs::rename(&self.temporary, &self.path)?;
            Ok(self.file.metadata()?.len())
        };
        written().map_err(|error| cannot(&self.path, &error.to_string()))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Gone already when the file has its name.
        let _ = std::fs::remove_file(&self.temporary);
    }
}

fn cannot(path: &Path, why: &str) -> Stop {
    Stop::Error(code::UNWRITABLE, format!("cannot write {}: {why}; choose another file with --out", path.display()))
}

fn summary(arguments: &args::Trace, plan: &Plan, figures: &Stress, trace: &Trace, bytes: u64) -> Summary {
    let (syncs, operations): (Vec<_>, Vec<_>) = trace.spans.iter().partition(|span| span.host_sync);
    let streams: std::collections::BTreeSet<u16> = operations.iter().map(|span| span.stream).collect();
    Summary {
        file: shown(&arguments.out.display().to_string()),
        bytes,
        device: plan.device.to_string(),
        threads: plan.threads,
        iterations_per_thread: plan.iterations,
        size: plan.size,
        seconds: figures.seconds,
        errors: figures.errors,
        thread_tracks: trace.threads.len(),
        stream_tracks: streams.len(),
        operations: operations.len(),
        host_syncs: syncs.len(),
        hand_overs: trace.arrows.len(),
        limbo_stays: trace.limbo.len(),
        memory_samples: trace.memory.len(),
        overwritten_records: trace.overwritten,
        seed: plan.seed,
    }
}

fn text(summary: &Summary) -> String {
    let Summary { operations, host_syncs, hand_overs, limbo_stays, memory_samples, .. } = summary;
    let mut lines = vec![
        format!(
            "{} threads x {} iterations in {:.2}s",
            summary.threads, summary.iterations_per_thread, summary.seconds
        ),
        format!(
            "{operations} operations, {host_syncs} host syncs, {hand_overs} hand-overs, {limbo_stays} stays in limbo, {memory_samples} samples of the memory"
        ),
    ];
    if summary.overwritten_records > 0 {
        lines.push(format!(
            "{} older records were overwritten: fewer iterations keep them all",
            summary.overwritten_records
        ));
    }
    if summary.thread_tracks < summary.threads {
        lines.push(format!("{} of {} threads are in it", summary.thread_tracks, summary.threads));
    }
    lines.push(format!(
        "Trace: {} ({} bytes), for Perfetto or another viewer of Chrome traces",
        summary.file, summary.bytes
    ));
    lines.join("\n")
}
