//! Numbers for what records refer to: names and call sites, which live as long as the program.

use millstream_sync::OnceLock;

const ENTRIES: usize = 256;

/// Values by number, from 1. The search for one begins where its address says. 0 stands for all that found no place.
#[derive(Debug)]
pub(super) struct Numbers<T: 'static + ?Sized> {
    entries: [OnceLock<&'static T>; ENTRIES],
}

impl<T: ?Sized> Numbers<T> {
    pub(super) fn new() -> Self {
        Self { entries: [const { OnceLock::new() }; ENTRIES] }
    }

    /// The number of `value`. One that has two addresses has one number or two.
    #[inline]
    pub(super) fn number(&self, value: &'static T) -> u64 {
        let address = (&raw const *value).addr();
        // A multiplication spreads the address over the top byte, which is a place of `ENTRIES`.
        let first = ((address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize;
        let mut places = (first..ENTRIES).chain(0..first);
        let place = places.find(|at| std::ptr::eq(*self.entries[*at].get_or_init(|| value), value));
        place.map_or(0, |at| at as u64 + 1)
    }

    pub(super) fn value(&self, number: u64) -> Option<&'static T> {
        self.entries.get((number as usize).checked_sub(1)?)?.get().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_place_is_unknown_and_takes_the_number_of_no_other() {
        let numbers: Numbers<str> = Numbers::new();
        let names: Vec<&'static str> = (0..ENTRIES + 1).map(|i| &*i.to_string().leak()).collect();
        let given: Vec<u64> = names.iter().map(|name| numbers.number(name)).collect();
        let values: Vec<Option<&str>> = given.iter().map(|number| numbers.value(*number)).collect();
        let kept: Vec<Option<&str>> = names[..ENTRIES].iter().map(|name| Some(*name)).collect();
        assert_eq!(values[..ENTRIES], kept);
        assert_eq!((given[ENTRIES], numbers.value(0)), (0, None));
        assert!(
            names.iter().zip(&given).all(|(name, number)| numbers.number(name) == *number),
            "another number the second time"
        );
    }
}
