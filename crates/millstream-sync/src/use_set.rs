//! Which foreign streams used a buffer, and up to where.
//!
//! Up to two streams keep exact positions. A third one turns all of them into bits of a mask: from then on a stream writes its bit once and
//! then only reads it, so that twenty threads can use one set of weights without a write to its record. At the last drop a masked
//! stream stands for its tail.
//!
//! **Invariants**
//! * `no-user-lost`: after `add(s, p)` and a later read with exclusive access, `s` is either exact at `p` or later, or masked.
//! * `one-writer-per-stream`: a stream adds its uses under its submission lock, so its positions come in order.
//!
//! **Checked by** tests/loom/protocols/use_set.rs, specs/stamps_and_reuse.

use crate::atomic::{AtomicU64, Ordering};
use crate::seeded::{self, Bug};
use crate::slot_set::SLOTS_MAX;

const WORDS: usize = SLOTS_MAX / 64;
const EXACT: usize = 2;
const POSITION_BITS: u32 = 48;
const POSITION_MASK: u64 = (1 << POSITION_BITS) - 1;

/// The set. Empty: all words zero.
#[derive(Debug, Default)]
pub struct UseSet {
    /// 0: free; else (stream + 1) << 48 | position.
    exact: [AtomicU64; EXACT],
    mask: [AtomicU64; WORDS],
}

/// What a use set says of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The stream's last use is at this position.
    Exact {
        /// Slot of the stream.
        stream: u16,
        /// Position of its last use.
        position: u64,
    },
    /// The stream used the buffer; its tail at the last drop stands for all its uses.
    Masked {
        /// Slot of the stream.
        stream: u16,
    },
}

impl UseSet {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that `stream` uses the buffer at `position` (below 2^48). The caller holds the stream's submission lock and a reference to
    /// the buffer.
    #[inline]
    pub fn add(&self, stream: u16, position: u64) {
        let (word, bit) = (usize::from(stream) / 64, 1u64 << (stream % 64));
        // The hot case of shared weights: one load, no write.
        if self.mask[word].load(Ordering::Relaxed) & bit == 0 {
            self.add_slow(stream, position, word, bit);
        }
    }

    fn add_slow(&self, stream: u16, position: u64, word: usize, bit: u64) {
        let packed = (u64::from(stream) + 1) << POSITION_BITS | (position & POSITION_MASK);
        if seeded::is(Bug::LostSecondUser) {
            self.exact[0].store(packed, Ordering::Relaxed);
            return;
        }
        for entry in &self.exact {
            let mut found = entry.load(Ordering::Relaxed);
            while found == 0 || found >> POSITION_BITS == u64::from(stream) + 1 {
                // ORDER: Relaxed throughout this type: the last drop of the buffer is the release/acquire that makes uses visible.
                match entry.compare_exchange(found, packed, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => return,
                    Err(now) => found = now,
                }
            }
        }
        // A third stream: from now on bits only. The two exact entries stay (they may be written once more) and are masked too.
        self.mask[word].fetch_or(bit, Ordering::Relaxed);
        for entry in &self.exact {
            let found = entry.load(Ordering::Relaxed);
            if found != 0 {
                let other = (found >> POSITION_BITS) - 1;
                self.mask[other as usize / 64].fetch_or(1 << (other % 64), Ordering::Relaxed);
            }
        }
    }

    /// Whether no stream was noted. Meaningful with exclusive access.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        // The first exact entry is always filled first.
        self.exact[0].load(Ordering::Relaxed) == 0
    }

    /// All streams noted, each once. Meaningful with exclusive access.
    pub fn each(&self, mut f: impl FnMut(Use)) {
        for (at, word) in self.mask.iter().enumerate() {
            let mut bits = word.load(Ordering::Relaxed);
            while bits != 0 {
                f(Use::Masked { stream: (at as u32 * 64 + bits.trailing_zeros()) as u16 });
                bits &= bits - 1;
            }
        }
        for entry in &self.exact {
            let found = entry.load(Ordering::Relaxed);
            if found == 0 {
                continue;
            }
            let stream = ((found >> POSITION_BITS) - 1) as u16;
            if self.mask[usize::from(stream) / 64].load(Ordering::Relaxed) & (1 << (stream % 64)) == 0 {
                f(Use::Exact { stream, position: found & POSITION_MASK });
            }
        }
    }

    /// Empties the set. Needs exclusive access.
    pub fn clear(&self) {
        for entry in &self.exact {
            entry.store(0, Ordering::Relaxed);
        }
        for word in &self.mask {
            if word.load(Ordering::Relaxed) != 0 {
                word.store(0, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(all(test, not(any(millstream_loom, millstream_shuttle))))]
mod tests {
    use super::*;

    fn all(set: &UseSet) -> Vec<Use> {
        let mut found = Vec::new();
        set.each(|u| found.push(u));
        found
    }

    #[test]
    fn two_streams_are_exact_and_a_third_masks_all() {
        let set = UseSet::new();
        assert!(set.is_empty());
        set.add(3, 10);
        set.add(70, 20);
        set.add(3, 12);
        assert_eq!(all(&set), [Use::Exact { stream: 3, position: 12 }, Use::Exact { stream: 70, position: 20 }]);
        set.add(200, 5);
        assert_eq!(all(&set), [Use::Masked { stream: 3 }, Use::Masked { stream: 70 }, Use::Masked { stream: 200 }]);
        set.clear();
        assert!(set.is_empty());
        assert_eq!(all(&set), []);
    }

    #[test]
    fn each_stream_has_a_bit_of_its_own() {
        let last = SLOTS_MAX as u16 - 1;
        let set = UseSet::new();
        set.add(last, POSITION_MASK);
        set.add(65, 1);
        let exact = [Use::Exact { stream: last, position: (1 << 48) - 1 }, Use::Exact { stream: 65, position: 1 }];
        assert_eq!(all(&set), exact);
        for again in 0..3 {
            for stream in [0, 64, 128] {
                set.add(stream, 7 + again);
            }
        }
        let masked = [0, 64, 65, 128, last].map(|stream| Use::Masked { stream });
        assert_eq!(all(&set), masked);
        set.clear();
        set.add(1, 2);
        assert_eq!(all(&set), [Use::Exact { stream: 1, position: 2 }]);
        assert!(!set.is_empty());
    }
}
