//! Device memory: segments of real bytes under addresses that mean nothing to the host, and staging by its host address.
//!
//! No address is ever handed out twice, so a use after release cannot be mistaken for a use of something newer.

use std::collections::BTreeMap;

use millstream_hal::{DevicePtr, Error, Kernel, Operand, RawSegment, RawStaging, Result, SEGMENT_ALIGN};

use crate::staging::Staging;

/// Where the first segment lies.
const FIRST: u64 = 0x1000_0000;
/// Bytes between segments: a kernel that runs over meets nothing.
const GAP: u64 = 1 << 16;

/// Where an operand lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lies {
    /// In live memory: its first byte, and how far into it.
    Inside { base: u64, offset: usize },
    /// In memory that was released.
    Released,
    /// Nowhere, or over the end.
    Outside,
}

/// All memory of the device.
#[derive(Debug)]
pub(crate) struct Memory {
    segments: BTreeMap<u64, Vec<u8>>,
    staging: BTreeMap<u64, Staging>,
    released: BTreeMap<u64, u64>,
    released_staging: BTreeMap<u64, u64>,
    next: u64,
    used: usize,
    limit: usize,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            segments: BTreeMap::new(),
            staging: BTreeMap::new(),
            released: BTreeMap::new(),
            released_staging: BTreeMap::new(),
            next: FIRST,
            used: 0,
            limit,
        }
    }

    pub(crate) fn available(&self) -> usize {
        self.limit - self.used
    }

    pub(crate) fn add_segment(&mut self, bytes: usize) -> Result<RawSegment> {
        let full = Error::OutOfMemory { requested: bytes, available: self.available() };
        let size = bytes.max(1).checked_next_multiple_of(SEGMENT_ALIGN).ok_or_else(|| full.clone())?;
        let mut memory = Vec::new();
        if size > self.available() || memory.try_reserve_exact(size).is_err() {
            return Err(full);
        }
        for _ in 0..size / 4 {
            memory.extend_from_slice(&Kernel::POISON_WORD.to_le_bytes());
        }
        let base = self.next;
        self.next = (base + size as u64 + GAP).next_multiple_of(GAP);
        self.used += size;
        self.segments.insert(base, memory);
        Ok(RawSegment { base: DevicePtr(base), bytes: size })
    }

    /// Takes a segment back; false when it was not handed out.
    pub(crate) fn remove_segment(&mut self, base: u64) -> bool {
        let Some(memory) = self.segments.remove(&base) else { return false };
        self.used -= memory.len();
        self.released.insert(base, base + memory.len() as u64);
        true
    }

    pub(crate) fn add_staging(&mut self, bytes: usize) -> Result<RawStaging> {
        let staging = Staging::new(bytes).ok_or(Error::OutOfMemory { requested: bytes, available: 0 })?;
        let raw = staging.raw();
        let end = raw.host + raw.bytes as u64;
        self.released_staging.retain(|start, e| *e <= raw.host || *start >= end);
        self.staging.insert(raw.host, staging);
        Ok(raw)
    }

    /// Takes staging memory back; false when it was not handed out.
    pub(crate) fn remove_staging(&mut self, host: u64) -> bool {
        let Some(staging) = self.staging.remove(&host) else { return false };
        self.released_staging.insert(host, host + staging.raw().bytes as u64);
        true
    }

    /// Where the first `bytes` bytes of an operand lie.
    pub(crate) fn find(&self, operand: &Operand, bytes: usize) -> Lies {
        let at = operand.ptr.0;
        let live = if operand.staging {
            self.staging.range(..=at).next_back().map(|(base, s)| (*base, s.raw().bytes))
        } else {
            self.segments.range(..=at).next_back().map(|(base, s)| (*base, s.len()))
        };
        if let Some((base, size)) = live {
            let offset = (at - base) as usize;
            if offset.checked_add(bytes).is_some_and(|end| end <= size) {
                return Lies::Inside { base, offset };
            }
        }
        let released = if operand.staging { &self.released_staging } else { &self.released };
        match released.range(..=at).next_back() {
            Some((_, end)) if at < *end => Lies::Released,
            _ => Lies::Outside,
        }
    }

    /// Bytes of live memory, copied.
    pub(crate) fn read(&self, staging: bool, base: u64, offset: usize, bytes: usize) -> Vec<u8> {
        if staging {
            self.staging.get(&base).map(|s| s.read(offset, bytes)).unwrap_or_default()
        } else {
            self.segments.get(&base).map(|s| s[offset..offset + bytes].to_vec()).unwrap_or_default()
        }
    }

    /// Lets `f` write bytes of live memory.
    pub(crate) fn write<R>(
        &mut self,
        staging: bool,
        base: u64,
        offset: usize,
        bytes: usize,
        f: impl FnOnce(&mut [u8]) -> R,
    ) -> R {
        if staging {
            let mut copy = self.read(true, base, offset, bytes);
            let result = f(&mut copy);
            if let Some(staging) = self.staging.get(&base) {
                staging.write(offset, &copy);
            }
            result
        } else {
            match self.segments.get_mut(&base) {
                Some(memory) => f(&mut memory[offset..offset + bytes]),
                None => f(&mut []),
            }
        }
    }
}
