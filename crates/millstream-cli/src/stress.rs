//! `millstream stress`: the workload alone, and its figures.

use std::time::Duration;

use millstream::DeviceOptions;
use millstream_verify::model::{Blocks, DriverCalls, Stress};
use millstream_verify::plan::{Plan, Progress};
use millstream_verify::workload::{self, Variant};
use millstream_verify::{Error, console, open, round, subject};
use serde::Serialize;

use crate::args;
use crate::exit::{Ended, code};
use crate::output::{say, say_json};
use crate::progress::{self, Teller};

/// The figures, in the order of the contract.
#[derive(Serialize)]
struct Figures<'a> {
    threads: u64,
    iterations_per_thread: u64,
    sync_every: u64,
    size: u64,
    operations: u64,
    seconds: f64,
    ops_per_second: f64,
    errors: u64,
    values_compared: u64,
    mismatches: u64,
    values_digest: &'a str,
    max_concurrent: u64,
    p50_us: f64,
    p99_us: f64,
    device: String,
    seed: u64,
    compared: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    driver_calls: Option<DriverCalls>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocks: Option<&'a Blocks>,
}

/// Runs the command.
pub fn run(arguments: &args::Stress) -> Ended {
    progress::listen();
    let seed = arguments.workload.seed.unwrap_or_else(|| subject::embedded().default_seed(0));
    let plan = Plan { compare: !arguments.no_compare, warm_up: arguments.warm_up, ..arguments.workload.plan(seed) };
    round::look_at_device(&plan)?;
    let streams = |options: &mut DeviceOptions| options.streams = arguments.streams.unwrap_or(options.streams);
    let device = open::open(&plan.device, plan.seed, streams).map_err(Error::from)?;
    let teller = Teller::new();
    teller.stage(&format!("stress on {}, seed {seed:#x}", plan.device));
    if !arguments.json {
        say(&console::start_line(plan.threads as u64, plan.iterations))?;
    }
    let figures = workload::stress(&device, &plan, Variant::Plain, &teller);
    drop(teller);
    device.shutdown(Duration::from_secs(5));
    if arguments.json {
        say_json(&shape(&figures, &plan))?;
    } else {
        say(&lines(&figures, plan.compare))?;
    }
    Ok(match (progress::is_interrupted(), figures.passed()) {
        (true, _) => code::INTERRUPTED,
        (false, true) => 0,
        (false, false) => code::FINDINGS,
    })
}

fn lines(figures: &Stress, compared: bool) -> String {
    let mut lines = console::result_lines(figures);
    if !compared {
        for line in lines.iter_mut().filter(|line| line.starts_with("Values compared:")) {
            *line = "Values compared: none, timing only (--no-compare)".to_owned();
        }
    }
    lines.push(format!("Latency: p50 {:.0} us, p99 {:.0} us", figures.p50_us, figures.p99_us));
    lines.join("\n")
}

fn shape<'a>(stress: &'a Stress, plan: &Plan) -> Figures<'a> {
    Figures {
        threads: stress.threads,
        iterations_per_thread: stress.iterations_per_thread,
        sync_every: stress.sync_every,
        size: stress.size,
        operations: stress.operations,
        seconds: stress.seconds,
        ops_per_second: stress.ops_per_second,
        errors: stress.errors,
        values_compared: stress.values_compared,
        mismatches: stress.mismatches,
        values_digest: &stress.values_digest,
        max_concurrent: stress.max_concurrent,
        p50_us: stress.p50_us,
        p99_us: stress.p99_us,
        device: plan.device.to_string(),
        seed: plan.seed,
        compared: plan.compare,
        driver_calls: stress.driver_calls,
        blocks: stress.blocks.as_ref(),
    }
}
