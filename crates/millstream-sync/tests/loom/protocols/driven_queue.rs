//! Threads that push and drive, and one that keeps its item.

use loom::sync::Mutex;
use millstream_sync::atomic::{AtomicU32, Ordering};
use millstream_sync::{Arc, DrivenQueue, thread};

use super::watched::Watched;
use crate::checks::Case;

pub fn cases() -> Vec<Case> {
    vec![
        Case { name: "driven_queue/nothing_is_stranded", bound: 3, pinned: 73, bugs: &[], body: stranded },
        Case { name: "driven_queue/a_kept_item_has_its_place", bound: 3, pinned: 184, bugs: &[], body: order },
        Case {
            name: "driven_queue/who_waits_sees_the_end_of_a_kept_item",
            bound: 3,
            pinned: 67,
            bugs: &[],
            body: waiter,
        },
    ]
}

/// A stream: each item is worked at its place, by one thread at a time.
struct Stream {
    queue: DrivenQueue<u32>,
    /// The pushes are made one at a time; the number of the next item.
    next: Mutex<u32>,
    /// Items that were worked.
    done: Watched,
    position: AtomicU32,
}

impl Stream {
    fn new() -> Arc<Self> {
        let (next, done, position) = (Mutex::new(0), Watched::new(0), AtomicU32::new(0));
        Arc::new(Self { queue: DrivenQueue::with_capacity(2), next, done, position })
    }

    fn work(&self, item: u32) {
        assert_eq!(self.done.read(), item, "an item was worked before the one in front of it");
        self.done.count();
        // ORDER: Release so that who sees the position sees the work; pairs with `waiter`.
        self.position.store(item + 1, Ordering::Release);
    }

    fn drive(&self) {
        self.queue.drive(|| false, |item| self.work(item));
    }

    /// One operation: under the lock kept or pushed, then worked with nothing held.
    fn operate(&self, may_keep: bool) {
        let (item, kept) = {
            let mut next = self.next.lock().expect("nobody panics under it");
            let item = *next;
            *next += 1;
            let kept = may_keep && self.queue.keep();
            if !kept {
                self.queue.try_push(item).expect("room for two");
            }
            (item, kept)
        };
        if !kept || !self.queue.work_kept(|| self.work(item)) {
            self.drive();
        }
    }
}

fn all_done(stream: &Stream, items: u32) {
    assert!(stream.queue.is_empty(), "an item was stranded");
    assert_eq!(stream.done.read(), items);
}

fn stranded() {
    let stream = Stream::new();
    let other = Arc::clone(&stream);
    let thread = thread::spawn(move || other.operate(false));
    stream.operate(false);
    thread.join().expect("nothing panics");
    all_done(&stream, 2);
}

fn order() {
    let stream = Stream::new();
    let other = Arc::clone(&stream);
    let thread = thread::spawn(move || {
        other.operate(true);
        other.operate(false);
    });
    stream.operate(true);
    thread.join().expect("nothing panics");
    all_done(&stream, 3);
}

fn waiter() {
    let stream = Stream::new();
    let other = Arc::clone(&stream);
    let thread = thread::spawn(move || other.operate(true));
    // ORDER: Acquire so that the work is seen; pairs with `Stream::work`.
    assert!(stream.queue.bell().wait_until(None, || stream.position.load(Ordering::Acquire) == 1));
    assert_eq!(stream.done.read(), 1);
    thread.join().expect("nothing panics");
}
