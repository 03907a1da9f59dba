//! A fixed loop on one thread: whether the machine was as fast after a round as before it.

use std::hint::black_box;
use std::time::Instant;

const STEPS: u32 = 6_000_000;

/// Seconds of the loop: the shortest of three.
pub(crate) fn seconds() -> f64 {
    let once = || {
        let begin = Instant::now();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for step in 0..STEPS {
            state = black_box(state.rotate_left(7).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ u64::from(step));
        }
        black_box(state);
        begin.elapsed().as_secs_f64()
    };
    once().min(once()).min(once())
}
