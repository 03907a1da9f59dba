//! Standard normal numbers: Philox words through Box-Muller.
//!
//! Element `i` is word `i % 4` of block `i / 4` (see [`PhiloxKey`]); words are taken in pairs. For a pair `(w, v)`
//! the radius is `sqrt(-2 ln u)` with `u = (w + 1) / 2^32`, the angle is `2 pi v / 2^32`, and the pair of elements is
//! `(radius cos angle, radius sin angle)` (Box, Muller 1958). So the largest number is 6.661, no number is infinite or NaN, and the
//! numbers near zero are as fine as `f32` allows, since `ln u` is taken from `1 - u` where `u` is near 1.
//!
//! Logarithm, sine and cosine are polynomials after an exact reduction (the coefficients of Cephes `logf`, `sinf`, `cosf`, Moshier),
//! because a vector loop cannot call libm and because two machines must agree on every bit.
//!
//! **Invariants**
//! * `element-knows-its-number`: the value of an element depends on key and index alone, never on where a range begins or ends.
//!
//! **Checked by** the tests below, against `f64`.
//!
//! Speed (`benches/kernels.rs`, one thread): 1.35 ns a normal with AVX2, 2.3 before the loops were parted (2026-11-24, AMD Zen 3, 2 cores); 0.85 with AVX-512, in one
//! loop (2026-11-23, Intel Ice Lake 2.8 GHz, beside other work).

use millstream_hal::PhiloxKey;

use super::philox;
use crate::Level;
use crate::simd::Work;

/// Blocks per pass over the buffers on the stack.
const PASS: usize = 128;
/// Largest normal that can come out, rounded up.
pub const LARGEST: f32 = 6.6605;

/// Writes elements `first ..` of the sequence of `key` to `out`.
pub fn randn(level: Level, key: PhiloxKey, first: u64, out: &mut [f32]) {
    // The head up to the next whole block, then whole blocks, then the tail.
    let skip = (first % 4) as usize;
    let mut block = first / 4;
    let mut rest = out;
    if skip != 0 {
        let (head, tail) = rest.split_at_mut((4 - skip).min(rest.len()));
        head.copy_from_slice(&one_block(level, key, block)[skip..skip + head.len()]);
        rest = tail;
        block += 1;
    }
    let whole = rest.len() / 4 * 4;
    let (body, tail) = rest.split_at_mut(whole);
    level.run(Blocks { key, first: block, out: body });
    if !tail.is_empty() {
        let last = one_block(level, key, block + (whole / 4) as u64);
        tail.copy_from_slice(&last[..tail.len()]);
    }
}

fn one_block(level: Level, key: PhiloxKey, block: u64) -> [f32; 4] {
    level.run(One { key, block })
}

/// One block.
struct One {
    key: PhiloxKey,
    block: u64,
}

impl Work for One {
    type Output = [f32; 4];

    #[inline(always)]
    fn run(self) -> [f32; 4] {
        let [w0, w1, w2, w3] = philox::block(self.key, self.block);
        let ((x0, x1), (x2, x3)) = (box_muller(w0, w1), box_muller(w2, w3));
        [x0, x1, x2, x3]
    }
}

/// Whole blocks: `out.len()` is a multiple of 4.
struct Blocks<'a> {
    key: PhiloxKey,
    first: u64,
    out: &'a mut [f32],
}

impl Work for Blocks<'_> {
    type Output = ();

    /// Loop by loop through buffers on the stack: one loop over everything needs more registers than AVX2 has, and takes twice as long.
    #[inline(always)]
    fn run(self) {
        let mut words = [[0u32; 2 * PASS]; 2];
        let mut normals = [[0f32; 2 * PASS]; 2];
        let mut at = self.first;
        for part in self.out.chunks_mut(PASS * 4) {
            // A short pass computes all numbers and uses fewer: the loops have a length that the compiler knows.
            fill_words(self.key, at, &mut words);
            let [cosines, sines] = &mut normals;
            for (radius, w) in cosines.iter_mut().zip(&words[0]) {
                *radius = (-2.0 * ln_uniform(*w)).sqrt();
            }
            for ((x, y), v) in cosines.iter_mut().zip(sines.iter_mut()).zip(&words[1]) {
                let (sin, cos) = sin_cos_turn(*v);
                (*x, *y) = (*x * cos, *x * sin);
            }
            for ((pair, x), y) in part.as_chunks_mut::<2>().0.iter_mut().zip(cosines).zip(sines) {
                *pair = [*x, *y];
            }
            at = at.wrapping_add(PASS as u64);
        }
    }
}

/// The words of [`PASS`] blocks from `first`: those that give a radius, and those that give an angle.
#[inline(always)]
fn fill_words(key: PhiloxKey, first: u64, [radius, angle]: &mut [[u32; 2 * PASS]; 2]) {
    const HALF: usize = PASS / 2;
    let (radius, radius_other) = radius.split_at_mut(PASS);
    let (angle, angle_other) = angle.split_at_mut(PASS);
    let to = radius.as_chunks_mut::<2>().0.iter_mut().zip(angle.as_chunks_mut::<2>().0);
    let to_other = radius_other.as_chunks_mut::<2>().0.iter_mut().zip(angle_other.as_chunks_mut::<2>().0);
    for (i, ((r, a), (r_other, a_other))) in to.zip(to_other).enumerate() {
        let block = first.wrapping_add(i as u64);
        let [one, other] = philox::packed_blocks(key, block, block.wrapping_add(HALF as u64));
        (*r, *a) = (halves(one[0]), halves(one[1]));
        (*r_other, *a_other) = (halves(other[0]), halves(other[1]));
    }
}

#[inline(always)]
fn halves(word: u64) -> [u32; 2] {
    [word as u32, (word >> 32) as u32]
}

/// One pair of words to one pair of normals.
#[inline(always)]
fn box_muller(w: u32, v: u32) -> (f32, f32) {
    let radius = (-2.0 * ln_uniform(w)).sqrt();
    let (sin, cos) = sin_cos_turn(v);
    (radius * cos, radius * sin)
}

/// `ln((w + 1) / 2^32)`.
#[inline(always)]
fn ln_uniform(w: u32) -> f32 {
    const SCALE: f32 = 1.0 / 4_294_967_296.0;
    const SQRT_HALF_BITS: u32 = 0x3f35_04f3;
    // From this word on u > sqrt(1/2), so that ln u = ln(1 + f) with f = u - 1.
    const NEAR_ONE: u32 = 0xb504_f400;
    // As a signed number the word gives u below 1/2 and u - 1 above it, both to the last place.
    let t = (w as i32 as f32).mul_add(SCALE, SCALE);
    let u = if (w as i32) < 0 { 1.0 + t } else { t };
    // u = m * 2^e with m in [sqrt(1/2), sqrt(2)); e is 0 from NEAR_ONE on.
    let shifted = u.to_bits().wrapping_sub(SQRT_HALF_BITS);
    let e = ((shifted as i32) >> 23) as f32;
    let m = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(SQRT_HALF_BITS));
    let f = if w >= NEAR_ONE { t } else { m - 1.0 };
    let mut p = 7.037_683_6e-2_f32;
    p = p.mul_add(f, -1.151_461e-1);
    p = p.mul_add(f, 1.167_699_9e-1);
    p = p.mul_add(f, -1.242_014_1e-1);
    p = p.mul_add(f, 1.424_932_3e-1);
    p = p.mul_add(f, -1.666_805_8e-1);
    p = p.mul_add(f, 2.000_071_5e-1);
    p = p.mul_add(f, -2.499_999_4e-1);
    p = p.mul_add(f, 3.333_333e-1);
    let square = f * f;
    let mut y = p * f * square;
    y = e.mul_add(-2.121_944_4e-4, y);
    y = square.mul_add(-0.5, y);
    e.mul_add(0.693_359_4, f + y)
}

/// Sine and cosine of `2 pi v / 2^32`. The quadrant and the rest are taken from the integer, exactly.
#[inline(always)]
fn sin_cos_turn(v: u32) -> (f32, f32) {
    const STEP: f32 = (std::f64::consts::FRAC_PI_2 / 1_073_741_824.0) as f32;
    let quadrant = v.wrapping_add(1 << 29) >> 30;
    let rest = v.wrapping_sub(quadrant << 30) as i32;
    let x = rest as f32 * STEP;
    let z = x * x;
    let mut s = -1.951_529_6e-4_f32;
    s = s.mul_add(z, 8.332_161e-3);
    s = s.mul_add(z, -1.666_665_5e-1);
    let s = (s * z).mul_add(x, x);
    let mut c = 2.443_315_7e-5_f32;
    c = c.mul_add(z, -1.388_731_6e-3);
    c = c.mul_add(z, 4.166_664_6e-2);
    let c = (c * z).mul_add(z, z.mul_add(-0.5, 1.0));
    let swap = quadrant & 1 != 0;
    let (sin, cos) = if swap { (c, s) } else { (s, c) };
    let sin_sign = (quadrant & 2) << 30;
    let cos_sign = (quadrant.wrapping_add(1) & 2) << 30;
    (f32::from_bits(sin.to_bits() ^ sin_sign), f32::from_bits(cos.to_bits() ^ cos_sign))
}

#[cfg(test)]
#[path = "tests/randn.rs"]
mod tests;
