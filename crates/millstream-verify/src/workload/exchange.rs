//! Products that go from thread to thread: used by the neighbour, dropped by a third.

use millstream::{Result, Tensor};
use millstream_sync::atomic::{AtomicBool, Ordering};
use millstream_sync::{BoundedQueue, Doorbell};

/// A mailbox for each thread.
pub(super) struct Exchange {
    /// Products for the thread, oldest first.
    products: Vec<BoundedQueue<Tensor>>,
    /// What the thread is to drop.
    discards: Vec<BoundedQueue<Tensor>>,
    arrived: Doorbell,
    given_up: AtomicBool,
}

impl Exchange {
    pub(super) fn new(threads: usize, products: u64) -> Self {
        let room = usize::try_from(products).unwrap_or(usize::MAX).clamp(2, 1 << 16);
        let queues = || (0..threads).map(|_| BoundedQueue::with_capacity(room)).collect();
        Self { products: queues(), discards: queues(), arrived: Doorbell::new(), given_up: AtomicBool::new(false) }
    }

    /// Gives `product` of `thread` to the thread before it.
    pub(super) fn give(&self, thread: usize, product: Tensor) {
        let threads = self.products.len();
        // The room is for all products of a block: a push never fails; if it did the taker would notice the gap.
        let _ = self.products[(thread + threads - 1) % threads].try_push(product);
        self.arrived.ring();
    }

    /// The next product of the neighbour. `None`: a thread has given up.
    pub(super) fn take(&self, thread: usize) -> Option<Tensor> {
        let mut taken = None;
        self.arrived.wait_until(None, || {
            taken = self.products[thread].try_pop();
            taken.is_some() || self.given_up.load(Ordering::Relaxed)
        });
        taken
    }

    /// Leaves `tensor` to be dropped by the thread two further on.
    pub(super) fn discard(&self, thread: usize, tensor: Tensor) {
        let threads = self.discards.len();
        let _ = self.discards[(thread + 2) % threads].try_push(tensor);
    }

    /// Uses what was left to `thread` once more, as a second foreign stream, and drops it before that use is done. Errors: those of the operation.
    pub(super) fn use_and_drop_discards(&self, thread: usize) -> Result<()> {
        while let Some(tensor) = self.discards[thread].try_pop() {
            drop(tensor.sum()?);
        }
        Ok(())
    }

    /// A thread ends early: nobody shall wait for it.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.arrived.ring();
    }
}
