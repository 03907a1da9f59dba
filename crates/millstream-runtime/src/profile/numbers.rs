//! Numbers for what records refer to: names and call sites, which live as long as the program.

use millstream_sync::OnceLock;

const ENTRIES: usize = 256;

/// Values by number, from 1. Found by a search from the front: the few that are used often stand there. 0 stands for all that found no place.
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
        let place = self.entries.iter().position(|entry| {
            let kept: &'static T = entry.get_or_init(|| value);
            std::ptr::eq(kept, value)
        });
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
        assert_eq!(given[..3], [1, 2, 3]);
        assert_eq!(numbers.number(names[1]), 2);
        assert_eq!((given[ENTRIES], numbers.value(0)), (0, None));
        assert_eq!(numbers.value(ENTRIES as u64), Some(names[ENTRIES - 1]));
    }
}
