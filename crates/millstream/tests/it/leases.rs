//! The stream of an idle thread goes to one that wants it; that of a thread at work, or of one with a guard or a handle, does not.

use std::time::{Duration, Instant};

use millstream::evidence::Step;
use millstream::{Device, DeviceOptions, Kernel, RuntimeError, StreamPolicy, Tensor};
use millstream_sim::{SimBackend, SimOptions};
use millstream_sync::schedule::{self, Dice, Policy, Settings};
use millstream_sync::{Arc, BoundedQueue, thread};

use crate::kernels;
use crate::leaks::{self, Checked, cpu};

const WINDOW: Duration = Duration::from_millis(5);
/// Longer than a busy machine lets a thread wait.
const LONG: Duration = Duration::from_secs(20);

fn device(policy: StreamPolicy, window: Duration) -> Checked {
    cpu::open_with(cpu::CpuOptions::inline(), |options| {
        options.streams = 1;
        options.policy = policy;
        options.lease_idle_window = window;
    })
    .expect("the CPU is always there")
}

/// Runs `idle` on a thread that then does nothing until `f` has returned, and is asked once more.
fn beside_an_idle_thread<R>(idle: impl Fn() + Send + Sync, f: impl FnOnce() -> R) -> R {
    let (ready, done) = (BoundedQueue::with_capacity(1), BoundedQueue::with_capacity(1));
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            idle();
            ready.try_push(()).expect("room");
            while done.try_pop().is_none() {
                thread::sleep(Duration::from_millis(1));
            }
            idle();
        });
        while ready.try_pop().is_none() {
            thread::yield_now();
        }
        let found = f();
        done.try_push(()).expect("room");
        // Its lease comes back in its destructors, which the end of a scope does not wait for.
        other.join().expect("no panic");
        found
    })
}

fn works(device: &Device, value: f32) {
    let tensor = Tensor::from_slice(device, &[value; 64], &[64]).expect("a stream");
    assert_eq!(tensor.sum().expect("a stream").item::<f32>().expect("a value"), value * 64.0);
}

/// Asks until it gets an answer other than "all are taken".
fn patiently<R>(mut f: impl FnMut() -> Result<R, RuntimeError>) -> R {
    let begun = Instant::now();
    loop {
        match f() {
            Err(RuntimeError::NoStream { .. }) if begun.elapsed() < LONG => thread::sleep(WINDOW),
            other => return other.expect("a stream"),
        }
    }
}

#[test]
fn under_every_policy_an_idle_thread_loses_its_stream_and_gets_one_again() {
    for policy in [StreamPolicy::Fail, StreamPolicy::Wait(LONG), StreamPolicy::Share] {
        let device = device(policy, WINDOW);
        beside_an_idle_thread(
            || {
                patiently(|| device.enqueue(Kernel::Spin { micros: 0 }).map(drop));
                works(&device, 2.0);
            },
            || {
                thread::sleep(2 * WINDOW);
                patiently(|| device.enqueue(Kernel::Spin { micros: 0 }).map(drop));
                works(&device, 3.0);
                let evidence = device.evidence();
                assert_eq!(evidence.count(Step::LeaseRevoked), 1, "{policy:?}");
                assert_eq!(evidence.count(Step::LeaseShared), 0, "{policy:?}: there was an idle one");
                assert_eq!(device.leases(), 1);
                // Its work is done, so that the other one can have the stream back.
                thread::sleep(2 * WINDOW);
            },
        );
        assert_eq!(device.evidence().count(Step::LeaseRevoked), 2, "{policy:?}");
        assert_eq!(device.leases(), 0, "{policy:?}: each lease went back once");
        assert_eq!(device.evidence().count(Step::DoubleReturn), 0, "{policy:?}");
    }
}

#[test]
fn the_blocks_of_a_revoked_lease_serve_the_next_one() {
    let device = device(StreamPolicy::Fail, WINDOW);
    beside_an_idle_thread(
        || patiently(|| device.allocate(1 << 20).map(drop)),
        || {
            assert!(device.memory_stats().cached_bytes >= 1 << 20);
            thread::sleep(2 * WINDOW);
            let kept = patiently(|| device.allocate(1 << 20));
            let stats = device.memory_stats();
            assert_eq!((stats.cached_bytes, stats.segments), (0, 1), "{stats:?}");
            drop(kept);
            thread::sleep(2 * WINDOW);
        },
    );
}

#[test]
fn a_block_that_is_freed_after_the_revocation_is_not_lost() {
    let device = device(StreamPolicy::Wait(LONG), WINDOW);
    let mail = BoundedQueue::with_capacity(1);
    beside_an_idle_thread(
        || {
            // The second time it drops what it had from the first, before it uses the device.
            if mail.try_pop().is_none() {
                mail.try_push(device.allocate(4096).expect("a stream")).expect("room");
            }
        },
        || {
            patiently(|| device.allocate(256).map(drop));
            assert_eq!(device.evidence().count(Step::LeaseRevoked), 1);
        },
    );
    assert_eq!(device.memory_stats().live_bytes, 0);
}

#[test]
fn a_thread_inside_a_call_keeps_its_stream() {
    let device = device(StreamPolicy::Fail, Duration::ZERO);
    thread::scope(|scope| {
        let at_work = scope.spawn(|| {
            device.enqueue(Kernel::Spin { micros: 200_000 }).expect("a stream");
            Instant::now()
        });
        while device.leases() == 0 {
            thread::yield_now();
        }
        let got = patiently(|| device.enqueue(Kernel::Spin { micros: 0 }).map(|_| Instant::now()));
        assert!(got >= at_work.join().expect("no panic") - Duration::from_millis(1), "it was inside a call");
    });
    assert_eq!(device.evidence().count(Step::RevokedInside), 0);
}

#[test]
fn a_guard_and_a_handle_keep_the_stream_until_they_drop() {
    let device = device(StreamPolicy::Fail, Duration::ZERO);
    let own = device.current_stream().expect("a stream");
    let elsewhere =
        || thread::scope(|scope| scope.spawn(|| device.current_stream().map(drop)).join().expect("no panic"));
    let refused = |what: &str| match elsewhere() {
        Err(RuntimeError::NoStream { .. }) => {}
        other => panic!("{what}: {other:?}"),
    };
    refused("a handle");
    let copy = own.clone();
    drop(own);
    refused("a copy of the handle");
    let guard = device.with_stream(&copy).expect("the same device");
    drop(copy);
    works(&device, 1.0);
    refused("a guard");
    drop(guard);
    elsewhere().expect("nothing keeps it");
    assert_eq!(device.evidence().count(Step::LeaseRevoked), 1);
    // A handle that goes on another thread lets go too.
    let handle = device.current_stream().expect("it was given back at the other thread's exit");
    refused("a handle again");
    thread::scope(|scope| drop(scope.spawn(move || drop(handle))));
    elsewhere().expect("nothing keeps it");
}

#[test]
fn work_in_flight_keeps_the_stream() {
    let device = cpu::open_with(cpu::CpuOptions::queued(), |options| {
        (options.streams, options.policy, options.lease_idle_window) = (1, StreamPolicy::Fail, Duration::ZERO);
    })
    .expect("the CPU is always there");
    let event = millstream::Event::new(&device, false);
    device.enqueue(Kernel::Spin { micros: 100_000 }).expect("a stream");
    event.record().expect("a stream");
    thread::scope(|scope| {
        scope.spawn(|| {
            patiently(|| device.current_stream().map(drop));
            assert_eq!(event.query().expect("recorded"), millstream::EventState::Done, "its work was not done");
        });
    });
}

#[test]
fn without_a_window_nobody_loses_a_stream() {
    let device = device(StreamPolicy::Fail, Duration::MAX);
    beside_an_idle_thread(
        || works(&device, 1.0),
        || {
            thread::sleep(2 * WINDOW);
            let refused = device.allocate(64).map(drop);
            assert!(matches!(refused, Err(RuntimeError::NoStream { .. })), "{refused:?}");
        },
    );
    assert_eq!(device.evidence().count(Step::LeaseRevoked), 0);
}

/// Three threads on one or two streams of the simulator: whoever is outside of a call may lose its stream at any step.
#[test]
fn revoked_leases_change_no_value_in_scheduled_runs() {
    let (mut revoked, mut waited) = (0, 0);
    for seed in 0..200u64 {
        let sim = Arc::new(SimBackend::new(SimOptions::new(seed)));
        let mut options = DeviceOptions::of(millstream::Backend::info(&*sim));
        options.streams = 1 + seed as usize % 2;
        options.policy = [StreamPolicy::Wait(LONG), StreamPolicy::Share][seed as usize / 2 % 2];
        let device = Device::open_with(sim.clone(), options);
        let wrong = Arc::new(BoundedQueue::with_capacity(16));
        let bodies = (0..3u64).map(|thread| {
            let (device, wrong) = (device.clone(), wrong.clone());
            let body = move || {
                if let Err(error) = turns(&device, seed * 8 + thread, &wrong) {
                    drop(wrong.try_push(error.to_string()));
                }
            };
            Box::new(body) as Box<dyn FnOnce() + Send>
        });
        let mut settings = Settings::new(seed);
        settings.trace_lines_max = 0;
        settings.policy = if seed % 4 < 2 { Policy::Uniform } else { Policy::Pct { depth: 3, steps: 600 } };
        let outcome = schedule::run_with(&settings, bodies.collect());
        assert!(outcome.is_clean(), "seed {seed}: {:?} {:?} {:?}", outcome.panics, outcome.deadlock, outcome.hang);
        assert!(sim.findings().is_empty(), "seed {seed}: {:?}", sim.findings());
        assert_eq!(wrong.try_pop(), None, "seed {seed}");
        let count = |step| device.evidence().count(step);
        assert_eq!((count(Step::RevokedInside), count(Step::DoubleReturn), device.leases()), (0, 0, 0), "seed {seed}");
        revoked += count(Step::LeaseRevoked);
        waited += count(Step::LeaseWait);
        leaks::check(&device);
    }
    assert!(revoked > 20 && waited > 0, "{revoked} revoked, {waited} waited");
}

fn turns(device: &Device, seed: u64, wrong: &BoundedQueue<String>) -> Result<(), RuntimeError> {
    let mut dice = Dice::new(seed);
    let mut kept = None;
    for turn in 0..6 {
        let value = (seed % 7 + turn) as f32;
        let filled = device.launch(kernels::fill(256, value), 1024, &[])?;
        let sum = device.launch(kernels::sum(256), 4, &[&filled])?;
        // What an earlier turn made may be dropped when its stream is another thread's.
        kept = Some(filled).filter(|_| dice.below(2) == 0).or(kept);
        if dice.below(2) == 0 {
            let bytes = device.download(&[(&sum, 4)])?;
            let found = f32::from_le_bytes(bytes.try_into().unwrap_or_default());
            if found != value * 256.0 {
                let _ = wrong.try_push(format!("256 times {value} gave {found}"));
            }
        }
        // Outside of every call for a while, now and then with nothing in flight.
        (0..4).for_each(|_| schedule::point(schedule::Point::Wait));
        if dice.below(4) == 0 {
            device.leave_thread();
        }
    }
    drop(kept);
    Ok(())
}
