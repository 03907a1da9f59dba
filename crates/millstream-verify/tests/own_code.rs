//! Rounds on a user's own code: what is clean, and each way of not being clean.

use std::io::Write;
use std::time::Duration;

use millstream::{DType, Generator, Layout, Tensor, cpu};
use millstream_sync::atomic::{AtomicBool, AtomicU64, Ordering};
use millstream_sync::{Arc, BoundedQueue, Doorbell};
use millstream_verify::Error;
use millstream_verify::model::RoundResult;
use millstream_verify::own_code::{HAND_OVER_EVERY, Report, Rounds, Work, WorkError};
use millstream_verify::plan::DeviceName;

type Returned = Result<Vec<Tensor>, WorkError>;

fn product(work: &mut Work<'_>) -> Returned {
    let a = Tensor::randn(work.device, &[24, 24], &mut work.generator)?;
    let b = a.matmul(&a)?;
    Ok(vec![b.sum()?, b])
}

fn few(rounds: u64) -> Rounds {
    Rounds::new(rounds).threads(4).iterations(20)
}

fn findings(report: &Report) -> &[String] {
    &report.rounds.last().expect("a round ran").findings
}

/// The only round, which must have found something.
fn found(report: &Report) -> String {
    assert!(!report.is_clean(), "{report}");
    assert!(matches!(report.rounds[0].result, RoundResult::Findings(_)), "{report}");
    findings(report).join("\n")
}

/// The first call whose tensor goes to the next thread.
const HANDED: u64 = HAND_OVER_EVERY - 1;

/// Long enough inside the workload that the threads meet.
fn linger() {
    std::thread::sleep(Duration::from_millis(1));
}

#[test]
fn work_that_depends_on_its_generator_alone_is_clean_and_every_tensor_is_compared() {
    for name in [DeviceName::Cpu, DeviceName::CpuQueued, DeviceName::Sim] {
        let report = few(3).on(name).workload(|work| {
            linger();
            product(work)
        });
        let report = report.run().expect("the device opens");
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.rounds.len(), 3);
        for round in &report.rounds {
            assert_eq!(round.values_compared, 4 * 20 * 2 + round.handed_over, "{report}");
            assert!(round.handed_over > 0 && round.handed_over <= 4 * 20 / HAND_OVER_EVERY, "{report}");
            assert!(round.max_concurrent > 1, "{report}");
        }
        assert!(report.to_string().ends_with("Consecutive clean rounds: 3 of 3 (N=1, N=2, N=3)"), "{report}");
    }
}

#[test]
fn rounds_differ_and_a_seed_makes_the_same_draws_again() {
    let draws = Arc::new(BoundedQueue::with_capacity(64));
    let kept = draws.clone();
    let rounds = Rounds::new(2).threads(2).iterations(1).workload(move |work| {
        linger();
        let drawn = Tensor::randn(work.device, &[4], &mut work.generator)?;
        if work.thread == 0 {
            let _ = kept.try_push(drawn.to_vec::<f32>()?[0].to_bits());
        }
        Ok(vec![drawn])
    });
    let seeds: Vec<u64> = rounds.run().unwrap().rounds.iter().map(|round| round.seed).collect();
    assert_ne!(seeds[0], seeds[1]);
    let first: Vec<u32> = std::iter::from_fn(|| draws.try_pop()).collect();
    assert_ne!(first[0], *first.last().unwrap());
    rounds.seed(seeds[1]).run().unwrap();
    assert_eq!(draws.try_pop(), first.last().copied());
}

#[test]
fn state_that_threads_race_for_is_found() {
    let shared = AtomicU64::new(0);
    let report = few(2).workload(move |work| {
        linger();
        let turn = shared.fetch_add(1, Ordering::Relaxed);
        Ok(vec![Tensor::randn(work.device, &[8], &mut Generator::new(turn))?])
    });
    let report = report.run().unwrap();
    assert_eq!(report.rounds.len(), 1, "they end at the first that is not clean");
    assert!(found(&report).contains("tensor 0 has other values than alone"), "{report}");
    assert!(report.rounds[0].mismatches >= 80 && report.rounds[0].unnamed > 0, "{report}");
}

#[test]
fn a_number_of_tensors_that_changes_is_found() {
    let calls = AtomicU64::new(0);
    let report = few(1).workload(move |work| {
        linger();
        let one = product(work)?;
        Ok(if calls.fetch_add(1, Ordering::Relaxed) == 100 { Vec::new() } else { one })
    });
    assert!(found(&report.run().unwrap()).contains("0 tensors, alone 2"));
}

#[test]
fn a_tensor_that_changes_on_its_way_to_the_next_thread_is_found_though_its_maker_read_it_right() {
    let file = Arc::new(tempfile::NamedTempFile::new().expect("a folder for temporary files"));
    std::fs::write(file.path(), [1.0f32; 16].map(f32::to_le_bytes).as_flattened()).expect("room for 64 bytes");
    let calls = AtomicU64::new(0);
    let (changed, bell) = (AtomicBool::new(false), Doorbell::new());
    let report = Rounds::new(1).threads(2).iterations(6).sync_every(5).workload(move |work| {
        let together = calls.fetch_add(1, Ordering::Relaxed) >= 12;
        match (work.thread, work.iteration) {
            (0, HANDED) => {
                // A tensor over a file that is written later, which nobody may do.
                let mapped = work.device.map_file(file.path(), 0, 64)?;
                let line = Layout::contiguous(&[16])?;
                let handle = work.device.export_dlpack(mapped, DType::F32, &line, false)?;
                return Ok(vec![Tensor::from_dlpack(work.device, handle)?]);
            }
            // Thread 0 has read its own tensors after the call before, thread 1 has not read what it was given.
            (0, _) if together && work.iteration > HANDED => {
                let mut written = std::fs::OpenOptions::new().write(true).open(file.path())?;
                written.write_all(&2.0f32.to_le_bytes())?;
                changed.store(true, Ordering::Relaxed);
                bell.ring();
            }
            (1, HANDED) if together => assert!(bell.wait_until(None, || changed.load(Ordering::Relaxed))),
            _ => {}
        }
        Ok(vec![Tensor::ones(work.device, &[4])?])
    });
    let report = report.run().expect("the device opens");
    assert_eq!(found(&report), "thread 1 read other values in the tensor that thread 0 made in call 4");
    assert_eq!(report.rounds[0].mismatches, 1);
}

#[test]
fn a_panic_and_an_error_are_findings_with_their_place() {
    let calls = AtomicU64::new(0);
    let panics = few(1).workload(move |work| {
        let late = calls.fetch_add(1, Ordering::Relaxed) >= 80;
        assert!(!(late && work.thread == 2 && work.iteration == 7), "seven");
        product(work)
    });
    assert!(found(&panics.run().unwrap()).contains("thread 2, call 7: panicked: seven"));

    let fails = few(1).workload(|work| {
        let wrong = Tensor::zeros(work.device, &[3, 4])?;
        Ok(vec![wrong.matmul(&wrong)?])
    });
    assert!(found(&fails.run().unwrap()).starts_with("already on one thread: thread 0, call 0: failed:"));
}

#[test]
fn what_is_kept_after_the_last_call_is_found() {
    let kept = Arc::new(BoundedQueue::with_capacity(1024));
    let calls = AtomicU64::new(0);
    let report = few(1).workload(move |work| {
        linger();
        let made = product(work)?;
        if calls.fetch_add(1, Ordering::Relaxed) >= 80 {
            let _ = kept.try_push(made[0].clone());
        }
        Ok(made)
    });
    assert!(found(&report.run().unwrap()).contains("bytes are live that were not before"));
}

#[test]
fn a_thread_that_never_comes_back_is_found_at_the_deadline() {
    let calls = AtomicU64::new(0);
    let report = few(1).deadline(Duration::from_millis(300)).workload(move |work| {
        if calls.fetch_add(1, Ordering::Relaxed) >= 80 && work.thread == 1 {
            Doorbell::new().wait_until(None, || false);
        }
        product(work)
    });
    assert!(found(&report.run().unwrap()).contains("thread 1 was not done after 300ms"));
}

#[test]
fn a_round_that_compared_nothing_or_never_met_is_incomplete() {
    let result = |rounds: Rounds| rounds.run().unwrap().rounds[0].result.clone();
    let incomplete = |text: &str| RoundResult::Incomplete(text.to_owned());
    let nothing = few(1).workload(|_| {
        linger();
        Ok(Vec::new())
    });
    assert_eq!(result(nothing), incomplete("the workload returned no tensor: nothing was compared"));
    assert_eq!(
        result(few(1).threads(1).workload(product)),
        incomplete("never were two threads in the workload at once")
    );
    assert_eq!(result(few(1)), incomplete("neither a workload nor an attempt"));
    assert!(!few(0).run().unwrap().is_clean());
}

#[test]
fn the_callers_own_device_stays_open() {
    let device = cpu::open().unwrap();
    let weights = Tensor::randn(&device, &[24, 24], &mut Generator::new(3)).unwrap();
    let shared = weights.clone();
    let report = few(2).device(&device).workload(move |work| {
        linger();
        let x = Tensor::randn(work.device, &[24, 24], &mut work.generator)?;
        Ok(vec![x.matmul(&shared)?])
    });
    let report = report.run().unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(weights.to_vec::<f32>().unwrap().len(), 576);
}

#[test]
fn attempts_of_the_product_run_too_and_those_that_need_the_binary_say_so() {
    let report = few(1).attempts(["hand_over"]).run().unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.rounds[0].attempts[0].id, "hand_over");
    assert!(report.to_string().contains("hand_over: CLEAN"), "{report}");
    for id in ["thread_local", "fork"] {
        assert!(matches!(few(1).attempts([id]).run(), Err(Error::NeedsBinary { .. })), "{id}");
    }
    assert!(matches!(few(1).attempts(["no_such"]).run(), Err(Error::UnknownAttempt { .. })));
}
