//! A reader of a ring that is being written.

use millstream_sync::ring::{RECORD_WORDS, Record, Ring};
use millstream_sync::{Arc, thread};

use crate::checks::Case;

pub fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "ring/no_record_is_torn_while_it_is_overwritten",
            bound: 3,
            pinned: 222,
            bugs: &[],
            body: overwritten,
        },
        Case { name: "ring/what_is_counted_is_found", bound: 3, pinned: 22, bugs: &[], body: counted },
    ]
}

fn record(number: u64) -> Record {
    std::array::from_fn(|word| number * RECORD_WORDS as u64 + word as u64 + 1)
}

// In these the writer is the first thread: loom forgets a thread's load when another loads the same word before it stores, so a
// reader that ran first would not be tried against the writer.

fn overwritten() {
    let ring = Arc::new(Ring::with_capacity(2));
    ring.write(record(0));
    let other = Arc::clone(&ring);
    let reader = thread::spawn(move || {
        other.read_from(0, |r| assert!((0..3).any(|number| r == record(number)), "a torn record: {r:?}"));
    });
    ring.write(record(1));
    ring.write(record(2));
    reader.join().expect("reading does not panic");
}

fn counted() {
    let ring = Arc::new(Ring::with_capacity(4));
    let other = Arc::clone(&ring);
    let reader = thread::spawn(move || {
        let mut seen = Vec::new();
        let next = other.read_from(0, |r| seen.push(r));
        assert_eq!(seen, (0..next).map(record).collect::<Vec<_>>(), "a counted record is not there");
    });
    ring.write(record(0));
    ring.write(record(1));
    reader.join().expect("reading does not panic");
}
