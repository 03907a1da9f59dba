//! Tensors that are made by one thread, used by the next while they are still being computed, and dropped by a third.

use millstream::cpu::Mode;
use millstream::{Result, Tensor};
use millstream_sync::{Arc, BoundedQueue, thread};

use crate::crowd::{KEYS, THREADS, at_rest, crowd, open, references, value};

const ROUNDS: usize = 12;

/// Each thread gives to the next.
pub fn ring(mode: Mode) -> Result<()> {
    let device = open(mode, THREADS, |_| {})?;
    let expected = references()?;
    let queues: Arc<Vec<BoundedQueue<(usize, Tensor)>>> =
        Arc::new((0..THREADS).map(|_| BoundedQueue::with_capacity(2 * ROUNDS)).collect());
    let used: Arc<BoundedQueue<Tensor>> = Arc::new(BoundedQueue::with_capacity(THREADS * ROUNDS));
    let d = device.clone();
    crowd(move |number| {
        for round in 0..ROUNDS {
            let key = (number * 5 + round) % KEYS;
            let made = value(&d, key)?;
            let next = &queues[(number + 1) % THREADS];
            assert!(next.try_push((key, made)).is_ok(), "the queue has room for every round");
            let (theirs, got) = loop {
                match queues[number].try_pop() {
                    Some(got) => break got,
                    None => thread::yield_now(),
                }
            };
            let sum = got.sum()?;
            // Given away with the sum not waited for; whoever takes it next drops it.
            assert!(used.try_push(got).is_ok(), "the queue has room for every round");
            assert_eq!(sum.item::<f32>()?.to_bits(), expected[theirs].to_bits(), "thread {number}, key {theirs}");
            if round % 2 == 1 {
                drop((used.try_pop(), used.try_pop()));
            }
        }
        Ok(())
    })?;
    at_rest(&device)
}
