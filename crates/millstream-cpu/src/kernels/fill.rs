//! One value, equal steps, or the poison pattern, over a range.

use millstream_hal::{Kernel, Scalar};

use super::number::{Element, Stored};
use crate::Level;
use crate::simd::Work;

/// Every element becomes `value`, bit for bit.
pub fn fill<T: Element>(out: &mut [T], value: T) {
    out.fill(value);
}

/// Elements `first ..` of `start + i * step`: floats in f64, integers in i64.
pub fn arange<T: Stored>(level: Level, float: bool, start: Scalar, step: Scalar, first: usize, out: &mut [T]) {
    if float {
        let [start, step] = [start, step].map(f64::from_scalar);
        level.run(Steps { out, first, value: |i: usize| T::from_f64(start + i as f64 * step) });
    } else {
        let [start, step] = [start, step].map(i64::from_scalar);
        level.run(Steps { out, first, value: |i: usize| T::from_i64(start.wrapping_add(step.wrapping_mul(i as i64))) });
    }
}

struct Steps<'a, T, F> {
    out: &'a mut [T],
    first: usize,
    value: F,
}

impl<T: Stored, F: Fn(usize) -> T> Work for Steps<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (i, out) in self.out.iter_mut().enumerate() {
            *out = (self.value)(self.first + i);
        }
    }
}

/// Every word becomes [`Kernel::POISON_WORD`], a NaN that no result contains.
pub fn poison(out: &mut [u32]) {
    out.fill(Kernel::POISON_WORD);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poisoned_word_is_a_nan_of_its_own() {
        let mut words = [0u32; 19];
        poison(&mut words[1..18]);
        assert_eq!((words[0], words[18]), (0, 0));
        assert!(words[1..18].iter().all(|w| *w == 0x7fa5_a5a5 && f32::from_bits(*w).is_nan()));
        let mut x = [1.0f32; 3];
        fill(&mut x, -0.0);
        assert!(x.iter().all(|v| v.to_bits() == 0x8000_0000));
    }
}
