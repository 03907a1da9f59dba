//! A bounded queue without a lock: any number of producers and consumers, each slot under a sequence number.
//!
//! The algorithm is D. Vyukov's bounded MPMC queue. Who finds it full or empty decides what to do; waiting is the business of a [`crate::Doorbell`].
//!
//! **Invariants**
//! * `fifo`: what one producer pushes comes out in its order.
//! * `once`: every value that was pushed is popped once, or dropped with the queue.
//!
//! **Checked by** tests/loom/protocols/bounded_queue.rs.
#![expect(unsafe_code, reason = "slots are handed over by their sequence numbers")]

use std::mem::MaybeUninit;

use crate::atomic::{AtomicUsize, Ordering};
use crate::seam::UnsafeCell;

struct Slot<T> {
    /// `position`: free for the push at that position. `position + 1`: filled by it.
    sequence: AtomicUsize,
    value: UnsafeCell<MaybeUninit<T>>,
}

/// The queue.
pub struct BoundedQueue<T> {
    slots: Box<[Slot<T>]>,
    mask: usize,
    push_at: AtomicUsize,
    pop_at: AtomicUsize,
}

// SAFETY: values move from a pusher to one popper, never shared; T: Send is enough.
unsafe impl<T: Send> Send for BoundedQueue<T> {}
// SAFETY: as above; a slot's value is touched only by the thread that won its position.
unsafe impl<T: Send> Sync for BoundedQueue<T> {}

impl<T> std::fmt::Debug for BoundedQueue<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BoundedQueue({} of {})", self.len(), self.slots.len())
    }
}

impl<T> BoundedQueue<T> {
    /// A queue for at least `capacity` values (rounded up to a power of two, at least 2).
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let capacity = capacity.next_power_of_two().max(2);
        let slots = (0..capacity)
            .map(|i| Slot { sequence: AtomicUsize::new(i), value: UnsafeCell::new(MaybeUninit::uninit()) })
            .collect();
        Self { slots, mask: capacity - 1, push_at: AtomicUsize::new(0), pop_at: AtomicUsize::new(0) }
    }

    /// Pushes `value`. Errors: the value, when the queue is full.
    pub fn try_push(&self, value: T) -> Result<(), T> {
        let mut at = self.push_at.load(Ordering::Relaxed);
        loop {
            let slot = &self.slots[at & self.mask];
            // ORDER: Acquire so that the pop that freed the slot is done with it; pairs with the Release store in `try_pop`.
            let sequence = slot.sequence.load(Ordering::Acquire);
            if sequence == at {
                // ORDER: Relaxed: winning the position gives the slot; the Release store below publishes it.
                match self.push_at.compare_exchange_weak(at, at.wrapping_add(1), Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => {
                        // SAFETY: writing needs sole access; this thread won position `at` and the slot says that it is free for it.
                        slot.value.with_mut(|cell| unsafe { cell.cast::<T>().write(value) });
                        // ORDER: Release so that the value is visible; pairs with the Acquire load in `try_pop`.
                        slot.sequence.store(at.wrapping_add(1), Ordering::Release);
                        return Ok(());
                    }
                    Err(found) => at = found,
                }
            } else if (sequence.wrapping_sub(at) as isize) < 0 {
                return Err(value);
            } else {
                at = self.push_at.load(Ordering::Relaxed);
            }
        }
    }

    /// Pops the oldest value. `None`: the queue is empty, or its oldest value is still being written.
    pub fn try_pop(&self) -> Option<T> {
        let mut at = self.pop_at.load(Ordering::Relaxed);
        loop {
            let slot = &self.slots[at & self.mask];
            // ORDER: Acquire so that the value is visible; pairs with the Release store in `try_push`.
            let sequence = slot.sequence.load(Ordering::Acquire);
            let ready = at.wrapping_add(1);
            if sequence == ready {
                // ORDER: Relaxed: winning the position gives the slot; the Release store below frees it.
                match self.pop_at.compare_exchange_weak(at, ready, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => {
                        // SAFETY: reading needs an initialised value that nobody else takes; the sequence says filled and this thread won `at`.
                        let value = slot.value.with(|cell| unsafe { cell.cast::<T>().read() });
                        // ORDER: Release so that this read is done before the slot is filled again; pairs with the Acquire in `try_push`.
                        slot.sequence.store(at.wrapping_add(self.slots.len()), Ordering::Release);
                        return Some(value);
                    }
                    Err(found) => at = found,
                }
            } else if (sequence.wrapping_sub(ready) as isize) < 0 {
                return None;
            } else {
                at = self.pop_at.load(Ordering::Relaxed);
            }
        }
    }

    /// Number of values just now.
    #[must_use]
    pub fn len(&self) -> usize {
        let popped = self.pop_at.load(Ordering::Relaxed);
        self.push_at.load(Ordering::Relaxed).wrapping_sub(popped).min(self.slots.len())
    }

    /// Whether it is empty just now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Most values.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }
}

impl<T> Drop for BoundedQueue<T> {
    fn drop(&mut self) {
        while self.try_pop().is_some() {}
    }
}

#[cfg(all(test, not(any(millstream_loom, millstream_shuttle))))]
mod tests {
    use super::*;
    use crate::Arc;

    #[test]
    fn it_counts_its_values_and_refuses_one_too_many() {
        let queue = BoundedQueue::with_capacity(3);
        assert_eq!((queue.capacity(), queue.len(), queue.is_empty()), (4, 0, true));
        for value in 0..4 {
            assert_eq!(queue.try_push(value), Ok(()));
            assert_eq!((queue.len(), queue.is_empty()), (value + 1, false));
        }
        assert_eq!(queue.try_push(4), Err(4));
        assert_eq!((queue.try_pop(), queue.len()), (Some(0), 3));
    }

    #[test]
    fn what_it_still_has_drops_with_it() {
        let queue = BoundedQueue::with_capacity(2);
        let value = Arc::new(());
        assert!(queue.try_push(value.clone()).is_ok() && queue.try_push(value.clone()).is_ok());
        drop(queue);
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
