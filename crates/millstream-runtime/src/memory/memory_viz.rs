//! A snapshot in the layout that PyTorch's `torch.cuda._memory_viz` reads: a pickle of dictionaries and lists.
//!
//! The layout is the one that `torch.cuda.memory._dump_snapshot` writes (PyTorch 2): segments with their blocks, one list of trace entries for each device, the settings. A block that is free for
//! its stream is `inactive` there, whether a thread's cache or a pool has it; one that waits for others is `active_pending_free`. Frames are empty: no call stacks are kept.

use serde_json::{Value, json};

use super::history::{MemoryAction, MemoryEvent};
use super::snapshot::{BlockSnapshot, BlockState, MemorySnapshot, SegmentSnapshot};

/// Segments above this size are called large.
const SMALL_MAX: usize = 2 << 20;

impl MemorySnapshot {
    /// As a pickle for `python -m torch.cuda._memory_viz` and for the page of PyTorch's memory visualiser.
    #[must_use]
    pub fn to_memory_viz(&self) -> Vec<u8> {
        let used: usize = self.bytes(BlockState::Live) + self.bytes(BlockState::Limbo) + self.bytes(BlockState::Inbox);
        let trace: Vec<Value> = self.history.iter().map(|event| entry(event, self.budget_bytes - used)).collect();
        let whole = json!({
            "segments": self.segments.iter().map(segment).collect::<Vec<_>>(),
            "device_traces": [trace],
            "allocator_settings": {
                "max_split_size": -1,
                "garbage_collection_threshold": 0.0,
                "expandable_segments": false,
                "budget_bytes": self.budget_bytes,
            },
        });
        // Numbers, text, lists and dictionaries with text as keys: a pickle can hold all of them.
        serde_pickle::to_vec(&whole, serde_pickle::SerOptions::new()).expect("plain values can be pickled")
    }
}

fn segment(segment: &SegmentSnapshot) -> Value {
    let sum = |of: &dyn Fn(&BlockSnapshot) -> usize| -> usize { segment.blocks.iter().map(of).sum() };
    let is = |b: &BlockSnapshot, state| if word(b.state) == state { b.bytes } else { 0 };
    let allocated = sum(&|b| is(b, "active_allocated"));
    let pending = sum(&|b| is(b, "active_pending_free"));
    let requested = sum(&|b| if b.state == BlockState::Live { b.requested_bytes } else { 0 });
    json!({
        "device": 0,
        "address": segment.address,
        "total_size": segment.bytes,
        "allocated_size": allocated,
        "active_size": allocated + pending,
        "requested_size": requested,
        "stream": segment.stream.unwrap_or(0),
        "segment_type": if segment.bytes > SMALL_MAX { "large" } else { "small" },
        "segment_pool_id": [0, 0],
        "is_expandable": false,
        "frames": [],
        "blocks": segment.blocks.iter().map(block).collect::<Vec<_>>(),
    })
}

fn block(block: &BlockSnapshot) -> Value {
    json!({
        "address": block.address,
        "size": block.bytes,
        "requested_size": if block.state == BlockState::Live { block.requested_bytes } else { 0 },
        "state": word(block.state),
        "frames": [],
    })
}

fn word(state: BlockState) -> &'static str {
    match state {
        BlockState::Live | BlockState::Imported => "active_allocated",
        BlockState::Limbo | BlockState::Inbox => "active_pending_free",
        BlockState::Cached | BlockState::Pooled => "inactive",
    }
}

fn entry(event: &MemoryEvent, device_free: usize) -> Value {
    let action = match event.action {
        MemoryAction::Alloc => "alloc",
        MemoryAction::FreeRequested => "free_requested",
        MemoryAction::FreeCompleted => "free_completed",
        MemoryAction::SegmentAlloc => "segment_alloc",
        MemoryAction::SegmentFree => "segment_free",
        MemoryAction::OutOfMemory => "oom",
    };
    let mut entry = json!({
        "action": action, "addr": event.address, "size": event.bytes, "stream": event.stream,
        "time_us": event.time_us, "frames": [],
    });
    if event.action == MemoryAction::OutOfMemory {
        entry["device_free"] = json!(device_free);
    }
    entry
}
