//! Running one operation: clocks, checks, values.

use millstream_conformance::{footprint, interpret};
use millstream_hal::{Access as Mode, Fault, FaultScope, Kernel, Launch, RawStream};

use super::{Engine, Work, slot_of};
use crate::backend::workspace_bytes;
use crate::finding::{Access, Finding};
use crate::memory::Lies;
use crate::shadow::Holds;

/// Device time of one operation.
const OPERATION_NS: u64 = 1_000;
/// Steps of a spin: one for so many microseconds.
const SPIN_STEP_MICROS: u32 = 250;
/// What a workspace holds after a launch.
const SCRATCH: u8 = 0xa5;

/// An operand in live memory.
#[derive(Clone, Copy, Debug)]
struct Found {
    staging: bool,
    base: u64,
    offset: usize,
    bytes: usize,
}

impl Engine {
    /// Runs the first operation of a stream, or one step of it.
    pub(super) fn run_head(&mut self, at: usize) {
        if self.spins_on(at) {
            return;
        }
        let Some(op) = self.slots[at].queue.pop_front() else { return };
        self.queued -= 1;
        self.clock_ns += OPERATION_NS;
        let stream = self.slots[at].generation << 16 | at as u32;
        let clock = &mut self.slots[at].clock;
        clock.join(&op.host);
        let tick = clock.tick(at);
        if matches!(op.work, Work::Launch(_) | Work::Graph { .. }) {
            self.slots[at].last_launch = tick;
        }
        match op.work {
            Work::Launch(launch) => self.run_launch(stream, &launch),
            Work::Graph { launches, seq } => {
                for launch in launches.iter() {
                    let mut launch = *launch;
                    launch.seq = seq;
                    self.run_launch(stream, &launch);
                }
            }
            Work::Record { event, mark, seq } => {
                self.trace.line(format_args!("s{stream} record e{event} #{seq}"));
                let known = millstream_sync::Arc::new(self.slots[at].clock.clone());
                let poisoned = self.slots[at].poisoned_from.is_some_and(|from| from <= seq);
                let reached = self.marks.of_mut(mark);
                (reached.reached, reached.poisoned) = (Some((known, self.clock_ns)), poisoned);
                self.marks.drop(mark);
            }
            Work::Wait { event, mark } => {
                self.trace.line(format_args!("s{stream} wait e{event}"));
                if let Some((known, _)) = &self.marks.of(mark).reached {
                    self.slots[at].clock.join(known);
                }
                self.slots[at].poisoned |= self.marks.of(mark).poisoned;
                self.marks.drop(mark);
                if let Some(state) = self.events.get_mut(&event) {
                    state.waited.set(at, tick);
                }
            }
        }
    }

    /// Whether the stream's first operation is a spin that goes on; takes one step of it.
    fn spins_on(&mut self, at: usize) -> bool {
        let Some(op) = self.slots[at].queue.front_mut() else { return false };
        let Work::Launch(Launch { kernel: Kernel::Spin { micros }, .. }) = op.work else { return false };
        let left = op.spin_left.get_or_insert(micros.div_ceil(SPIN_STEP_MICROS).min(64));
        if *left == 0 {
            return false;
        }
        *left -= 1;
        self.clock_ns += u64::from(micros.min(SPIN_STEP_MICROS)) * 1_000;
        true
    }

    fn run_launch(&mut self, stream: u32, launch: &Launch) {
        if self.is_lost() {
            return;
        }
        let (kernel, seq) = (launch.kernel.name(), launch.seq);
        self.launches += 1;
        if self.follows_failure(stream, launch) {
            return;
        }
        if self.options.injections.lost_at_launch == Some(self.launches) {
            self.trace.line(format_args!("s{stream} #{seq} {kernel}: device lost"));
            let reason = "device lost (injected)".to_string();
            self.fault = Some(Fault { scope: FaultScope::Device, stream: RawStream(stream), seq, kernel, reason });
            return;
        }
        self.trace.line(format_args!("s{stream} #{seq} {kernel}"));
        let Some(mut found) = self.operands(stream, launch) else { return };
        if workspace_bytes(self.options.workspace_bytes, &launch.kernel) > 0
            && let Some(scratch) = found.pop()
        {
            // Before the inputs are read: who shares its workspace with a value loses the value.
            self.memory
                .write(scratch.staging, scratch.base, scratch.offset, scratch.bytes, |bytes| bytes.fill(SCRATCH));
        }
        let inputs: Vec<Vec<u8>> =
            found.iter().skip(1).map(|f| self.memory.read(f.staging, f.base, f.offset, f.bytes)).collect();
        let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let result = match found.first() {
            None => interpret(&launch.kernel, &mut [], &inputs),
            Some(out) => self
                .memory
                .write(out.staging, out.base, out.offset, out.bytes, |bytes| interpret(&launch.kernel, bytes, &inputs)),
        };
        if let Err(error) = result {
            self.find(Finding::BadLaunch { stream, seq, reason: error.to_string() });
        }
    }

    /// Whether the launch fails, or is skipped because it is ordered after one that did.
    fn follows_failure(&mut self, stream: u32, launch: &Launch) -> bool {
        let (at, kernel, seq) = (slot_of(stream), launch.kernel.name(), launch.seq);
        if self.options.injections.fails_at_launch == Some(self.launches) {
            self.trace.line(format_args!("s{stream} #{seq} {kernel}: failed"));
            let reason = "kernel failed (injected)".to_string();
            self.fault = Some(Fault { scope: FaultScope::Stream, stream: RawStream(stream), seq, kernel, reason });
            self.failed = Some((at, self.slots[at].clock.at(at)));
            self.slots[at].poisoned = true;
        } else if self.slots[at].poisoned {
            self.trace.line(format_args!("s{stream} #{seq} {kernel}: skipped"));
        }
        if self.failed.is_some_and(|(place, tick)| self.slots[at].clock.at(place) >= tick) {
            self.after_failure.insert((stream, seq));
        }
        if self.slots[at].poisoned {
            self.slots[at].poisoned_from.get_or_insert(seq);
        }
        self.slots[at].poisoned
    }

    /// Finds the operands and checks the accesses; `None` when the kernel cannot run with them.
    fn operands(&mut self, stream: u32, launch: &Launch) -> Option<Vec<Found>> {
        let mut ranges = footprint(&launch.kernel).to_vec();
        let named = ranges.len();
        ranges.extend(Some(0..workspace_bytes(self.options.workspace_bytes, &launch.kernel)).filter(|r| !r.is_empty()));
        if ranges.len() != launch.operands().len() {
            let reason = "wrong number of operands".to_string();
            self.find(Finding::BadLaunch { stream, seq: launch.seq, reason });
            return None;
        }
        let clock = self.slots[slot_of(stream)].clock.clone();
        let mut all = Vec::with_capacity(ranges.len());
        let mut checks = Vec::with_capacity(ranges.len());
        for (operand, (given, range)) in launch.operands().iter().zip(ranges.iter()).enumerate() {
            let write = operand == 0 || operand >= named;
            let access = Access { stream, seq: launch.seq, kernel: launch.kernel.name(), operand, write };
            if write != (given.access == Mode::Write) {
                self.find(Finding::WrongAccess { access });
            }
            if range.is_empty() {
                all.push(Found { staging: given.staging, base: 0, offset: 0, bytes: 0 });
                continue;
            }
            let (address, bytes) = (given.ptr.0, range.end);
            match self.memory.find(given, bytes) {
                Lies::Inside { base, offset } if bytes <= given.bytes => {
                    all.push(Found { staging: given.staging, base, offset, bytes });
                    checks.push(((given.staging, base), offset + range.start..offset + range.end, access));
                }
                Lies::Released => {
                    self.find(Finding::UseAfterRelease { access, address });
                    return None;
                }
                Lies::Inside { .. } | Lies::Outside => {
                    self.find(Finding::OutOfBounds { access, address, bytes });
                    return None;
                }
            }
        }
        // Reads before the write: an operation may write what it reads.
        let holds = if matches!(launch.kernel, Kernel::Poison { .. }) { Holds::Poison } else { Holds::Value };
        for (memory, range, access) in checks.into_iter().rev() {
            self.checker.access(memory, range, access, &clock, holds);
        }
        Some(all)
    }
}
