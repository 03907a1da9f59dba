//! What a failure takes with it and what it leaves: on the CPU, and on the simulator under schedules, where its vector clocks are the judge.

use std::time::Duration;

use millstream::evidence::Step;
use millstream::{
    Backend, BinaryOp, Buffer, DType, Device, DeviceOptions, Error, Event, EventState, FaultReport, FaultScope, Health,
    Kernel, Layout, RuntimeError, Suspect, Tensor, Views,
};
use millstream_sim::{Injections, SimBackend, SimOptions};
use millstream_sync::schedule::{self, Dice, Policy, Settings};
use millstream_sync::{Arc, BoundedQueue};

use crate::leaks::cpu::{self, CpuOptions};
use crate::leaks::{self, Checked};

const LONG: Duration = Duration::from_secs(20);

fn fill(elements: usize, value: f32) -> Kernel {
    crate::kernels::fill(elements, value)
}

/// An operation that fails on the CPU: its output is too small for it.
fn fail(device: &Device) -> Result<Buffer, RuntimeError> {
    device.launch(fill(1 << 10, 0.0), 4, &[])
}

fn report(device: &Device) -> FaultReport {
    match device.health() {
        Health::Faulted(report) => *report,
        other => panic!("the device says {other:?}"),
    }
}

fn is_fault<T>(result: Result<T, RuntimeError>) -> bool {
    matches!(result, Err(RuntimeError::Fault(_)))
}

fn value(device: &Device, buffer: &Buffer) -> Result<f32, RuntimeError> {
    let bytes = device.download(&[(buffer, 4)])?;
    Ok(f32::from_le_bytes(bytes.try_into().unwrap_or_default()))
}

fn both() -> [Checked; 2] {
    [cpu::open().expect("the CPU is always there"), cpu::open_queued().expect("the CPU is always there")]
}

#[test]
fn what_is_ordered_after_a_failure_is_lost_and_every_other_value_can_be_read() {
    for device in both() {
        let (bad, apart) = (device.acquire_stream().unwrap(), device.acquire_stream().unwrap());
        let before = {
            let _on = device.with_stream(&bad).unwrap();
            device.launch(fill(4, 1.0), 16, &[]).unwrap()
        };
        let other = {
            let _on = device.with_stream(&apart).unwrap();
            device.launch(fill(4, 2.0), 16, &[]).unwrap()
        };
        let (failed, after) = {
            let _on = device.with_stream(&bad).unwrap();
            // Long enough for what follows to be enqueued before it fails, where the device runs by itself.
            device.enqueue(Kernel::Spin { micros: 50_000 }).unwrap();
            (fail(&device).unwrap(), device.launch(fill(4, 3.0), 16, &[]))
        };
        let follows = after.as_ref().ok().map(|after| {
            let _on = device.with_stream(&apart).unwrap();
            device.launch(crate::kernels::copy(4), 16, &[after]).unwrap()
        });
        assert_eq!(follows.is_some(), device.info().asynchronous);
        assert_eq!(value(&device, &before).unwrap(), 1.0);
        assert_eq!(value(&device, &other).unwrap(), 2.0);
        assert!(is_fault(value(&device, &failed)));
        assert!(after.is_err() || is_fault(value(&device, &after.unwrap())));
        assert!(follows.is_none_or(|follows| is_fault(value(&device, &follows))));
        assert!(is_fault(device.download(&[(&other, 16), (&failed, 4)])), "a lost part loses the whole");
        assert!(is_fault(device.launch(fill(4, 4.0), 16, &[])), "no work is taken");
        assert!(is_fault(bad.synchronize()) && is_fault(device.synchronize_all(None)));
        let report = report(&device);
        assert_eq!((report.first.scope, report.first.kernel), (FaultScope::Stream, "fill"));
        assert!(device.shutdown(LONG).complete);
        assert!(matches!(value(&device, &before), Err(RuntimeError::Closed)));
    }
}

#[test]
fn a_view_that_stands_is_read_from_its_memory() {
    for device in both() {
        let whole = Tensor::from_slice(&device, &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]).unwrap();
        let turned = whole.transpose(0, 1).unwrap();
        device.synchronize().unwrap();
        drop(fail(&device).unwrap());
        assert_eq!(turned.to_vec::<f32>().unwrap(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(whole.to_vec::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert!(matches!(turned.contiguous(), Err(Error::Runtime(RuntimeError::Fault(_)))));
    }
}

#[test]
fn a_value_stands_though_its_copy_to_the_host_waited_for_the_failure() {
    let device = cpu::open_queued().unwrap();
    let bad = device.acquire_stream().unwrap();
    let (before, after) = (Event::new(&device, false), Event::new(&device, false));
    let (early, recorded) = {
        let _on = device.with_stream(&bad).unwrap();
        device.enqueue(Kernel::Spin { micros: 50_000 }).unwrap();
        let early = device.launch(fill(4, 1.0), 16, &[]).unwrap();
        before.record().unwrap();
        drop(fail(&device).unwrap());
        (early, after.record())
    };
    // On another stream, which waits for the tail of the first: the copy is lost, the value is not.
    assert_eq!(value(&device, &early).unwrap(), 1.0);
    assert_eq!(device.evidence().count(Step::ReadAfterFault), 1);
    recorded.unwrap();
    assert_eq!((before.query().unwrap(), after.query().unwrap()), (EventState::Done, EventState::Failed));
    assert!(before.synchronize(None).is_ok() && is_fault(after.synchronize(None)));
}

#[test]
fn all_threads_get_the_same_first_error() {
    for device in both() {
        let lost = fail(&device).unwrap();
        let errors: Vec<String> = std::thread::scope(|scope| {
            let calls: Vec<_> = (0..20)
                .map(|thread| {
                    let (device, lost) = (&device, &lost);
                    scope.spawn(move || {
                        let error = match thread % 4 {
                            0 => value(device, lost).map(drop),
                            1 => loop {
                                // An enqueue may still be in time.
                                if let Err(error) = device.launch(fill(4, 1.0), 16, &[]) {
                                    break Err(error);
                                }
                            },
                            2 => device.synchronize_all(None),
                            _ => {
                                let _ = value(device, lost);
                                device.acquire_stream().map(drop)
                            }
                        };
                        format!("{:?}", error.unwrap_err())
                    })
                })
                .collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        assert!(errors.iter().all(|error| *error == errors[0]), "{errors:#?}");
        assert!(errors[0].contains("writes 1024 elements"), "{}", errors[0]);
    }
}

#[test]
fn a_launch_that_blocks_returns_the_fault_itself_and_leaves_one_suspect() {
    for options in [CpuOptions::inline(), CpuOptions::queued()] {
        let device = cpu::open_with(options, |options| options.launch_blocking = true).unwrap();
        let fine = device.launch(fill(4, 1.0), 16, &[]).unwrap();
        assert!(is_fault(fail(&device)), "the call that failed says so");
        let report = report(&device);
        assert_eq!(report.suspects, [Suspect { stream: 0, seq: 2, kernel: "fill" }]);
        assert!(report.to_string().contains("fill (stream 0, 2)"), "{report}");
        assert_eq!(value(&device, &fine).unwrap(), 1.0);
    }
}

#[test]
fn the_report_of_a_lost_device_names_what_was_not_known_to_be_done() {
    for launch_blocking in [false, true] {
        let injections = Injections { lost_at_launch: Some(70), ..Injections::default() };
        let sim = Arc::new(SimBackend::new(SimOptions { injections, ..SimOptions::new(5) }));
        let options = DeviceOptions { launch_blocking, ..DeviceOptions::of(sim.info()) };
        let device = Device::open_with(sim, options);
        let early = device.launch(fill(4, 1.0), 16, &[]).unwrap();
        device.synchronize().unwrap();
        let refused = (0..200).find_map(|_| device.launch(fill(4, 2.0), 16, &[]).err());
        assert!(matches!(refused, Some(RuntimeError::Fault(_))), "{refused:?}");
        let report = report(&device);
        assert_eq!(report.first.scope, FaultScope::Device);
        let culprit = Suspect { stream: 0, seq: 70, kernel: "fill" };
        let stream = report.streams[0];
        if launch_blocking {
            assert_eq!(report.suspects, [culprit]);
        } else {
            assert!(report.suspects.contains(&culprit), "{report}");
            assert_eq!(report.suspects.len() as u64 + stream.suspects_unnamed, stream.enqueued - stream.completed);
        }
        assert!(is_fault(value(&device, &early)), "a lost device has lost what was complete too");
        drop(early);
        leaks::check(&device);
    }
}

/// A value with what it must be.
type Made = (Buffer, f32);

/// Makes values of its own and of those that others put into `mail`; keeps all in `kept`.
fn compute(
    device: &Device,
    seed: u64,
    mail: &BoundedQueue<Made>,
    kept: &BoundedQueue<Made>,
    wrong: &BoundedQueue<String>,
) {
    let line = Layout::contiguous(&[8]).expect("a line");
    let add =
        Kernel::Binary { op: BinaryOp::Add, dtype: DType::F32, views: Views::new([line; 2]).expect("same shape") };
    let mut dice = Dice::new(seed);
    let mut mine: Vec<Made> = Vec::new();
    for round in 0..8u64 {
        if dice.below(2) == 0 {
            let _ = device.enqueue(Kernel::Spin { micros: 2_000 });
        }
        let theirs = mail.try_pop();
        let made = match (mine.last(), &theirs) {
            (Some((a, x)), Some((b, y))) => device.launch(add, 32, &[a, b]).map(|sum| (sum, x + y)),
            _ => {
                let value = (seed * 8 + round) as f32;
                device.launch(fill(8, value), 32, &[]).map(|filled| (filled, value))
            }
        };
        let Ok((buffer, value)) = made else { return };
        for queue in [mail, kept] {
            let _ = queue.try_push((buffer.clone(), value));
        }
        if dice.below(4) == 0
            && let Ok(found) = self::value(device, &buffer)
            && found != value
        {
            let _ = wrong.try_push(format!("{found} in place of {value}"));
        }
        mine.push((buffer, value));
    }
}

#[test]
fn a_value_can_be_read_exactly_when_it_is_independent_of_the_failure() {
    let (mut lost, mut lost_elsewhere, mut stand, mut failed, mut reads) = (0, 0, 0, 0, 0);
    for seed in 0..300u64 {
        let fails_at_launch = Some(1 + Dice::new(seed ^ 0xfa17).below(30) as u64);
        let injections = Injections { fails_at_launch, ..Injections::default() };
        let sim = Arc::new(SimBackend::new(SimOptions { injections, ..SimOptions::new(seed) }));
        let mut options = DeviceOptions::of(sim.info());
        options.streams = 4;
        let device = Device::open_with(sim.clone(), options);
        let (mail, kept) = (Arc::new(BoundedQueue::with_capacity(64)), Arc::new(BoundedQueue::with_capacity(64)));
        let wrong = Arc::new(BoundedQueue::with_capacity(16));
        let bodies = (0..3).map(|thread| {
            let (device, mail, kept, wrong) = (device.clone(), mail.clone(), kept.clone(), wrong.clone());
            Box::new(move || compute(&device, seed * 3 + thread, &mail, &kept, &wrong)) as Box<dyn FnOnce() + Send>
        });
        let mut settings = Settings::new(seed);
        settings.trace_lines_max = 0;
        settings.policy = if seed.is_multiple_of(2) { Policy::Uniform } else { Policy::Pct { depth: 3, steps: 400 } };
        let outcome = schedule::run_with(&settings, bodies.collect());
        assert!(outcome.panics.is_empty() && outcome.deadlock.is_none() && outcome.hang.is_none(), "seed {seed}");
        while mail.try_pop().is_some() {}
        let _ = device.synchronize_all(None);
        let streams = match device.health() {
            Health::Faulted(report) => report.streams.clone(),
            _ => Vec::new(),
        };
        failed += u64::from(!streams.is_empty());
        while let Some((buffer, expected)) = kept.try_pop() {
            let stamp = buffer.last_write();
            let stream = streams.iter().find(|stream| stream.stream == stamp.stream);
            let judged_lost = stream.is_some_and(|stream| sim.is_after_failure(stream.raw, stamp.seq));
            match value(&device, &buffer) {
                Ok(found) => assert!(found == expected && !judged_lost, "seed {seed}: {stamp:?} {found} {expected}"),
                Err(RuntimeError::Fault(_)) => assert!(judged_lost, "seed {seed}: {stamp:?} is independent"),
                Err(error) => panic!("seed {seed}: {error}"),
            }
            if judged_lost {
                let Health::Faulted(report) = device.health() else { panic!("seed {seed}: no report") };
                lost += 1;
                lost_elsewhere += u64::from(stream.is_some_and(|stream| stream.raw != report.first.stream.0));
            } else {
                stand += 1;
            }
        }
        assert_eq!(wrong.try_pop(), None, "seed {seed}");
        reads += device.evidence().count(Step::ReadAfterFault);
        leaks::check(&device);
        assert_eq!(sim.findings(), [], "seed {seed}");
    }
    println!("{failed} of 300 failed; {lost} values lost, {lost_elsewhere} of them on other streams; {stand} stand");
    assert!(failed > 200 && lost > 400 && lost_elsewhere > 50 && stand > 400 && reads > 400);
}
