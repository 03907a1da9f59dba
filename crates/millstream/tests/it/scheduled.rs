//! Scheduled runs on the simulator: protocols of the memory in which the order of several threads and of the device matters. The seed decides both.

use millstream::evidence::Step;
use millstream::{Backend, Device, DeviceOptions, Kernel, RuntimeError};
use millstream_sim::{SimBackend, SimOptions};
use millstream_sync::schedule::{self, Dice, Policy, Settings};
use millstream_sync::{Arc, BoundedQueue};

use crate::seeds::sweep;
use crate::{kernels, leaks};

type Body = Box<dyn FnOnce() + Send>;

/// A simulated device with a byte budget and caches of so many bytes.
fn device(seed: u64, budget_bytes: usize, cache_bytes_max: usize) -> (Arc<SimBackend>, Device) {
    device_of(SimOptions::new(seed), budget_bytes, cache_bytes_max)
}

fn device_of(options: SimOptions, budget_bytes: usize, cache_bytes_max: usize) -> (Arc<SimBackend>, Device) {
    let sim = Arc::new(SimBackend::new(options));
    let mut options = DeviceOptions::of(sim.info());
    (options.streams, options.budget_bytes, options.cache_bytes_max) = (4, budget_bytes, cache_bytes_max);
    (sim.clone(), Device::open_with(sim, options))
}

/// Runs `bodies` under `seed` and returns what must not be.
fn run(seed: u64, sim: &SimBackend, bodies: Vec<Body>) -> Vec<String> {
    let mut settings = Settings::new(seed);
    settings.trace_lines_max = 0;
    settings.policy = if seed.is_multiple_of(2) { Policy::Uniform } else { Policy::Pct { depth: 3, steps: 400 } };
    let outcome = schedule::run_with(&settings, bodies);
    let mut findings: Vec<String> = sim.findings().iter().map(ToString::to_string).collect();
    findings.extend(outcome.panics.iter().map(|(thread, text)| format!("thread {thread}: {text}")));
    findings.extend(outcome.deadlock.iter().map(|_| "deadlock".to_owned()));
    findings.extend(outcome.hang.iter().map(|hang| format!("hang: {}", hang.reason)));
    findings
}

fn sums(device: &Device, seed: u64, wrong: &BoundedQueue<String>) -> Result<(), RuntimeError> {
    let mut dice = Dice::new(seed);
    for round in 0..6 {
        let elements = [1024, 2048][dice.below(2)];
        let value = (seed % 7 + round) as f32;
        let filled = device.launch(kernels::fill(elements, value), elements * 4, &[])?;
        let sum = device.launch(kernels::sum(elements), 4, &[&filled])?;
        drop(filled);
        if dice.below(2) == 0 {
            let bytes = device.download(&[(&sum, 4)])?;
            let found = f32::from_le_bytes(bytes.try_into().unwrap_or_default());
            if found != value * elements as f32 {
                let _ = wrong.try_push(format!("{elements} times {value} gave {found}"));
            }
        }
    }
    Ok(())
}

#[test]
fn a_block_of_a_busy_pool_is_written_only_after_the_work_of_its_stream() {
    let mut behind_waits = 0;
    let whole = sweep(400, |seed| {
        // Room for one block of each size and for the sums: who wants the other size takes it from another stream's pool.
        let (sim, device) = device(seed, 4096 + 8192 + 8 * 256, 0);
        let wrong = Arc::new(BoundedQueue::with_capacity(16));
        let bodies = (0..3).map(|thread| {
            let (device, wrong) = (device.clone(), wrong.clone());
            let body = move || match sums(&device, seed * 8 + thread, &wrong) {
                Ok(()) | Err(RuntimeError::OutOfMemory { .. }) => {}
                Err(error) => drop(wrong.try_push(error.to_string())),
            };
            Box::new(body) as Body
        });
        let findings = run(seed, &sim, bodies.collect());
        assert!(findings.is_empty(), "seed {seed}: {findings:?}");
        assert_eq!(wrong.try_pop(), None, "seed {seed}");
        behind_waits += device.evidence().count(Step::StealBehindWait);
        leaks::check(&device);
    });
    assert!(!whole || behind_waits > 100, "only {behind_waits} blocks were taken behind a wait");
}

#[test]
fn one_thread_grows_and_the_others_wait_for_it_and_search_again() {
    let mut raced = 0;
    let whole = sweep(400, |seed| {
        let (sim, device) = device(seed, 8 << 20, 0);
        let bodies = (0..3).map(|_| {
            let device = device.clone();
            Box::new(move || drop(device.allocate(4096).expect("room for three"))) as Body
        });
        let findings = run(seed, &sim, bodies.collect());
        assert!(findings.is_empty(), "seed {seed}: {findings:?}");
        raced += device.evidence().count(Step::RacedGrowth);
        assert!(device.memory_stats().reserved_bytes_max <= 8 << 20);
        leaks::check(&device);
    });
    assert!(!whole || raced > 0, "no two threads ever grew at the same time");
}

#[test]
fn nothing_is_refused_while_a_block_is_on_its_way_between_two_places() {
    sweep(1000, |seed| {
        // Two threads, room for two blocks, one at a time each: there always is one, if in another thread's hands.
        let (sim, device) = device(seed, 2 * 4096, 64 << 10);
        let bodies = (0..2).map(|thread| {
            let device = device.clone();
            let body = move || {
                let mut dice = Dice::new(seed * 2 + thread);
                for _ in 0..5 {
                    drop(device.allocate(4096).unwrap_or_else(|error| panic!("{error}")));
                    match dice.below(4) {
                        0 => device.leave_thread(),
                        1 => drop(device.trim()),
                        _ => {}
                    }
                }
            };
            Box::new(body) as Body
        });
        let findings = run(seed, &sim, bodies.collect());
        assert!(findings.is_empty(), "seed {seed}: {findings:?}");
        leaks::check(&device);
    });
}

#[test]
fn a_block_that_another_stream_used_and_freed_is_not_written_before_that_use() {
    let mut waited = 0;
    let whole = sweep(400, |seed| {
        let (sim, device) = device(seed, 8 << 20, 64 << 10);
        let mail = Arc::new(BoundedQueue::with_capacity(8));
        let fill = |device: &Device| device.launch(kernels::fill(256, 1.0), 1024, &[]);
        let maker = {
            let (device, mail) = (device.clone(), mail.clone());
            move || {
                for _ in 0..8 {
                    let _ = mail.try_push(fill(&device).expect("room"));
                }
            }
        };
        let user = {
            let (device, mail) = (device.clone(), mail.clone());
            move || {
                for _ in 0..8 {
                    if let Some(buffer) = mail.try_pop() {
                        let _ = device.enqueue(Kernel::Spin { micros: 1000 });
                        drop(device.launch(kernels::copy(256), 1024, &[&buffer]).expect("room"));
                    }
                    schedule::point(schedule::Point::Wait);
                }
            }
        };
        let findings = run(seed, &sim, vec![Box::new(maker), Box::new(user)]);
        assert!(findings.is_empty(), "seed {seed}: {findings:?}");
        while mail.try_pop().is_some() {}
        waited += device.evidence().count(Step::LimboEntered);
        leaks::check(&device);
    });
    assert!(!whole || waited > 0, "no block was freed while it was in use elsewhere");
}

#[test]
fn a_workspace_is_used_by_one_launch_at_a_time() {
    sweep(400, |seed| {
        let options = SimOptions { workspace_bytes: 3000, ..SimOptions::new(seed) };
        // With caches and without: a workspace goes back to its thread, or is taken by others behind a wait.
        let cache = [0, 64 << 10][seed as usize % 2];
        let (sim, device) = device_of(options, 3 * (8192 + 3072 + 512), cache);
        let wrong = Arc::new(BoundedQueue::with_capacity(16));
        let bodies = (0..3).map(|thread| {
            let (device, wrong) = (device.clone(), wrong.clone());
            let body = move || match sums(&device, seed * 8 + thread, &wrong) {
                Ok(()) | Err(RuntimeError::OutOfMemory { .. }) => {}
                Err(error) => drop(wrong.try_push(error.to_string())),
            };
            Box::new(body) as Body
        });
        let findings = run(seed, &sim, bodies.collect());
        assert!(findings.is_empty(), "seed {seed}: {findings:?}");
        assert_eq!(wrong.try_pop(), None, "seed {seed}");
        let stats = device.memory_stats();
        assert!(stats.workspaces >= 3 && stats.workspace_bytes_max == 3000, "seed {seed}: {stats:?}");
        assert!(stats.reserved_bytes_max <= stats.budget_bytes && stats.live_bytes == 0, "seed {seed}: {stats:?}");
        leaks::check(&device);
    });
}

#[test]
fn a_workspace_counts_in_the_budget() {
    let options = SimOptions { workspace_bytes: 1 << 20, ..SimOptions::new(1) };
    let (_sim, device) = device_of(options, 1 << 20, 0);
    let filled = device.launch(kernels::fill(64, 1.0), 256, &[]).expect("room for the input");
    let refused = device.launch(kernels::sum(64), 4, &[&filled]).unwrap_err();
    assert!(matches!(refused, RuntimeError::OutOfMemory { requested, .. } if requested == 1 << 20), "{refused:?}");
    assert_eq!(device.memory_stats().live_bytes, 256, "what the refused launch had is free again");
    drop(filled);
    leaks::check(&device);
}

#[test]
fn a_thread_that_leaves_while_the_device_closes_keeps_no_block() {
    let mut refused = 0;
    let whole = sweep(400, |seed| {
        let (sim, device) = device(seed, 8 << 20, 64 << 10);
        let leaves = || {
            let device = device.clone();
            let body = move || {
                // A device that is closed gives none.
                drop(device.allocate(4096));
                device.leave_thread();
            };
            Box::new(body) as Body
        };
        let closes = device.clone();
        let closes = Box::new(move || drop(closes.shutdown(std::time::Duration::from_secs(20))));
        let findings = run(seed, &sim, vec![leaves(), leaves(), closes]);
        assert!(findings.is_empty(), "seed {seed}: {findings:?}");
        refused += device.evidence().count(Step::FlushRefused);
        let report = device.shutdown(std::time::Duration::ZERO);
        assert_eq!(report.stranded_bytes, 0, "seed {seed}: {report:?}");
        leaks::check(&device);
    });
    assert!(!whole || refused > 0, "no flush was ever refused");
}
