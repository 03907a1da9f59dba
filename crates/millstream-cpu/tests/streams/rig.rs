//! A backend with buffers and streams that count for themselves: short words for the tests.

use millstream_cpu::{CpuBackend, CpuOptions};
use millstream_hal::{
    Access, Backend, BinaryOp, DType, EventStatus, Kernel, Launch, Launched, Layout, Operand, RawEvent, RawStream,
    Result, Views,
};
use millstream_sync::atomic::{AtomicU64, Ordering};

/// `f32` elements in a segment of their own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buffer {
    pub(crate) address: u64,
    pub(crate) elements: usize,
}

impl Buffer {
    pub(crate) fn operand(self, access: Access) -> Operand {
        Operand { ptr: millstream_hal::DevicePtr(self.address), bytes: self.elements * 4, access, staging: false }
    }
}

/// A stream and its newest position.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) raw: RawStream,
    seq: AtomicU64,
}

pub(crate) struct Rig {
    pub(crate) backend: CpuBackend,
}

impl Rig {
    pub(crate) fn new(options: CpuOptions) -> Self {
        Self { backend: CpuBackend::new(options) }
    }

    /// Both modes.
    pub(crate) fn both() -> [Self; 2] {
        [Self::new(CpuOptions::inline()), Self::new(CpuOptions::queued())]
    }

    pub(crate) fn lane(&self) -> Lane {
        Lane { raw: self.backend.create_stream().unwrap(), seq: AtomicU64::new(0) }
    }

    /// A zeroed buffer, never given back: the process ends with the test.
    pub(crate) fn buffer(&self, elements: usize) -> Buffer {
        Buffer { address: self.backend.allocate_segment(elements * 4).unwrap().base.0, elements }
    }

    /// What the buffer holds now. All work on it has completed, or the test is there to see that it has not.
    pub(crate) fn read(&self, buffer: Buffer) -> Vec<f32> {
        let pointer = buffer.address as *const f32;
        // Volatile, since the tests without a wait look while a worker writes.
        // SAFETY: asks for an aligned, live element; the segment has that many and is never given back.
        (0..buffer.elements).map(|i| unsafe { pointer.wrapping_add(i).read_volatile() }).collect()
    }

    pub(crate) fn launch(&self, lane: &Lane, kernel: Kernel, operands: &[Operand]) -> Result<u64> {
        let seq = lane.seq.fetch_add(1, Ordering::Relaxed) + 1;
        self.backend.launch(lane.raw, &Launch::new(kernel, seq, operands)).map(|()| seq)
    }

    pub(crate) fn fill(&self, lane: &Lane, out: Buffer, value: f32) {
        let kernel = fill(out.elements, value);
        self.launch(lane, kernel, &[out.operand(Access::Write)]).unwrap();
    }

    /// A launch that is kept or queued; it is for the caller to [`Rig::go_on`] with it.
    pub(crate) fn launch_or_keep(&self, lane: &Lane, kernel: Kernel, operands: &[Operand]) -> (Launch, Launched) {
        let launch = Launch::new(kernel, lane.seq.fetch_add(1, Ordering::Relaxed) + 1, operands);
        let launched = self.backend.launch_or_keep(lane.raw, &launch).unwrap();
        (launch, launched)
    }

    pub(crate) fn go_on(&self, raw: RawStream, (launch, launched): (Launch, Launched)) {
        match launched {
            Launched::Kept => self.backend.run_kept(raw, &launch),
            Launched::Queued => self.backend.drive(raw),
        }
    }

    pub(crate) fn spin(&self, lane: &Lane, micros: u32) {
        self.launch(lane, Kernel::Spin { micros }, &[]).unwrap();
    }

    pub(crate) fn copy(&self, lane: &Lane, out: Buffer, a: Buffer) {
        let kernel = Kernel::Copy { dtype: DType::F32, a: flat(a) };
        self.launch(lane, kernel, &[out.operand(Access::Write), a.operand(Access::Read)]).unwrap();
    }

    pub(crate) fn binary(&self, lane: &Lane, op: BinaryOp, out: Buffer, a: Buffer, b: Buffer) {
        let (kernel, operands) = binary(op, out, a, b);
        self.launch(lane, kernel, &operands).unwrap();
    }

    /// A launch whose operand is too small: the kernel panics.
    pub(crate) fn break_down(&self, lane: &Lane) {
        let out = self.buffer(1);
        let kernel = fill(2, 0.0);
        self.launch(lane, kernel, &[out.operand(Access::Write)]).unwrap();
    }

    /// A new event at the end of the lane.
    pub(crate) fn mark(&self, lane: &Lane) -> RawEvent {
        let event = self.backend.create_event(false).unwrap();
        self.backend.record(lane.raw, event, lane.seq.load(Ordering::Relaxed)).unwrap();
        event
    }

    pub(crate) fn wait(&self, lane: &Lane, event: RawEvent) {
        self.backend.wait(lane.raw, event).unwrap();
    }

    pub(crate) fn drive(&self, lane: &Lane) {
        self.backend.drive(lane.raw);
    }

    /// Drives and waits for all work of the lane.
    pub(crate) fn finish(&self, lane: &Lane) -> Result<EventStatus> {
        self.drive(lane);
        let event = self.mark(lane);
        let status = self.backend.synchronize(event, Some(std::time::Duration::from_secs(20)));
        self.backend.destroy_event(event).unwrap();
        status
    }
}

fn fill(elements: usize, value: f32) -> Kernel {
    Kernel::Fill { elements, dtype: DType::F32, value: value.into() }
}

/// `a op b`, with its operands.
pub(crate) fn binary(op: BinaryOp, out: Buffer, a: Buffer, b: Buffer) -> (Kernel, [Operand; 3]) {
    let views = Views::new([flat(a), flat(b)]).unwrap();
    let operands = [out.operand(Access::Write), a.operand(Access::Read), b.operand(Access::Read)];
    (Kernel::Binary { op, dtype: DType::F32, views }, operands)
}

fn flat(buffer: Buffer) -> Layout {
    Layout::contiguous(&[buffer.elements]).unwrap()
}
