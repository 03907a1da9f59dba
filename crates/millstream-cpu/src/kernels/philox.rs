//! Philox4x32-10: a counter turned into four random 32-bit words.
//!
//! Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11; known answers from Random123. A counter
//! has no state to share between threads, which is why the numbers do not depend on who computes them. It turns counters into words
//! and nothing else; distributions are in `randn`.

use millstream_hal::PhiloxKey;

const M0: u64 = 0xd251_1f53;
const M1: u64 = 0xcd9e_8d57;
const W0: u32 = 0x9e37_79b9;
const W1: u32 = 0xbb67_ae85;

/// The words of one block: counter and key low word first.
#[inline(always)]
#[must_use]
pub fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [[lo, hi]] = words([counter.map(u64::from)], key);
    [lo as u32, (hi & 0xffff_ffff) as u32, (lo >> 32) as u32, (hi >> 32) as u32]
}

/// The words of block `block` of the sequence that `key` names: `key.offset + block` is the low half of the counter, wrapping.
#[inline(always)]
#[must_use]
pub fn block(key: PhiloxKey, block: u64) -> [u32; 4] {
    let low = key.offset.wrapping_add(block);
    philox4x32_10(
        [low as u32, (low >> 32) as u32, key.sequence as u32, (key.sequence >> 32) as u32],
        [key.seed as u32, (key.seed >> 32) as u32],
    )
}

/// Blocks `block` and `other` at once, each packed for a vector loop: `[w0 | w2 << 32, w1 | w3 << 32]`. A round waits for the one before it, so one block after
/// another would leave the multiplier idle most of the time.
#[inline(always)]
pub(crate) fn packed_blocks(key: PhiloxKey, block: u64, other: u64) -> [[u64; 2]; 2] {
    let counter = |block: u64| {
        let low = key.offset.wrapping_add(block);
        [low, low >> 32, key.sequence, key.sequence >> 32]
    };
    words([counter(block), counter(other)], [key.seed as u32, (key.seed >> 32) as u32])
}

/// Ten rounds on 64-bit lanes whose upper halves are ignored: a 32 x 32 -> 64 multiplication is then one vector instruction, without a shuffle.
#[inline(always)]
fn words<const N: usize>(counters: [[u64; 4]; N], key: [u32; 2]) -> [[u64; 2]; N] {
    const LOW: u64 = 0xffff_ffff;
    let mut c = counters;
    let [mut k0, mut k1] = key;
    for _ in 0..10 {
        let products = c.map(|[c0, _, c2, _]| [(c0 & LOW) * M0, (c2 & LOW) * M1]);
        for ([c0, c1, c2, c3], [p0, p1]) in c.iter_mut().zip(products) {
            (*c0, *c1, *c2, *c3) = ((p1 >> 32) ^ (*c1 ^ u64::from(k0)), p1, (p0 >> 32) ^ (*c3 ^ u64::from(k1)), p0);
        }
        k0 = k0.wrapping_add(W0);
        k1 = k1.wrapping_add(W1);
    }
    c.map(|[c0, c1, c2, c3]| [(c0 & LOW) | (c2 << 32), (c1 & LOW) | (c3 << 32)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_answers_of_random123_come_out() {
        let zero = philox4x32_10([0; 4], [0; 2]);
        assert_eq!(zero, [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        let ones = philox4x32_10([u32::MAX; 4], [u32::MAX; 2]);
        assert_eq!(ones, [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = philox4x32_10([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]);
        assert_eq!(pi, [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    #[test]
    fn a_block_takes_its_counter_from_offset_and_sequence_and_wraps() {
        let key =
            PhiloxKey { seed: 0x299f_31d0_a409_3822, sequence: 0x0370_7344_1319_8a2e, offset: 0x85a3_08d3_243f_6a00 };
        assert_eq!(block(key, 0x88), [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
        let last = PhiloxKey { offset: u64::MAX, ..key };
        assert_eq!(block(last, 1), block(PhiloxKey { offset: 0, ..key }, 0));
        for (packed, at) in packed_blocks(key, 0x88, 5).into_iter().zip([0x88, 5]) {
            let [even, odd] = packed;
            assert_eq!([even as u32, odd as u32, (even >> 32) as u32, (odd >> 32) as u32], block(key, at));
        }
    }
}
