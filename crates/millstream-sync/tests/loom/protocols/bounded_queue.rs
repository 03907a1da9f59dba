//! Producers and consumers.

use millstream_sync::{Arc, BoundedQueue, thread};

use crate::checks::Case;

pub fn cases() -> Vec<Case> {
    vec![
        Case { name: "bounded_queue/two_producers_one_consumer", bound: 3, pinned: 138, bugs: &[], body: producers },
        Case { name: "bounded_queue/two_consumers", bound: 3, pinned: 45, bugs: &[], body: consumers },
        Case {
            name: "bounded_queue/a_slot_is_used_again_and_order_kept",
            bound: 3,
            pinned: 40,
            bugs: &[],
            body: reuse,
        },
    ]
}

fn producers() {
    let queue = Arc::new(BoundedQueue::with_capacity(2));
    let threads = [1u32, 2].map(|value| {
        let queue = Arc::clone(&queue);
        thread::spawn(move || queue.try_push(value).expect("there is room for two"))
    });
    let mut got: Vec<u32> = queue.try_pop().into_iter().collect();
    for thread in threads {
        thread.join().expect("a push does not panic");
    }
    got.extend(std::iter::from_fn(|| queue.try_pop()));
    got.sort_unstable();
    assert_eq!(got, [1, 2]);
}

fn consumers() {
    let queue = Arc::new(BoundedQueue::with_capacity(2));
    assert!(queue.try_push(1u32).is_ok() && queue.try_push(2).is_ok());
    let other = Arc::clone(&queue);
    let thread = thread::spawn(move || other.try_pop());
    let mut got: Vec<u32> = queue.try_pop().into_iter().collect();
    // A slot freed by either is filled again while the other may still be reading its own.
    let pushed = queue.try_push(3).is_ok();
    got.extend(thread.join().expect("a pop does not panic"));
    got.extend(std::iter::from_fn(|| queue.try_pop()));
    got.sort_unstable();
    assert_eq!(got, if pushed { vec![1, 2, 3] } else { vec![1, 2] });
}

fn reuse() {
    let queue = Arc::new(BoundedQueue::with_capacity(2));
    let other = Arc::clone(&queue);
    // The producer is the first thread: see `ring.rs`.
    let consumer = thread::spawn(move || (0..2).filter_map(|_| other.try_pop()).collect::<Vec<u32>>());
    let pushed = (1..=3).take_while(|value| queue.try_push(*value).is_ok()).count();
    assert!(pushed >= 2, "there is room for two");
    let mut got = consumer.join().expect("a pop does not panic");
    got.extend(std::iter::from_fn(|| queue.try_pop()));
    assert_eq!(got, [1, 2, 3][..pushed]);
}
