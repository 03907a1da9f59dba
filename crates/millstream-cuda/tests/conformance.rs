//! The suite of all backends, on a CUDA device if there is one. Without one it says "not run", and why: never "passed".
//!
//! A harness of its own: the usual one has no word for a test that was not run. Arguments that are no options choose cases by a part of their name; `MILLSTREAM_CUDA_DEVICE`
//! chooses the device.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use millstream_conformance::suite::CASES;
use millstream_cuda::{CudaBackend, CudaOptions};
use millstream_hal::Backend;
use millstream_sync::Arc;

fn main() -> ExitCode {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let index = std::env::var("MILLSTREAM_CUDA_DEVICE").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let options = CudaOptions { index, ..CudaOptions::default() };
    let begun = Instant::now();
    match CudaBackend::open(&options) {
        Err(reason) => {
            println!("conformance suite of {} cases: not run: no device: {reason}", CASES.len());
            return ExitCode::SUCCESS;
        }
        Ok(device) => {
            let info = device.info();
            println!(
                "{}: {}, {}, opened in {:.2} s",
                info.name,
                info.model,
                info.numeric_class,
                begun.elapsed().as_secs_f64()
            );
        }
    }
    let make = || -> Arc<dyn Backend> { Arc::new(CudaBackend::open(&options).expect("it was opened before")) };
    let (mut run, mut failed) = (0, Vec::new());
    for case in
        CASES.iter().filter(|case| chosen.is_empty() || chosen.iter().any(|part| case.name.contains(part.as_str())))
    {
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
