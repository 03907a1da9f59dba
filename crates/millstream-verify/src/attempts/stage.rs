//! What the probes of several attempts share: threads that meet at steps, buffers whose every word is known, and a device at rest.
//!
//! A known buffer is one word repeated; its fingerprint is computed on the device over every element and compared with that of the same words on the host, so that one
//! wrong element anywhere is seen without a copy. Poison is what the allocator's next block is overwritten with, in stream order: a block that is given out too early then
//! shows a value that no computation makes.

use std::time::Duration;

use millstream::{Buffer, DType, Device, Kernel, RuntimeError};
use millstream_sync::Doorbell;
use millstream_sync::atomic::{AtomicU32, Ordering};

use super::probes::{Verdict, text, zero};

/// Longer than anything that a probe waits for takes on a busy machine.
pub const LONG: Duration = Duration::from_secs(30);

/// A counter of steps that threads wait for.
#[derive(Debug, Default)]
pub struct Steps {
    at: AtomicU32,
    bell: Doorbell,
}

impl Steps {
    /// One step more.
    pub fn advance(&self) {
        self.at.fetch_add(1, Ordering::Relaxed);
        self.bell.ring();
    }

    /// How many were made.
    pub fn made(&self) -> u32 {
        self.at.load(Ordering::Relaxed)
    }

    /// Waits until `steps` were made. Errors: they were not within [`LONG`].
    pub fn wait_for(&self, steps: u32) -> Verdict {
        if self.bell.wait_until(Some(LONG), || self.made() >= steps) {
            return Ok(());
        }
        Err(format!("the probe's threads came to step {} of {steps} within {LONG:?}", self.made()))
    }
}

type Made = Result<Buffer, RuntimeError>;

/// A buffer of `words` words, each of them `value`. Enqueued on the current stream.
pub fn filled(device: &Device, words: usize, value: f32) -> Made {
    device.launch(Kernel::Fill { elements: words, dtype: DType::F32, value: value.into() }, words * 4, &[])
}

/// A fresh buffer of `words` words, overwritten with poison in stream order.
pub fn poisoned(device: &Device, words: usize) -> Made {
    device.launch(Kernel::Poison { bytes: words * 4 }, words * 4, &[])
}

/// The fingerprint of the first `words` words of `buffer`, enqueued and not waited for.
pub fn fingerprint(device: &Device, buffer: &Buffer, words: usize) -> Made {
    device.launch(Kernel::Fingerprint { bytes: words * 4 }, 8, &[buffer])
}

/// Keeps the current stream busy.
pub fn spin(device: &Device, micros: u32) -> Result<(), RuntimeError> {
    device.enqueue(Kernel::Spin { micros }).map(drop)
}

/// Compares a fingerprint with that of `words` words of `value`. Blocks the host. Errors: it differs, and what it is instead.
pub fn check(device: &Device, hash: &Buffer, words: usize, value: f32, who: &str) -> Verdict {
    let bytes = device.download(&[(hash, 8)]).map_err(text)?;
    let found = bytes.try_into().map(u64::from_le_bytes).unwrap_or_default();
    let of = |word: u32| (0..words as u64).fold(0u64, |sum, at| sum.wrapping_add(Kernel::fingerprint_word(at, word)));
    if found == of(value.to_bits()) {
        return Ok(());
    }
    let what = if found == of(Kernel::POISON_WORD) { "poison" } else { "other values" };
    Err(format!("{who} read {what} where {words} words of {value} should be"))
}

/// Everything has been dropped: nothing is live, in limbo or claimed, everything goes back to the device, and the shutdown leaves nothing.
pub fn at_rest(device: &Device) -> Verdict {
    device.leave_thread();
    zero("streams claimed at rest", device.leases() as u64)?;
    device.synchronize_all(None).map_err(text)?;
    device.trim();
    let stats = device.memory_stats();
    zero("live bytes at rest", stats.live_bytes as u64)?;
    zero("blocks in limbo at rest", stats.limbo_blocks as u64)?;
    zero("bytes in caches at rest", stats.cached_bytes as u64)?;
    zero("bytes kept after a trim at rest", stats.reserved_bytes as u64)?;
    let report = device.shutdown(LONG);
    if !report.complete {
        return Err(format!("the shutdown was not complete: {report:?}"));
    }
    zero("bytes stranded", report.stranded_bytes as u64)?;
    zero("bytes not given back", report.reserved_bytes_left as u64)?;
    zero("blocks left in limbo", report.limbo_blocks_left as u64)?;
    zero("flushes in progress", u64::from(report.flushes_in_progress))
}
