//! Streams that use a buffer, and its last drop.

use millstream_sync::atomic::{AtomicUsize, Ordering, fence};
use millstream_sync::seeded::Bug;
use millstream_sync::use_set::{Use, UseSet};
use millstream_sync::{Arc, thread};

use crate::checks::Case;

pub fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "use_set/two_streams_are_exact_at_the_last_drop",
            bound: 3,
            pinned: 115,
            bugs: &[Bug::LostSecondUser],
            body: two_streams,
        },
        Case {
            name: "use_set/three_streams_are_all_known_at_the_last_drop",
            bound: 3,
            pinned: 8_608,
            bugs: &[Bug::LostSecondUser],
            body: three_streams,
        },
        Case {
            name: "use_set/late_streams_set_bits_of_one_word",
            bound: 3,
            pinned: 192,
            bugs: &[Bug::LostSecondUser],
            body: late_streams,
        },
    ]
}

struct Buffer {
    uses: UseSet,
    references: AtomicUsize,
}

impl Buffer {
    fn new(references: usize) -> Arc<Self> {
        Arc::new(Self { uses: UseSet::new(), references: AtomicUsize::new(references) })
    }

    /// Drops a reference. The last one reads the set: each of `streams` must be in it, exact at its last position or masked.
    fn drop_reference(&self, streams: &[(u16, u64)]) {
        // ORDER: Release so that the uses are visible to the last drop; pairs with the fence below.
        if self.references.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // ORDER: Acquire so that all uses are visible; pairs with the Release above.
        fence(Ordering::Acquire);
        let mut found = Vec::new();
        self.uses.each(|u| found.push(u));
        for (stream, position) in streams {
            let exact = Use::Exact { stream: *stream, position: *position };
            let masked = Use::Masked { stream: *stream };
            assert!(found.contains(&exact) || found.contains(&masked), "a user is lost: {stream} in {found:?}");
        }
        assert_eq!(found.len(), streams.len(), "a stream is there twice");
        assert!(!self.uses.is_empty());
    }
}

fn user(
    buffer: &Arc<Buffer>,
    stream: u16,
    positions: &'static [u64],
    all: &'static [(u16, u64)],
) -> impl FnOnce() + use<> {
    let buffer = Arc::clone(buffer);
    move || {
        for position in positions {
            buffer.uses.add(stream, *position);
        }
        buffer.drop_reference(all);
    }
}

fn two_streams() {
    const ALL: &[(u16, u64)] = &[(1, 11), (2, 21)];
    let buffer = Buffer::new(2);
    let thread = thread::spawn(user(&buffer, 1, &[10, 11], ALL));
    user(&buffer, 2, &[20, 21], ALL)();
    thread.join().expect("no user is lost");
}

fn three_streams() {
    const ALL: &[(u16, u64)] = &[(1, 11), (2, 20), (70, 30)];
    let buffer = Buffer::new(3);
    let threads = [thread::spawn(user(&buffer, 1, &[10, 11], ALL)), thread::spawn(user(&buffer, 2, &[20], ALL))];
    user(&buffer, 70, &[30], ALL)();
    for thread in threads {
        thread.join().expect("no user is lost");
    }
}

fn late_streams() {
    const ALL: &[(u16, u64)] = &[(1, 10), (2, 20), (3, 30), (4, 40)];
    let buffer = Buffer::new(2);
    buffer.uses.add(1, 10);
    buffer.uses.add(2, 20);
    let thread = thread::spawn(user(&buffer, 3, &[30], ALL));
    user(&buffer, 4, &[40], ALL)();
    thread.join().expect("no user is lost");
}
