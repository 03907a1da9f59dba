//! The suite of all backends, on a CUDA device if there is one. Without one it says "not run", and why: never "passed".
//!
//! A harness of its own: the usual one has no word for a test that was not run. Arguments that are no options choose cases by a part of their name, with `--exact` by the whole of it;
//! `--list` names the cases and runs none. `MILLSTREAM_CUDA_DEVICE` chooses the device, `MILLSTREAM_CUDA_MEMORY_MIB` how much of its memory the cases may count on: the case that takes memory and gives it
//! back goes round three times. `sanitize.sh` beside this file runs each case in a process of its own under compute-sanitizer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use millstream_conformance::suite::CASES;
use millstream_cuda::{CudaBackend, CudaOptions};
use millstream_hal::Backend;
use millstream_sync::Arc;

fn main() -> ExitCode {
    let (flags, chosen): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
    let given = |flag: &str| flags.iter().any(|given| given == flag);
    if given("--list") {
        CASES.iter().for_each(|case| println!("{}", case.name));
        return ExitCode::SUCCESS;
    }
    let matches = |name: &str, part: &str| if given("--exact") { name == part } else { name.contains(part) };
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
    let mebibytes = number("MILLSTREAM_CUDA_MEMORY_MIB");
    let options = CudaOptions {
        index: number("MILLSTREAM_CUDA_DEVICE").unwrap_or(0),
        memory_bytes: mebibytes.map(|mebibytes| (mebibytes as usize) << 20),
        ..CudaOptions::default()
    };
    let begun = Instant::now();
    match CudaBackend::open(&options) {
        Err(reason) => {
            println!("conformance suite of {} cases: not run: no device: {reason}", CASES.len());
            return ExitCode::SUCCESS;
        }
        Ok(device) => {
            let info = device.info();
            println!(
                "{}: {}, {}, {} MiB of memory, opened in {:.2} s",
                info.name,
                info.model,
                info.numeric_class,
                info.memory_bytes >> 20,
                begun.elapsed().as_secs_f64()
            );
        }
    }
    let make = || -> Arc<dyn Backend> { Arc::new(CudaBackend::open(&options).expect("it was opened before")) };
    let (mut run, mut failed) = (0, Vec::new());
    for case in CASES.iter().filter(|case| chosen.is_empty() || chosen.iter().any(|part| matches(case.name, part))) {
        let begun = Instant::now();
        let passed = catch_unwind(AssertUnwindSafe(|| case.run(&make))).is_ok();
        println!(
            "{} {:>7.2} s  {}::{}",
            if passed { "ok  " } else { "FAIL" },
            begun.elapsed().as_secs_f64(),
            case.group,
            case.name
        );
        run += 1;
        if !passed {
            failed.push(case.name);
        }
    }
    println!("conformance suite: {run} cases run, {} failed {failed:?}", failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
