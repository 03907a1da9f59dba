//! A search through two places while somebody carries the one thing from the first to the second.

use millstream_sync::atomic::AtomicU32;
use millstream_sync::moves::Moves;
use millstream_sync::{Arc, Inbox, thread};

use crate::checks::Case;

pub fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "moves/a_search_that_overlooked_nothing_has_found_it",
            bound: 3,
            pinned: 74,
            bugs: &[],
            body: one,
        },
        Case {
            name: "moves/so_with_one_that_carries_it_there_and_one_back",
            bound: 3,
            pinned: 4654,
            bugs: &[],
            body: two,
        },
    ]
}

#[derive(Default)]
struct Places {
    moves: Moves,
    link: AtomicU32,
    first: Inbox,
    second: Inbox,
}

impl Places {
    fn new() -> Arc<Self> {
        let places = Arc::new(Self::default());
        places.first.push(0, &places.link);
        places
    }

    /// Takes what is in `place`.
    fn take(&self, place: &Inbox) -> bool {
        let mut found = false;
        place.take_all(|_| &self.link, |_| found = true);
        found
    }

    fn carry(&self, from: &Inbox, to: &Inbox) {
        let _carried = self.moves.carry();
        if self.take(from) {
            to.push(0, &self.link);
            self.moves.note();
        }
    }

    /// Goes through both places until it has found the thing or may say that it is in neither.
    fn search(&self) {
        let before = self.moves.so_far();
        let found = self.take(&self.first) || self.take(&self.second);
        assert!(found || self.moves.may_have_overlooked(before), "it was in somebody's hands");
    }
}

fn one() {
    let places = Places::new();
    let there = Arc::clone(&places);
    let carrier = thread::spawn(move || there.carry(&there.first, &there.second));
    places.search();
    carrier.join().expect("a carrier does not panic");
}

fn two() {
    let places = Places::new();
    let (one, other) = (Arc::clone(&places), Arc::clone(&places));
    let carriers = [
        thread::spawn(move || one.carry(&one.first, &one.second)),
        thread::spawn(move || other.carry(&other.second, &other.first)),
    ];
    places.search();
    for carrier in carriers {
        carrier.join().expect("a carrier does not panic");
    }
}
