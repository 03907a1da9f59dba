//! The console block of the stress run: the lines of the first report in their order, then ours.
//!
//! The same lines appear on the console, in the Markdown report and in the HTML page. This file holds their wording
//! and changes only with the command-line contract; it does not print.
//!
//! **Checked by**: the tests below, against the contract's own example.

use crate::model::Stress;

/// The line before the run.
pub fn start_line(threads: u64, iterations_per_thread: u64) -> String {
    format!("Starting {threads}-thread extended duration stress test ({iterations_per_thread} iterations each)...")
}

/// The lines after the run: first block in the seed's form, values compared, overlap, and the further blocks.
pub fn result_lines(stress: &Stress) -> Vec<String> {
    let mut lines = vec![
        format!("Completed in {:.2}s", stress.seconds),
        format!("Total operations: {} (1 op = 2 randn, matmul, sum, mean)", stress.operations),
        format!("Throughput: {:.1} ops/sec", stress.ops_per_second),
        format!("Total errors: {}", stress.errors),
        verdict_line(stress),
        format!("Values compared: {}, mismatches: {}", stress.values_compared, stress.mismatches),
        format!("Max concurrent: {}", stress.max_concurrent),
    ];
    if let Some(all) = &stress.blocks {
        let mut line = format!("Blocks: {}, {} ops in {:.1}s", all.count, all.operations, all.seconds);
        if all.errors > 0 || all.mismatches > 0 {
            line.push_str(&format!(", errors: {}, mismatches: {}", all.errors, all.mismatches));
        }
        lines.push(line);
    }
    lines.extend(driver_calls(stress));
    lines.extend(longer_than_asked(stress));
    lines
}

/// What the first block asked of the driver, for each of its operations.
fn driver_calls(stress: &Stress) -> Option<String> {
    let calls = stress.driver_calls?;
    let each = |calls: u64| calls as f64 / stress.operations.max(1) as f64;
    let [enqueues, questions, others] = [calls.enqueues, calls.questions, calls.others].map(each);
    Some(format!("Driver calls of an operation: {enqueues:.2} enqueues, {questions:.2} questions, {others:.2} others"))
}

/// Where the first block alone took longer than the duration: a block is never cut, and the reader is told.
fn longer_than_asked(stress: &Stress) -> Option<String> {
    let asked = stress.asked_seconds.filter(|asked| stress.seconds > *asked)?;
    let Stress { seconds, threads, iterations_per_thread, .. } = stress;
    Some(format!(
        "One block took {seconds:.1}s, longer than the {asked}s asked for: a block is {threads} threads x {iterations_per_thread} iterations and is not cut"
    ))
}

/// The whole block, one string without a newline at its end.
pub fn block(stress: &Stress) -> String {
    let mut lines = vec![start_line(stress.threads, stress.iterations_per_thread)];
    lines.extend(result_lines(stress));
    lines.join("\n")
}

/// `PASS` speaks for all blocks, not only the first.
fn verdict_line(stress: &Stress) -> String {
    let word = if stress.passed() { "PASS" } else { "FAIL" };
    let errors = stress.total_errors();
    let mut line = format!("{word}: Extended duration stress test completed with {errors} errors");
    if stress.total_mismatches() > 0 {
        line.push_str(&format!(" and {} mismatches", stress.total_mismatches()));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Blocks, DriverCalls};

    fn seed_run() -> Stress {
        Stress {
            threads: 20,
            iterations_per_thread: 500,
            operations: 10_000,
            seconds: 5.57,
            ops_per_second: 1794.68,
            values_compared: 20_200,
            max_concurrent: 20,
            ..Stress::default()
        }
    }

    #[test]
    fn block_is_the_one_of_the_contract() {
        let expected = "\
Starting 20-thread extended duration stress test (500 iterations each)...
Completed in 5.57s
Total operations: 10000 (1 op = 2 randn, matmul, sum, mean)
Throughput: 1794.7 ops/sec
Total errors: 0
PASS: Extended duration stress test completed with 0 errors
Values compared: 20200, mismatches: 0
Max concurrent: 20";
        assert_eq!(block(&seed_run()), expected);
    }

    #[test]
    fn driver_calls_are_those_of_an_operation() {
        let driver_calls = Some(DriverCalls { enqueues: 50_400, questions: 2_500, others: 3 });
        let stress = Stress { driver_calls, ..seed_run() };
        let line = "Driver calls of an operation: 5.04 enqueues, 0.25 questions, 0.00 others";
        assert_eq!(result_lines(&stress).pop().as_deref(), Some(line));
    }

    #[test]
    fn a_block_that_took_longer_than_was_asked_for_says_so() {
        let mut stress = seed_run();
        stress.asked_seconds = Some(5.0);
        let line =
            "One block took 5.6s, longer than the 5s asked for: a block is 20 threads x 500 iterations and is not cut";
        assert_eq!(result_lines(&stress).pop().as_deref(), Some(line));
        stress.asked_seconds = Some(6.0);
        assert_eq!(block(&stress), block(&seed_run()));
    }

    #[test]
    fn further_blocks_are_one_line_and_their_mismatches_fail_the_run() {
        let mut stress = seed_run();
        let all = Blocks { count: 12, operations: 120_000, seconds: 5.1, ..Blocks::default() };
        stress.blocks = Some(all.clone());
        let last = result_lines(&stress).pop().unwrap();
        assert_eq!(last, "Blocks: 12, 120000 ops in 5.1s");
        stress.blocks = Some(Blocks { mismatches: 3, ..all });
        let text = block(&stress);
        assert!(text.contains("FAIL: Extended duration stress test completed with 0 errors and 3 mismatches"));
        assert!(text.ends_with("errors: 0, mismatches: 3"), "{text}");
    }
}
