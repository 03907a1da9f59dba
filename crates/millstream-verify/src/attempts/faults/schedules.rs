//! Scheduled runs in which one launch fails: what can be read must be what is independent of it.
//!
//! Three threads make values of their own and of each other's, keep all of them and their right values, which the host computes beside. After the run each is read and judged by the simulator's vector
//! clocks, which know of every wait and nothing of the poison.

use millstream::{
    Backend, BinaryOp, Buffer, DType, Device, DeviceOptions, Health, Kernel, Layout, RuntimeError, StreamAtFault, Views,
};
use millstream_sim::{Injections, SimBackend, SimOptions};
use millstream_sync::schedule::{self, Dice, Policy, Settings};
use millstream_sync::{Arc, BoundedQueue};

use super::places::ends;
use crate::attempts::probes::{Verdict, text};
use crate::plan::Plan;

const THREADS: u64 = 3;
const WORDS: usize = 8;

/// A value with what it must be.
type Made = (Buffer, f32);

struct World {
    device: Device,
    mail: BoundedQueue<Made>,
    kept: BoundedQueue<Made>,
    wrong: BoundedQueue<String>,
}

impl World {
    /// The first word of a value.
    fn read(&self, buffer: &Buffer) -> Result<f32, RuntimeError> {
        let bytes = self.device.download(&[(buffer, 4)])?;
        Ok(f32::from_le_bytes(bytes.try_into().unwrap_or_default()))
    }

    /// A value made of two, or of nothing.
    fn make(&self, from: Option<(&Made, &Made)>, value: f32) -> Result<Made, RuntimeError> {
        let Some(((a, x), (b, y))) = from else {
            let fill = Kernel::Fill { elements: WORDS, dtype: DType::F32, value: value.into() };
            return Ok((self.device.launch(fill, WORDS * 4, &[])?, value));
        };
        let backend = |source| RuntimeError::Backend { context: "making a line", source };
        let line = Layout::contiguous(&[WORDS]).map_err(backend)?;
        let views = Views::new([line; 2]).map_err(backend)?;
        let add = Kernel::Binary { op: BinaryOp::Add, dtype: DType::F32, views };
        Ok((self.device.launch(add, WORDS * 4, &[a, b])?, x + y))
    }

    /// What a thread does, until it is told that the device has failed.
    fn compute(&self, seed: u64) -> Result<(), RuntimeError> {
        let mut dice = Dice::new(seed);
        let mut last: Option<Made> = None;
        for round in 0..8 {
            if dice.below(2) == 0 {
                self.device.enqueue(Kernel::Spin { micros: 2_000 })?;
            }
            let theirs = self.mail.try_pop();
            let made = self.make(last.as_ref().zip(theirs.as_ref()), (seed % 1_000 * 8 + round) as f32)?;
            for queue in [&self.mail, &self.kept] {
                let _ = queue.try_push(made.clone());
            }
            if dice.below(4) == 0 {
                let found = self.read(&made.0)?;
                if found != made.1 {
                    let _ = self.wrong.try_push(format!("success with garbage: {found} in place of {}", made.1));
                }
            }
            last = Some(made);
        }
        Ok(())
    }

    fn judge(&self, sim: &SimBackend, streams: &[StreamAtFault], (buffer, value): &Made) -> Verdict {
        let stamp = buffer.last_write();
        let stream = streams.iter().find(|stream| stream.stream == stamp.stream);
        let after = stream.is_some_and(|stream| sim.is_after_failure(stream.raw, stamp.seq));
        let at = format!("position {} of stream {}", stamp.seq, stamp.stream);
        match self.read(buffer) {
            Ok(found) if after => Err(format!("{at} is ordered after the failure and reads as {found}")),
            Ok(found) if found != *value => Err(format!("{at}: success with garbage: {found} in place of {value}")),
            Ok(_) => Ok(()),
            Err(RuntimeError::Fault(_)) if after => Ok(()),
            Err(error) => Err(format!("{at} is independent of the failure and cannot be read: {error}")),
        }
    }
}

/// One schedule.
pub(super) fn independent(plan: &Plan, run: u64) -> Verdict {
    let seed = plan.seed.wrapping_add(run);
    let fails_at_launch = Some(1 + Dice::new(seed ^ 0xfa17).below(30) as u64);
    let injections = Injections { fails_at_launch, ..Injections::default() };
    let sim = Arc::new(SimBackend::new(SimOptions { injections, ..SimOptions::new(seed) }));
    let options = DeviceOptions { streams: 4, ..DeviceOptions::of(sim.info()) };
    let queue = || BoundedQueue::with_capacity(64);
    let device = Device::open_with(sim.clone(), options);
    let world = Arc::new(World { device, mail: queue(), kept: queue(), wrong: BoundedQueue::with_capacity(16) });
    let bodies = (0..THREADS).map(|thread| {
        let world = world.clone();
        let body = move || match world.compute(seed.wrapping_mul(THREADS).wrapping_add(thread)) {
            Ok(()) | Err(RuntimeError::Fault(_)) => {}
            Err(error) => drop(world.wrong.try_push(text(error))),
        };
        Box::new(body) as Box<dyn FnOnce() + Send>
    });
    let mut settings = Settings::new(seed);
    settings.trace_lines_max = 0;
    settings.policy = if seed.is_multiple_of(2) { Policy::Uniform } else { Policy::Pct { depth: 3, steps: 400 } };
    let outcome = schedule::run_with(&settings, bodies.collect());
    if !outcome.panics.is_empty() || outcome.deadlock.is_some() || outcome.hang.is_some() {
        return Err(format!("seed {seed}: a panic, a deadlock or a hang: {:?}", outcome.panics));
    }
    verdict(&world, &sim).map_err(|detail| format!("seed {seed}: {detail}"))
}

fn verdict(world: &World, sim: &SimBackend) -> Verdict {
    while world.mail.try_pop().is_some() {}
    if let Some(wrong) = world.wrong.try_pop() {
        return Err(wrong);
    }
    // All that was enqueued ends, also what is lost.
    let _ = world.device.synchronize_all(None);
    let streams = match world.device.health() {
        Health::Faulted(report) => report.streams,
        _ => Vec::new(),
    };
    while let Some(made) = world.kept.try_pop() {
        world.judge(sim, &streams, &made)?;
    }
    ends(&world.device, millstream::FaultScope::Stream)?;
    match sim.findings().first() {
        Some(finding) => Err(format!("checker: {finding}")),
        None => Ok(()),
    }
}
