//! A queue without a thread of its own: whoever comes by works it off, one driver at a time.
//!
//! Who pushes drives, unless somebody else does. A driver leaves only after it has seen the queue empty with the word given back; a pusher looks for a
//! driver after its push. Between the two stands a fence on each side, so that one of them sees the other.
//!
//! Where nobody drives and nothing is queued a pusher may *keep* its item instead: it takes the driver's word, and works the item itself where it lies, before all that is pushed meanwhile.
//!
//! **Invariants**
//! * `one-driver`: items are worked by the owner of the driver's word alone.
//! * `enqueue-order`: items are worked in the order in which they were pushed or kept.
//! * `nothing-stranded`: a queue that is not empty has a driver, or a thread that is about to look for one.
//!
//! **Checked by** tests/loom/protocols/driven_queue.rs.

use crate::atomic::{Ordering, fence};
use crate::owner_word::Owned;
use crate::schedule::{self, Point};
use crate::{BoundedQueue, Doorbell, OwnerWord, seam};

/// The queue. Pushes and [`DrivenQueue::keep`] are made by one thread at a time.
#[derive(Debug)]
pub struct DrivenQueue<T> {
    items: BoundedQueue<T>,
    driver: OwnerWord,
    bell: Doorbell,
}

/// Why a call of [`DrivenQueue::drive`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driven {
    /// The queue was seen empty.
    Empty,
    /// Another thread drives, and sees what was pushed before the call.
    ByAnother,
    /// The caller wanted to go no further.
    Stopped,
}

impl<T> DrivenQueue<T> {
    /// A queue for at least `capacity` items.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { items: BoundedQueue::with_capacity(capacity), driver: OwnerWord::new(), bell: Doorbell::new() }
    }

    /// Pushes `item`; then the caller drives. Errors: the item, when the queue is full.
    pub fn try_push(&self, item: T) -> Result<(), T> {
        self.items.try_push(item)
    }

    /// Keeps an item in place of a push, where it would be the next to be worked: the caller drives, and calls [`DrivenQueue::work_kept`] without waiting for anything before. `false`: push it.
    #[inline]
    #[must_use]
    pub fn keep(&self) -> bool {
        // An empty queue stays empty, since nobody else pushes now. What was popped last is done when the word is free.
        self.items.is_empty() && self.driver.try_take().map(Owned::keep).is_some()
    }

    /// Works the item that was kept, and gives the word back. `false`: others have pushed meanwhile, and the caller drives once more.
    #[inline]
    #[must_use]
    pub fn work_kept(&self, work: impl FnOnce()) -> bool {
        let driver = self.driver.kept();
        work();
        self.leave(driver)
    }

    /// Works items until `stop` says so or the queue is empty, unless somebody else does.
    pub fn drive(&self, stop: impl Fn() -> bool, mut work: impl FnMut(T)) -> Driven {
        loop {
            // ORDER: SeqCst fence between the push of this thread and its look at the driver; pairs with `leave`.
            fence(Ordering::SeqCst);
            schedule::point(Point::Backend);
            let Some(driver) = self.driver.try_take() else { return Driven::ByAnother };
            while !stop()
                && let Some(item) = self.items.try_pop()
            {
                work(item);
            }
            if self.leave(driver) {
                return Driven::Empty;
            }
            if stop() {
                return Driven::Stopped;
            }
            // An item is just being written, or the queue was filled again.
            seam::spin();
        }
    }

    /// Gives the word back, and wakes waiters that may have to drive now or saw no end of the last item. Whether the queue is empty after that.
    #[inline]
    fn leave(&self, driver: Owned<'_>) -> bool {
        schedule::point(Point::Backend);
        drop(driver);
        // ORDER: SeqCst fence between giving the word back and the look at the queue: either a pusher saw the word free, or its item is seen here; pairs with
        // `drive`.
        fence(Ordering::SeqCst);
        self.bell.ring_after_fence();
        schedule::point(Point::Backend);
        self.items.is_empty()
    }

    /// Rung when a driver has left. The owner of the queue rings it too, for what its items do.
    #[inline]
    pub fn bell(&self) -> &Doorbell {
        &self.bell
    }

    /// Whether nothing is queued just now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether a push would find room just now.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.items.len() < self.items.capacity()
    }

    /// Whether somebody drives just now.
    #[must_use]
    pub fn is_driven(&self) -> bool {
        self.driver.is_taken()
    }
}

#[cfg(all(test, not(any(millstream_loom, millstream_shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn a_driver_says_why_it_came_back() {
        let queue = DrivenQueue::with_capacity(2);
        assert_eq!((queue.is_empty(), queue.has_room(), queue.is_driven()), (true, true, false));
        assert_eq!((queue.try_push(1), queue.try_push(2), queue.try_push(3)), (Ok(()), Ok(()), Err(3)));
        assert_eq!((queue.is_empty(), queue.has_room()), (false, false));
        let mut worked = Vec::new();
        let stopped = queue.drive(|| true, |item| worked.push(item));
        assert_eq!((stopped, &*worked), (Driven::Stopped, &[][..]));
        let inside = |item| {
            assert!(queue.is_driven());
            assert_eq!(queue.drive(|| false, |_| ()), Driven::ByAnother);
            worked.push(item);
        };
        assert_eq!(queue.drive(|| false, inside), Driven::Empty);
        assert_eq!((worked, queue.is_driven()), (vec![1, 2], false));
    }

    #[test]
    fn an_item_is_kept_only_in_an_empty_queue_that_nobody_drives() {
        let queue = DrivenQueue::with_capacity(2);
        assert!(queue.keep());
        assert!(queue.is_driven() && !queue.keep());
        let mut worked = false;
        assert!(queue.work_kept(|| worked = true));
        assert!(worked && !queue.is_driven());
        assert!(queue.keep());
        assert!(!queue.work_kept(|| queue.try_push(()).expect("room")), "another has pushed");
        assert!(!queue.keep() && !queue.is_driven());
    }
}
