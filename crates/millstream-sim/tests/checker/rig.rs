//! A sim with two streams and a segment, and short words to drive it.

use millstream_hal::{
    Access, Backend, DType, DevicePtr, EventStatus, Kernel, Launch, Layout, Operand, RawEvent, RawSegment, RawStream,
};
use millstream_sim::{Finding, SimBackend, SimOptions};

/// A fill with f32.
pub(crate) fn fill(elements: usize, value: f32) -> Kernel {
    Kernel::Fill { elements, dtype: DType::F32, value: value.into() }
}

pub(crate) const SEEDS: std::ops::Range<u64> = 0..40;

pub(crate) struct Rig {
    pub(crate) sim: SimBackend,
    pub(crate) a: RawStream,
    pub(crate) b: RawStream,
    pub(crate) segment: RawSegment,
    seq: std::cell::Cell<u64>,
}

impl Rig {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(SimOptions::new(seed))
    }

    pub(crate) fn with(options: SimOptions) -> Self {
        let sim = SimBackend::new(options);
        let segment = sim.allocate_segment(4096).unwrap();
        let (a, b) = (sim.create_stream().unwrap(), sim.create_stream().unwrap());
        Self { sim, a, b, segment, seq: std::cell::Cell::new(0) }
    }

    pub(crate) fn next(&self) -> u64 {
        self.seq.set(self.seq.get() + 1);
        self.seq.get()
    }

    pub(crate) fn operand(&self, word: usize, words: usize, access: Access) -> Operand {
        let ptr = DevicePtr(self.segment.base.0 + word as u64 * 4);
        Operand { ptr, bytes: words * 4, access, staging: false }
    }

    pub(crate) fn launch(&self, stream: RawStream, kernel: Kernel, operands: &[Operand]) {
        self.sim.launch(stream, &Launch::new(kernel, self.next(), operands)).unwrap();
    }

    pub(crate) fn fill(&self, stream: RawStream, word: usize, words: usize, value: f32) {
        self.launch(stream, fill(words, value), &[self.operand(word, words, Access::Write)]);
    }

    pub(crate) fn copy(&self, stream: RawStream, to: usize, from: usize, words: usize) {
        let a = Layout::contiguous(&[words]).unwrap();
        let operands = [self.operand(to, words, Access::Write), self.operand(from, words, Access::Read)];
        self.launch(stream, Kernel::Copy { dtype: DType::F32, a }, &operands);
    }

    pub(crate) fn event(&self) -> RawEvent {
        self.sim.create_event(false).unwrap()
    }

    pub(crate) fn record(&self, stream: RawStream) -> RawEvent {
        let event = self.event();
        self.sim.record(stream, event, self.seq.get()).unwrap();
        event
    }

    pub(crate) fn order(&self, from: RawStream, to: RawStream) {
        let event = self.record(from);
        self.sim.wait(to, event).unwrap();
    }

    pub(crate) fn finish(&self) {
        for stream in [self.a, self.b] {
            let event = self.record(stream);
            assert_eq!(self.sim.synchronize(event, None).unwrap(), EventStatus::Done);
        }
    }

    pub(crate) fn findings(&self) -> Vec<Finding> {
        self.finish();
        self.sim.findings()
    }

    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.findings(), []);
    }
}
