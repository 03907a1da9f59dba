//! A picture of all memory of a device: every segment, every block in it with its state, what is imported and staged, totals that add up.
//!
//! The parts are copied one after another under their own short locks, while threads may run: at rest the picture is exact.
//!
//! **Locks** `DeviceState`, `Limbo`, `BlockPool`, `SegmentHeap`, one at a time.

use std::collections::{BTreeMap, HashMap};

use millstream_sync::Arc;
use millstream_sync::lock::Held;
use millstream_sync::lock::levels::Nothing;
use millstream_sync::use_set::Use;
use serde_json::{Value, json};

use super::ThreadCache;
use super::history::MemoryEvent;
use super::slab::Block;
use crate::device::Shared;

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BlockState {
    /// In a buffer that has handles.
    Live,
    /// In a thread's cache.
    Cached,
    /// Free in a stream's pool, or a segment at rest.
    Pooled,
    /// Freed, and waiting for streams that use it.
    Limbo,
    /// Freed on another thread, or just on its way.
    Inbox,
    /// Memory of others, in a buffer or waiting for its deleter.
    Imported,
}

impl BlockState {
    /// Name in the JSON form.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Cached => "cached",
            Self::Pooled => "pooled",
            Self::Limbo => "limbo",
            Self::Inbox => "inbox",
            Self::Imported => "imported",
        }
    }
}

/// A block.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockSnapshot {
    /// First byte.
    pub address: u64,
    /// Size in bytes.
    pub bytes: usize,
    /// What its last buffer asked for, in bytes; 0 where it never had one or is free.
    pub requested_bytes: usize,
    /// Where it is.
    pub state: BlockState,
    /// The stream for which it was allocated last, or whose pool has it.
    pub stream: Option<u16>,
    /// Position of the work that defined its last value; 0 for none.
    pub last_write: u64,
    /// Other streams that used it since: the slot and the last position where it is known exactly.
    pub users: Vec<(u16, Option<u64>)>,
}

/// A segment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentSnapshot {
    /// First byte.
    pub address: u64,
    /// Size in bytes.
    pub bytes: usize,
    /// The stream whose pool carves it; `None` at rest.
    pub stream: Option<u16>,
    /// Its blocks without gap or overlap, by address.
    pub blocks: Vec<BlockSnapshot>,
}

/// Host memory for transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StagingSnapshot {
    /// First byte, a host address.
    pub address: u64,
    /// Size in bytes.
    pub bytes: usize,
    /// Whether a transfer may be at work on it.
    pub busy: bool,
}

/// All memory of a device. What [`crate::Device::memory_snapshot`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemorySnapshot {
    /// Name of the device.
    pub device: String,
    /// Byte budget.
    pub budget_bytes: usize,
    /// By address.
    pub segments: Vec<SegmentSnapshot>,
    /// Memory of others, by address.
    pub imported: Vec<BlockSnapshot>,
    /// Staging memory at rest or at work; what a thread holds in its hands just now is missing.
    pub staging: Vec<StagingSnapshot>,
    /// What happened last, oldest first, if the history was on.
    pub history: Vec<MemoryEvent>,
}

impl MemorySnapshot {
    /// Bytes of all blocks in `state`.
    #[must_use]
    pub fn bytes(&self, state: BlockState) -> usize {
        let blocks = self.segments.iter().flat_map(|segment| &segment.blocks).chain(&self.imported);
        blocks.filter(|block| block.state == state).map(|block| block.bytes).sum()
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn reserved_bytes(&self) -> usize {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// As JSON: device, totals, segments with their blocks, imported, staging. Addresses and sizes are numbers.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let block = |b: &BlockSnapshot| {
            let users: Vec<Value> = b.users.iter().map(|(s, seq)| json!({"stream": s, "position": seq})).collect();
            json!({
                "address": b.address, "bytes": b.bytes, "requested_bytes": b.requested_bytes, "state": b.state.name(),
                "stream": b.stream, "last_use": {"written_at": b.last_write, "users": users},
            })
        };
        let segments: Vec<Value> = self
            .segments
            .iter()
            .map(|s| {
                let blocks: Vec<Value> = s.blocks.iter().map(block).collect();
                json!({"address": s.address, "bytes": s.bytes, "stream": s.stream, "blocks": blocks})
            })
            .collect();
        let staging = self.staging.iter().map(|s| json!({"address": s.address, "bytes": s.bytes, "busy": s.busy}));
        let staged: usize = self.staging.iter().map(|s| s.bytes).sum();
        json!({
            "device": self.device,
            "totals": {
                "budget_bytes": self.budget_bytes,
                "reserved_bytes": self.reserved_bytes(),
                "live_bytes": self.bytes(BlockState::Live),
                "cached_bytes": self.bytes(BlockState::Cached),
                "pooled_bytes": self.bytes(BlockState::Pooled),
                "limbo_bytes": self.bytes(BlockState::Limbo),
                "inbox_bytes": self.bytes(BlockState::Inbox),
                "imported_bytes": self.bytes(BlockState::Imported),
                "staging_bytes": staged,
            },
            "segments": segments,
            "imported": self.imported.iter().map(block).collect::<Vec<_>>(),
            "staging": staging.collect::<Vec<_>>(),
        })
    }
}

impl BlockSnapshot {
    fn of(block: &Block, state: BlockState, stream: Option<u16>) -> Self {
        let mut users = Vec::new();
        block.uses.each(|one| {
            users.push(match one {
                Use::Exact { stream, position } => (stream, Some(position)),
                Use::Masked { stream } => (stream, None),
            });
        });
        Self {
            address: block.address().0,
            bytes: block.bytes(),
            requested_bytes: block.requested(),
            state,
            stream,
            last_write: block.written(),
            users,
        }
    }

    fn free(address: u64, bytes: usize, stream: Option<u16>) -> Self {
        let state = BlockState::Pooled;
        Self { address, bytes, requested_bytes: 0, state, stream, last_write: 0, users: Vec::new() }
    }
}

impl Shared {
    pub(crate) fn memory_snapshot(&self, held: &mut Held<'_, Nothing>) -> MemorySnapshot {
        let slab = &self.memory.slab;
        let places = self.freed_places(held);
        let mut segments: BTreeMap<u64, SegmentSnapshot> = BTreeMap::new();
        for slot in self.streams.created() {
            let spans = held.lock(&self.streams.slot(slot).pool).spans();
            for span in spans {
                let address = span.segment.base.offset(span.offset).0;
                let block = match (span.number, span.free) {
                    (_, true) => BlockSnapshot::free(address, span.bytes, Some(slot)),
                    (number, false) => {
                        let block = slab.block(number);
                        let state = match places.get(&number) {
                            _ if block.has_handles() => BlockState::Live,
                            Some(state) => *state,
                            None => BlockState::Inbox,
                        };
                        BlockSnapshot::of(block, state, Some(block.stream()))
                    }
                };
                let entry = segments.entry(span.segment.base.0).or_insert_with(|| SegmentSnapshot {
                    address: span.segment.base.0,
                    bytes: span.segment.bytes,
                    stream: Some(slot),
                    blocks: Vec::new(),
                });
                entry.blocks.push(block);
            }
        }
        for segment in held.lock(&self.memory.heap).empty_segments() {
            let (address, bytes) = (segment.base.0, segment.bytes);
            let blocks = vec![BlockSnapshot::free(address, bytes, None)];
            segments.insert(address, SegmentSnapshot { address, bytes, stream: None, blocks });
        }
        let mut segments: Vec<SegmentSnapshot> = segments.into_values().collect();
        segments.iter_mut().for_each(|segment| segment.blocks.sort_by_key(|block| block.address));
        let imports = self.memory.imports.numbers(held);
        let mut imported: Vec<BlockSnapshot> = imports
            .into_iter()
            .map(|number| BlockSnapshot::of(slab.block(number), BlockState::Imported, None))
            .collect();
        imported.sort_by_key(|block| block.address);
        MemorySnapshot {
            device: self.name(),
            budget_bytes: self.options.budget_bytes,
            segments,
            imported,
            staging: self.staging_pieces(),
            history: self.memory.history.read(),
        }
    }

    /// Where blocks without handles are, as far as somebody lists them.
    fn freed_places(&self, held: &mut Held<'_, Nothing>) -> HashMap<u32, BlockState> {
        let caches: Vec<Arc<ThreadCache>> = held.lock(&self.state).caches.clone();
        let cached = caches.iter().flat_map(|cache| cache.numbers());
        let mut places: HashMap<u32, BlockState> = cached.map(|number| (number, BlockState::Cached)).collect();
        for slot in self.streams.created() {
            let limbo = held.lock(&self.streams.slot(slot).limbo);
            places.extend(limbo.numbers().map(|number| (number, BlockState::Limbo)));
        }
        places
    }
}
