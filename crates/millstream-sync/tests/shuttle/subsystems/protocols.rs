//! The smaller protocols, with more threads and more rounds than loom can go through.

use millstream_sync::atomic::{AtomicU32, Ordering};
use millstream_sync::lease_word::{Begun, LeaseWord};
use millstream_sync::ring::{RECORD_WORDS, Record, Ring};
use millstream_sync::seeded::Bug;
use millstream_sync::{Arc, BoundedQueue, DrivenQueue, OwnedCell, Progress, thread};

use super::join;
use crate::checks::Case;

pub fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "lease_word/an_owner_a_handle_and_two_rivals",
            bug: Some(Bug::RevokeBusy),
            body: owner_and_rivals,
        },
        Case { name: "owner_word/one_owner_at_a_time", bug: None, body: one_owner },
        Case { name: "doorbell/everybody_wakes_for_its_position", bug: None, body: sleepers },
        Case { name: "bounded_queue/all_that_is_pushed_is_popped_once", bug: None, body: producers_and_consumers },
        Case { name: "driven_queue/all_is_worked_in_order_by_one_at_a_time", bug: None, body: drivers },
        Case { name: "ring/a_reader_sees_whole_records_in_order", bug: None, body: reader },
    ]
}

/// A lease, and who uses its stream just now.
#[derive(Default)]
struct Lease {
    word: LeaseWord,
    users: AtomicU32,
}

impl Lease {
    fn touch(&self) {
        assert_eq!(self.users.fetch_add(1, Ordering::Relaxed), 0, "two use the stream at once");
        self.users.fetch_sub(1, Ordering::Relaxed);
    }

    fn operate(&self, inside: impl FnOnce()) -> bool {
        if self.word.begin() == Begun::Revoked {
            return false;
        }
        self.touch();
        inside();
        self.word.end();
        true
    }
}

fn owner_and_rivals() {
    let lease = Arc::new(Lease::default());
    let owner = Arc::clone(&lease);
    let owner = thread::spawn(move || {
        if !(owner.operate(|| {}) && owner.operate(|| owner.word.keep())) {
            return;
        }
        // The handle drops on another thread, while the owner goes on.
        let dropper = Arc::clone(&owner);
        let dropper = thread::spawn(move || {
            dropper.touch();
            dropper.word.let_go();
        });
        dropper.join().expect("nothing panics");
        owner.operate(|| {});
    });
    let rivals = (0..2).map(|_| {
        let lease = Arc::clone(&lease);
        thread::spawn(move || {
            let taken = (0..2).filter(|_| lease.word.revoke()).inspect(|_| lease.touch()).count();
            taken as u32
        })
    });
    let taken: u32 = join(rivals.collect()).into_iter().sum();
    owner.join().expect("nothing panics");
    assert!(taken <= 1, "it was taken twice");
    assert!(taken == 1 || lease.word.revoke(), "its owner is outside, no handle is left, and it cannot be taken");
}

fn one_owner() {
    let cell = Arc::new(OwnedCell::new(0u32));
    let users = Arc::new(AtomicU32::new(0));
    let threads = (0..3).map(|_| {
        let (cell, users) = (Arc::clone(&cell), Arc::clone(&users));
        thread::spawn(move || {
            let used = || {
                cell.try_with(|count| {
                    assert_eq!(users.fetch_add(1, Ordering::Relaxed), 0, "two owners");
                    *count += 1;
                    users.fetch_sub(1, Ordering::Relaxed);
                })
            };
            (0..3).filter(|_| used().is_some()).count() as u32
        })
    });
    let used: u32 = join(threads.collect()).into_iter().sum();
    assert_eq!(cell.try_with(|count| *count), Some(used), "all owners are gone and what they did is there");
}

fn sleepers() {
    let stream = Arc::new(Progress::new());
    let sleepers = [1, 2, 2, 3].map(|position| {
        let stream = Arc::clone(&stream);
        thread::spawn(move || {
            assert!(stream.wait(position, None));
            assert!(stream.completed() >= position);
        })
    });
    (1..=3).for_each(|position| stream.advance(position));
    join(sleepers.into());
}

fn producers_and_consumers() {
    let queue = Arc::new(BoundedQueue::with_capacity(2));
    let producers = [10u32, 20].map(|first| {
        let queue = Arc::clone(&queue);
        thread::spawn(move || (first..first + 3).filter(|value| queue.try_push(*value).is_ok()).collect::<Vec<u32>>())
    });
    let consumers = [(), ()].map(|()| {
        let queue = Arc::clone(&queue);
        thread::spawn(move || (0..4).filter_map(|_| queue.try_pop()).collect::<Vec<u32>>())
    });
    let mut pushed: Vec<u32> = join(producers.into()).concat();
    let popped = join(consumers.into());
    for values in &popped {
        let of_one = |first: u32| values.iter().filter(move |value| **value / 10 == first / 10);
        assert!(of_one(10).is_sorted() && of_one(20).is_sorted(), "out of order: {values:?}");
    }
    let mut popped = popped.concat();
    popped.extend(std::iter::from_fn(|| queue.try_pop()));
    pushed.sort_unstable();
    popped.sort_unstable();
    assert_eq!(popped, pushed);
}

fn drivers() {
    // The lock under which items are pushed or kept counts them.
    let stream = Arc::new((DrivenQueue::with_capacity(16), shuttle::sync::Mutex::new(0), AtomicU32::new(0)));
    let threads = [(); 3].map(|()| {
        let stream = Arc::clone(&stream);
        thread::spawn(move || {
            let (queue, next, done) = &*stream;
            let work = |item: u32| {
                assert_eq!(done.load(Ordering::Relaxed), item, "an item before the one in front of it, or two at once");
                done.store(item + 1, Ordering::Relaxed);
            };
            for _ in 0..3 {
                let (item, kept) = {
                    let mut next = next.lock().expect("nobody panics under it");
                    let kept = queue.keep();
                    if !kept {
                        queue.try_push(*next).expect("room for all");
                    }
                    *next += 1;
                    (*next - 1, kept)
                };
                if !kept || !queue.work_kept(|| work(item)) {
                    queue.drive(|| false, work);
                }
            }
        })
    });
    join(threads.into());
    assert_eq!((stream.0.is_empty(), stream.2.load(Ordering::Relaxed)), (true, 9));
}

fn record(number: u64) -> Record {
    std::array::from_fn(|word| number * RECORD_WORDS as u64 + word as u64)
}

fn reader() {
    let ring = Arc::new(Ring::with_capacity(4));
    let writer = Arc::clone(&ring);
    let writer = thread::spawn(move || (0..6).for_each(|number| writer.write(record(number))));
    let (mut next, mut last) = (0, None);
    for _ in 0..3 {
        next = ring.read_from(next, |read| {
            let number = read[0] / RECORD_WORDS as u64;
            assert_eq!(read, record(number), "a torn record");
            assert!(last.is_none_or(|last| last < number), "record {number} after {last:?}");
            last = Some(number);
        });
    }
    writer.join().expect("writing does not panic");
    ring.read_from(next, |read| last = Some(read[0] / RECORD_WORDS as u64));
    assert_eq!(last, Some(5), "the newest record was not read");
}
