//! Segments: alignment, distinctness, the end of memory, coming back.

use millstream_hal::SEGMENT_ALIGN;

use super::Make;
use super::rig::{Block, Rig, is_out_of_memory};

pub(super) fn segments_are_aligned_and_distinct(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    let sizes = [1, 255, 256, 257, 4_096, 100_003, 1 << 20];
    let segments: Vec<_> = sizes.iter().map(|bytes| rig.backend.allocate_segment(*bytes).expect("a segment")).collect();
    for (segment, asked) in segments.iter().zip(sizes) {
        assert_eq!(segment.base.0 % SEGMENT_ALIGN as u64, 0, "a segment starts at a multiple of {SEGMENT_ALIGN}");
        assert!(segment.bytes >= asked, "{asked} bytes asked, {} given", segment.bytes);
    }
    let blocks: Vec<Block> = segments.iter().map(|s| Block { ptr: s.base, words: s.bytes / 4 }).collect();
    for (i, block) in blocks.iter().enumerate() {
        lane.fill(*block, i as f32);
    }
    for (i, block) in blocks.iter().enumerate() {
        assert!(rig.values(&mut lane, *block).iter().all(|x| *x == i as f32), "segment {i} was overwritten");
    }
    lane.end();
    segments.into_iter().for_each(|s| rig.backend.release_segment(s).expect("a give-back"));
    rig.end();
}

pub(super) fn a_huge_request_is_out_of_memory_and_the_device_goes_on(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    let memory = rig.backend.info().memory_bytes;
    for bytes in [memory.saturating_add(1), usize::MAX / 2, usize::MAX - 100] {
        assert!(is_out_of_memory(&rig.backend, bytes), "{bytes} bytes of {memory} were not refused");
    }
    let block = rig.block(100);
    lane.fill(block, 3.5);
    assert_eq!(rig.values(&mut lane, block), [3.5; 100]);
    lane.end();
    rig.end();
}

pub(super) fn released_memory_comes_back(make: Make<'_>) {
    let rig = Rig::new(make);
    let memory = rig.backend.info().memory_bytes;
    let bytes = (memory / 4).clamp(SEGMENT_ALIGN, 16 << 20);
    for round in 0..(memory / bytes * 3).clamp(12, 2_000) {
        let segment = rig.backend.allocate_segment(bytes);
        let segment = segment.unwrap_or_else(|e| panic!("{bytes} bytes, round {round}: {e}"));
        rig.backend.release_segment(segment).expect("a give-back");
    }
    rig.end();
}
