//! One value, or the poison pattern, over a range.

use millstream_hal::Kernel;

/// Every element becomes `value`, bit for bit.
pub fn fill(out: &mut [f32], value: f32) {
    out.fill(value);
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
