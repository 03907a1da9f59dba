//! What the cases drive a device with: blocks cut from segments, lanes (a stream with its position) and transfers.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use millstream_hal::{
    Access, Backend, BinaryOp, DType, DevicePtr, Error, EventStatus, Kernel, Launch, Launched, Layout, Operand,
    RawEvent, RawSegment, RawStaging, RawStream, SEGMENT_ALIGN, Views,
};
use millstream_sync::Arc;

use super::{Make, host};

/// How long work may take before it counts as lost.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
const SEGMENT_BYTES: usize = 1 << 20;
const STAGING_BYTES: usize = 1 << 16;

/// A piece of device memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) ptr: DevicePtr,
    pub(super) words: usize,
}

impl Block {
    pub(super) fn out(self) -> Operand {
        Operand { ptr: self.ptr, bytes: self.words * 4, access: Access::Write, staging: false }
    }

    pub(super) fn input(self) -> Operand {
        Operand { access: Access::Read, ..self.out() }
    }

    /// The words `from..from + words` of it.
    pub(super) fn part(self, from: usize, words: usize) -> Self {
        assert!(from + words <= self.words);
        Self { ptr: self.ptr.offset(from * 4), words }
    }
}

/// A stream and the position of its last launch.
pub(super) struct Lane {
    backend: Arc<dyn Backend>,
    pub(super) stream: RawStream,
    pub(super) seq: u64,
}

impl Lane {
    pub(super) fn new(backend: &Arc<dyn Backend>) -> Self {
        let stream = backend.create_stream().expect("a stream");
        Self { backend: Arc::clone(backend), stream, seq: 0 }
    }

    pub(super) fn enqueue(&mut self, kernel: Kernel, operands: &[Operand]) {
        self.seq += 1;
        self.backend.launch(self.stream, &Launch::new(kernel, self.seq, operands)).expect("a launch");
    }

    /// All of `launches`, as many at once as the device takes.
    pub(super) fn launch_joined(&mut self, launches: &mut [Launch]) {
        let max = self.backend.joined_max();
        let mut done = 0;
        while done < launches.len() {
            let until = launches.len().min(done + max);
            let some = &mut launches[done..until];
            some.iter_mut().zip(self.seq + 1..).for_each(|(launch, seq)| launch.seq = seq);
            let taken = self.backend.launch_joined(self.stream, some).expect("launches");
            assert!((1..=some.len()).contains(&taken), "{taken} of {} launches were taken", some.len());
            (done, self.seq) = (done + taken, self.seq + taken as u64);
            self.drive();
        }
    }

    /// Enqueues and drives: every other launch by way of [`Backend::launch_or_keep`].
    pub(super) fn launch(&mut self, kernel: Kernel, operands: &[Operand]) {
        if self.seq.is_multiple_of(2) {
            self.enqueue(kernel, operands);
            self.drive();
            return;
        }
        self.seq += 1;
        let launch = Launch::new(kernel, self.seq, operands);
        match self.backend.launch_or_keep(self.stream, &launch).expect("a launch") {
            Launched::Queued => self.drive(),
            Launched::Kept => self.backend.run_kept(self.stream, &launch),
        }
    }

    pub(super) fn drive(&self) {
        self.backend.drive(self.stream);
    }

    pub(super) fn fill(&mut self, block: Block, value: f32) {
        self.launch(fill(block.words, value), &[block.out()]);
    }

    pub(super) fn spin(&mut self, micros: u32) {
        self.launch(Kernel::Spin { micros }, &[]);
    }

    pub(super) fn copy(&mut self, to: Block, from: Block) {
        let a = layout(&[from.words]);
        self.launch(Kernel::Copy { dtype: DType::F32, a }, &[to.out(), from.input()]);
    }

    pub(super) fn add(&mut self, out: Block, a: Block, b: Block) {
        let view = layout(&[out.words]);
        let kernel = binary(BinaryOp::Add, view, view);
        self.launch(kernel, &[out.out(), a.input(), b.input()]);
    }

    pub(super) fn record(&self, event: RawEvent) {
        self.backend.record(self.stream, event, self.seq).expect("a record");
        self.drive();
    }

    pub(super) fn wait(&self, event: RawEvent) {
        self.backend.wait(self.stream, event).expect("a wait");
        self.drive();
    }

    /// Waits on the host until the work so far has completed.
    pub(super) fn finish(&self) {
        let event = self.backend.create_event(false).expect("an event");
        self.record(event);
        synchronize(&self.backend, event);
        self.backend.destroy_event(event).expect("a give-back");
    }

    pub(super) fn end(self) {
        self.finish();
        self.backend.destroy_stream(self.stream).expect("a give-back");
    }
}

/// Waits on the host for an event; lost work fails the case.
#[track_caller]
pub(super) fn synchronize(backend: &Arc<dyn Backend>, event: RawEvent) {
    let status = backend.synchronize(event, Some(PATIENCE)).expect("a host wait");
    assert_eq!(status, EventStatus::Done, "the work did not complete within {PATIENCE:?}");
}

pub(super) fn layout(shape: &[usize]) -> Layout {
    Layout::contiguous(shape).expect("a small shape")
}

/// A fill with f32.
pub(super) fn fill(elements: usize, value: f32) -> Kernel {
    Kernel::Fill { elements, dtype: DType::F32, value: value.into() }
}

/// An operation on two f32 views of one shape.
pub(super) fn binary(op: BinaryOp, a: Layout, b: Layout) -> Kernel {
    Kernel::Binary { op, dtype: DType::F32, views: Views::new([a, b]).expect("views of one shape") }
}

/// A device with memory to cut.
pub(super) struct Rig {
    pub(super) backend: Arc<dyn Backend>,
    segments: RefCell<Vec<RawSegment>>,
    /// The segment that blocks are cut from, and its bytes in use.
    here: Cell<(usize, usize)>,
    /// What transfers go through, one after another.
    staging: RefCell<Option<RawStaging>>,
}

impl Rig {
    pub(super) fn new(make: Make<'_>) -> Self {
        Self { backend: make(), segments: RefCell::default(), here: Cell::new((0, 0)), staging: RefCell::default() }
    }

    pub(super) fn lane(&self) -> Lane {
        Lane::new(&self.backend)
    }

    pub(super) fn event(&self) -> RawEvent {
        self.backend.create_event(false).expect("an event")
    }

    /// A block that overlaps no other, aligned as the runtime aligns blocks.
    pub(super) fn block(&self, words: usize) -> Block {
        let bytes = (words * 4).max(1).next_multiple_of(SEGMENT_ALIGN);
        let mut segments = self.segments.borrow_mut();
        let (mut index, mut used) = self.here.get();
        while segments.get(index).is_some_and(|s| s.bytes - used < bytes) {
            (index, used) = (index + 1, 0);
        }
        if index == segments.len() {
            segments.push(self.backend.allocate_segment(bytes.max(SEGMENT_BYTES)).expect("a segment"));
        }
        let ptr = segments[index].base.offset(used);
        self.here.set((index, used + bytes));
        Block { ptr, words }
    }

    /// Cuts blocks, works with them, and has their memory back. The work has completed when `work` returns.
    pub(super) fn with_blocks<R>(&self, work: impl FnOnce() -> R) -> R {
        let before = self.here.get();
        let result = work();
        self.here.set(before);
        result
    }

    /// Staging memory of at least `bytes` bytes that no transfer is using: each has completed when its call returns.
    fn staging(&self, bytes: usize) -> RawStaging {
        let mut kept = self.staging.borrow_mut();
        if let Some(small) = kept.take_if(|staging| staging.bytes < bytes) {
            self.backend.release_staging(small).expect("a give-back");
        }
        *kept.get_or_insert_with(|| {
            let bytes = bytes.max(STAGING_BYTES).next_power_of_two();
            self.backend.allocate_staging(bytes).expect("staging")
        })
    }

    /// Copies values to the device and waits for it.
    pub(super) fn put(&self, lane: &mut Lane, block: Block, values: &[f32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.put_bytes(lane, block, &bytes);
    }

    /// Copies bytes to the device and waits for it.
    pub(super) fn put_bytes(&self, lane: &mut Lane, block: Block, bytes: &[u8]) {
        let staging = self.staging(bytes.len());
        host::write(&staging, 0, bytes);
        let source =
            Operand { ptr: DevicePtr(staging.host), bytes: staging.bytes, access: Access::Read, staging: true };
        lane.launch(Kernel::Upload { bytes: bytes.len() }, &[block.out(), source]);
        lane.finish();
    }

    /// Copies the bytes of a block to the host and waits for it.
    pub(super) fn bytes(&self, lane: &mut Lane, block: Block) -> Vec<u8> {
        let bytes = block.words * 4;
        let staging = self.staging(bytes);
        let target =
            Operand { ptr: DevicePtr(staging.host), bytes: staging.bytes, access: Access::Write, staging: true };
        lane.launch(Kernel::Download { bytes, from: 0, to: 0 }, &[target, block.input()]);
        lane.finish();
        host::read(&staging, 0, bytes)
    }

    /// Copies the bits of a block to the host and waits for it.
    pub(super) fn bits(&self, lane: &mut Lane, block: Block) -> Vec<u32> {
        self.bytes(lane, block).as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
    }

    pub(super) fn values(&self, lane: &mut Lane, block: Block) -> Vec<f32> {
        self.bits(lane, block).into_iter().map(f32::from_bits).collect()
    }

    /// Gives all memory back. Every lane has ended.
    pub(super) fn end(self) {
        for segment in self.segments.into_inner() {
            self.backend.release_segment(segment).expect("a give-back");
        }
        if let Some(staging) = self.staging.into_inner() {
            self.backend.release_staging(staging).expect("a give-back");
        }
        assert_eq!(self.backend.fault(), None, "a device that did its work has no fault");
    }
}

/// Whether the device runs out of memory for `bytes`.
pub(super) fn is_out_of_memory(backend: &Arc<dyn Backend>, bytes: usize) -> bool {
    matches!(backend.allocate_segment(bytes), Err(Error::OutOfMemory { .. }))
}

/// `n` values of mixed size and sign, the same for the same seed.
pub(super) fn values(seed: u64, n: usize) -> Vec<f32> {
    let word = |i: usize| {
        let counter = [i as u32, (i as u64 >> 32) as u32, 0, 0];
        crate::interpreter::philox::philox4x32_10(counter, [seed as u32, (seed >> 32) as u32])
    };
    (0..n).map(|i| crate::interpreter::normal_pair(word(i)[0], word(i)[1])[0] as f32).collect()
}
