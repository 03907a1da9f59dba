//! The methods of the contract: each checks, makes its driver call, and notes what it must.

use std::time::Duration;

use millstream_hal::{
    Backend, DType, DeviceInfo, DevicePtr, DriverCalls, Error, EventStatus, Fault, Kernel, Launch, Layout, Mark,
    RawEvent, RawGraph, RawSegment, RawStaging, RawStream, Result,
};

use super::CudaBackend;
use crate::driver::{Answer, Code};
use crate::launch::{self, To};
use crate::stream::Scratch;
use crate::{memory, poll, unheard};

impl Backend for CudaBackend {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn allocate_segment(&self, bytes: usize) -> Result<RawSegment> {
        self.fault.check()?;
        let failed = |code| self.failed(None, "memory was taken", code);
        let driver = self.driver().map_err(failed)?;
        let (address, bytes) = memory::settled(self.memory.take(driver, bytes), failed)?;
        Ok(RawSegment { base: DevicePtr(address), bytes })
    }

    fn release_segment(&self, segment: RawSegment) -> Result<()> {
        self.give_back("memory was given back", |driver| self.memory.give_back(driver, segment.base.0, segment.bytes))
    }

    fn allocate_staging(&self, bytes: usize) -> Result<RawStaging> {
        self.fault.check()?;
        let failed = |code| self.failed(None, "pinned memory was taken", code);
        let driver = self.driver().map_err(failed)?;
        let (host, bytes) = memory::settled(memory::take_pinned(driver, bytes), failed)?;
        Ok(RawStaging { host, bytes })
    }

    fn release_staging(&self, staging: RawStaging) -> Result<()> {
        self.give_back("pinned memory was given back", |driver| driver.free_pinned(staging.host))
    }

    fn create_stream(&self) -> Result<RawStream> {
        self.fault.check()?;
        let slot = self.take_slot()?;
        match self.open_slot(slot) {
            Ok(()) => Ok(slot.raw()),
            Err(code) => {
                let _ = self.free.try_push(slot.index);
                if code == Code::OUT_OF_MEMORY {
                    return Err(Error::OutOfMemory { requested: Scratch::BYTES, available: 0 });
                }
                Err(self.failed(None, "a stream was made", code))
            }
        }
    }

    fn destroy_stream(&self, stream: RawStream) -> Result<()> {
        let slot = self.stream(stream);
        let Some(native) = slot.close() else { return Ok(()) };
        let ended = self.give_back("a stream was ended", |driver| driver.destroy_stream(native));
        let _ = self.free.try_push(slot.index);
        ended
    }

    fn launch(&self, stream: RawStream, launch: &Launch) -> Result<()> {
        self.fault.check()?;
        check(launch);
        self.enqueue(stream, |to| launch::enqueue(to, launch).map(|()| ((), launch.seq)))
    }

    fn joined_max(&self) -> usize {
        launch::JOINED_MAX
    }

    fn launch_joined(&self, stream: RawStream, launches: &[Launch]) -> Result<usize> {
        self.fault.check()?;
        launches.iter().for_each(check);
        self.enqueue(stream, |to| launch::enqueue_joined(to, launches).map(|n| (n, launches[n - 1].seq)))
    }

    fn record(&self, stream: RawStream, event: RawEvent, seq: u64) -> Result<()> {
        self.fault.check()?;
        let slot = self.stream(stream);
        let mark = Mark::new(slot.index, slot.position_of(seq))?;
        let cell = self.events.cell(event)?;
        let answer = self.driver().and_then(|driver| driver.record_event(cell.native(), slot.native()));
        answer.map_err(|code| self.failed(Some(slot), "an event was recorded", code))?;
        slot.note_marked(mark.position());
        cell.set_mark(mark);
        self.counters.events_recorded.hit();
        Ok(())
    }

    fn wait(&self, stream: RawStream, event: RawEvent) -> Result<()> {
        let (cell, mark) = self.events.marked(event)?;
        self.fault.check()?;
        let slot = self.stream(stream);
        if mark.slot() == usize::from(slot.index) || self.is_known(cell, mark) {
            self.counters.waits_already_over.hit();
            return Ok(());
        }
        self.counters.waits_enqueued.hit();
        let answer = self.driver().and_then(|driver| driver.wait_event(slot.native(), cell.native()));
        answer.map_err(|code| self.failed(Some(slot), "a wait was enqueued", code))
    }

    fn drive(&self, _stream: RawStream) {}

    fn create_event(&self, timing: bool) -> Result<RawEvent> {
        self.fault.check()?;
        let make = || {
            let answer = self.driver().and_then(|driver| driver.create_event(timing));
            answer.map_err(|code| match code {
                // The driver does not say how much it asked for.
                Code::OUT_OF_MEMORY => Error::OutOfMemory { requested: 0, available: 0 },
                code => self.failed(None, "an event was made", code),
            })
        };
        let unmake = |native| {
            let driver = &self.loaded.context.driver;
            unheard::keep(driver, "an event was ended", driver.destroy_event(native));
        };
        let (event, new) = self.events.create(timing, make, unmake)?;
        if new {
            self.counters.events_made.hit()
        } else {
            self.counters.events_reused.hit()
        }
        Ok(event)
    }

    fn destroy_event(&self, event: RawEvent) -> Result<()> {
        self.events.destroy(event)
    }

    fn query(&self, event: RawEvent) -> Result<EventStatus> {
        self.ask(event).map(Self::status)
    }

    fn synchronize(&self, event: RawEvent, timeout: Option<Duration>) -> Result<EventStatus> {
        poll::until(timeout, || self.ask(event)).map(Self::status)
    }

    fn elapsed_ns(&self, start: RawEvent, end: RawEvent) -> Result<u64> {
        let ((first, _), (last, _)) = (self.events.marked(start)?, self.events.marked(end)?);
        if !(first.is_timing() && last.is_timing()) {
            return Err(Error::Unsupported { what: "the time of an event made without timing", backend: "cuda" });
        }
        match self.driver().and_then(|driver| driver.elapsed_ms(first.native(), last.native())) {
            Ok(milliseconds) => Ok((f64::from(milliseconds.max(0.0)) * 1e6) as u64),
            Err(Code::NOT_READY) => Err(Error::NotRecorded { event: end.0 }),
            Err(code) => Err(self.failed(None, "a time was asked for", code)),
        }
    }

    fn fault(&self) -> Option<Fault> {
        self.fault.read().cloned()
    }

    fn driver_calls(&self) -> Option<DriverCalls> {
        Some(self.loaded.context.driver.calls())
    }

    fn connect_peer(&self, peer: &dyn Backend) -> bool {
        self.connect(peer)
    }

    fn wait_peer(&self, stream: RawStream, peer: &dyn Backend, event: RawEvent) -> Result<()> {
        self.enqueue_peer_wait(stream, peer, event)
    }

    fn copy_to_peer(
        &self,
        stream: RawStream,
        seq: u64,
        from: DevicePtr,
        peer: &dyn Backend,
        to: DevicePtr,
        bytes: usize,
    ) -> Result<()> {
        self.enqueue_peer_copy(stream, seq, from, peer, to, bytes)
    }

    fn begin_capture(&self, stream: RawStream) -> Result<()> {
        self.fault.check()?;
        let slot = self.stream(stream);
        let answer = self.driver().and_then(|driver| {
            let scratch = Scratch::take(driver, slot.native())?;
            driver.synchronize_stream(slot.native())?;
            slot.use_scratch(Some(scratch));
            driver.begin_capture(slot.native())
        });
        answer.map_err(|code| self.failed(Some(slot), "a capture began", code))
    }

    fn end_capture(&self, stream: RawStream) -> Result<RawGraph> {
        let slot = self.stream(stream);
        let scratch = slot.scratch();
        slot.use_scratch(None);
        let answer = self.driver().and_then(|driver| {
            let graph = driver.end_capture(slot.native())?;
            let executable = driver.instantiate(graph);
            driver.destroy_graph(graph)?;
            executable
        });
        let executable = answer.map_err(|code| self.failed(Some(slot), "a capture ended", code))?;
        self.graphs.keep(executable, scratch)
    }

    fn launch_graph(&self, stream: RawStream, graph: RawGraph, seq: u64) -> Result<()> {
        self.fault.check()?;
        let slot = self.stream(stream);
        let executable = self.graphs.executable(graph);
        let answer = self.driver().and_then(|driver| driver.launch_graph(executable, slot.native()));
        answer.map_err(|code| self.failed(Some(slot), "a graph was enqueued", code))?;
        slot.note_enqueued(slot.position_of(seq));
        Ok(())
    }

    fn destroy_graph(&self, graph: RawGraph) -> Result<()> {
        let (executable, scratch) = self.graphs.take(graph);
        self.give_back("a graph was ended", |driver| {
            let ended = driver.destroy_executable(executable);
            ended.and(driver.free(scratch.0))
        })
    }
}

impl CudaBackend {
    /// Enqueues what `put` does, which says with its result the sequence number that it reaches.
    #[inline]
    fn enqueue<R>(&self, stream: RawStream, put: impl FnOnce(&To<'_>) -> Answer<(R, u64)>) -> Result<R> {
        let slot = self.stream(stream);
        let answer = self.driver().and_then(|driver| {
            let to = To {
                driver,
                functions: &self.loaded.functions,
                stream: slot.native(),
                scratch: slot.scratch(),
                multiprocessors: self.loaded.multiprocessors,
            };
            let (result, seq) = put(&to)?;
            slot.note_enqueued(slot.position_of(seq));
            Ok(result)
        });
        answer.map_err(|code| self.failed(Some(slot), "an operation was enqueued", code))
    }
}

/// Panics when an operand is smaller than what the kernel touches, or the kernel says nothing defined: the caller's mistake, which on the device would be somebody
/// else's memory.
fn check(launch: &Launch) {
    let kernel = &launch.kernel;
    debug_assert_eq!(kernel.defect(), None, "{}", kernel.name());
    let operands = launch.operands();
    let fits = |index: usize, bytes: usize| {
        let given = operands.get(index).map_or(0, |operand| operand.bytes);
        assert!(bytes <= given, "{}: operand {index} has {given} bytes, needs {bytes}", kernel.name());
    };
    let view = |index: usize, layout: &Layout, size: usize| fits(index, layout.extent().saturating_mul(size));
    if let Some((dtype, elements)) = kernel.output() {
        fits(0, elements.saturating_mul(dtype.bytes()));
    }
    match kernel {
        Kernel::Unary { dtype, a, .. }
        | Kernel::Copy { dtype, a }
        | Kernel::Cast { from: dtype, a, .. }
        | Kernel::Reduce { dtype, a, .. } => view(1, a, dtype.bytes()),
        Kernel::Binary { dtype, views, .. } => {
            (0..2).for_each(|n| view(n + 1, &views.view(n), dtype.bytes()));
        }
        Kernel::Where { dtype, views } => {
            (0..3).for_each(|n| view(n + 1, &views.view(n), if n == 0 { 1 } else { dtype.bytes() }));
        }
        Kernel::Matmul { dtype, a, b } => {
            view(1, a, dtype.bytes());
            view(2, b, dtype.bytes());
        }
        Kernel::IndexSelect { dtype, rows, width, count } => {
            fits(1, rows.saturating_mul(*width).saturating_mul(dtype.bytes()));
            fits(2, count.saturating_mul(DType::I64.bytes()));
        }
        Kernel::AddBias { dtype, a, width, .. } => {
            view(1, a, dtype.bytes());
            fits(2, width.saturating_mul(dtype.bytes()));
        }
        Kernel::LayerNorm { dtype, rows, width, residual, .. } => {
            let whole = 1 + usize::from(*residual);
            (1..=whole).for_each(|n| fits(n, rows.saturating_mul(*width).saturating_mul(dtype.bytes())));
            (whole + 1..=whole + 2).for_each(|n| fits(n, width.saturating_mul(dtype.bytes())));
        }
        Kernel::Attention { dtype, views, masked, biased, .. } => {
            (0..3).for_each(|n| view(n + 1, &views.view(n), dtype.bytes()));
            let a = views.view(0);
            let (tokens, any) = (a.size(1), usize::from(a.elements() > 0));
            fits(4, usize::from(*masked) * any * a.size(0) * tokens);
            let bias = usize::from(*biased) * any * a.size(2).saturating_mul(tokens * tokens);
            fits(4 + usize::from(*masked), bias.saturating_mul(dtype.bytes()));
        }
        Kernel::Upload { bytes } => (0..2).for_each(|n| fits(n, *bytes)),
        Kernel::Download { bytes, from, to } => {
            fits(0, to.saturating_add(*bytes));
            fits(1, from.saturating_add(*bytes));
        }
        Kernel::Poison { bytes } => fits(0, *bytes),
        Kernel::Fingerprint { bytes } => {
            fits(0, 8);
            fits(1, *bytes);
        }
        Kernel::Fill { .. }
        | Kernel::Arange { .. }
        | Kernel::Uniform { .. }
        | Kernel::Randn { .. }
        | Kernel::Spin { .. } => {}
    }
}
