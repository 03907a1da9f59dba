//! Requests, their answers and the workers between them.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use millstream_sync::atomic::{AtomicU32, Ordering};
use millstream_sync::batch_queue::{BatchError, BatchOptions, BatchQueue, Call, Work};
use millstream_sync::seeded::Bug;
use millstream_sync::{Doorbell, thread};

use crate::checks::Case;

pub fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "batch_queue/an_answer_wakes_the_thread_that_waits",
            bound: 3,
            pinned: 269,
            bugs: &[Bug::UnwokenCaller],
            body: one_caller,
        },
        Case {
            name: "batch_queue/an_answer_wakes_the_task_by_its_last_waker",
            bound: 3,
            pinned: 657,
            bugs: &[Bug::UnwokenCaller],
            body: one_task,
        },
        Case { name: "batch_queue/two_callers_are_answered", bound: 2, pinned: 1_698, bugs: &[], body: two_callers },
        Case {
            name: "batch_queue/a_worker_that_waits_for_company_keeps_nobody_waiting",
            bound: 2,
            pinned: 7_024,
            bugs: &[],
            body: two_workers,
        },
        Case { name: "batch_queue/a_dropped_request_leaves_nothing", bound: 3, pinned: 405, bugs: &[], body: dropped },
        Case { name: "batch_queue/an_abort_answers_who_waits", bound: 2, pinned: 224, bugs: &[], body: aborted },
        Case { name: "batch_queue/a_panic_answers_its_batch", bound: 2, pinned: 108, bugs: &[], body: panicked },
    ]
}

/// Adds one; a 13 unwinds.
struct PlusOne;

impl Work for PlusOne {
    type Asked = u32;
    type Input = u32;
    type Output = u32;
    type Error = ();

    fn prepare(&self, asked: &u32) -> Result<u32, ()> {
        Ok(*asked)
    }

    fn tokens(&self, _input: &u32) -> usize {
        8
    }

    fn run(&self, batch: &[&u32]) -> Result<Vec<u32>, ()> {
        if batch.contains(&&13) {
            resume_unwind(Box::new(()));
        }
        Ok(batch.iter().map(|input| **input + 1).collect())
    }
}

fn queue(workers: usize) -> BatchQueue<PlusOne> {
    let options = BatchOptions { workers, batch_tokens: 64, max_delay: Duration::from_secs(1), capacity: 4 };
    BatchQueue::new(PlusOne, options).expect("loom has threads")
}

/// Its workers leave, and nothing is left.
fn ends(queue: &BatchQueue<PlusOne>) {
    assert!(queue.drain(None));
    let figures = queue.figures().expect("nothing is held");
    assert_eq!((figures.waiting, figures.at_work), (0, 0));
}

fn one_caller() {
    let queue = queue(1);
    assert_eq!(queue.call(&1), Ok(2));
    ends(&queue);
}

/// A bell as a waker: how often it was woken.
#[derive(Default)]
struct Bell(AtomicU32, Doorbell);

impl Wake for Bell {
    fn wake(self: std::sync::Arc<Self>) {
        // ORDER: Release and a fence inside `ring`: the task that saw the count sees the answer.
        self.0.fetch_add(1, Ordering::Release);
        self.1.ring();
    }
}

fn one_task() {
    let queue = queue(1);
    let mut pending = pin!(queue.submit(&1, Call::default()).expect("there is room"));
    // Asked once from another place, which nobody looks at any more.
    let elsewhere = Waker::from(std::sync::Arc::new(Bell::default()));
    let first = pending.as_mut().poll(&mut Context::from_waker(&elsewhere));
    if first.is_pending() {
        let bell = std::sync::Arc::new(Bell::default());
        let waker = Waker::from(bell.clone());
        let mut answer = pending.as_mut().poll(&mut Context::from_waker(&waker));
        if answer.is_pending() {
            // ORDER: Acquire: see `wake`.
            bell.1.wait_until(None, || bell.0.load(Ordering::Acquire) > 0);
            answer = pending.as_mut().poll(&mut Context::from_waker(&waker));
        }
        assert_eq!(answer, Poll::Ready(Ok(2)));
    } else {
        assert_eq!(first, Poll::Ready(Ok(2)));
    }
    ends(&queue);
}

fn two_callers() {
    let queue = queue(1);
    let other = queue.clone();
    let caller = thread::spawn(move || assert_eq!(other.call(&1), Ok(2)));
    assert_eq!(queue.call(&2), Ok(3));
    caller.join().expect("the caller does not panic");
    ends(&queue);
}

fn two_workers() {
    // Loom has no clock: a worker that waits for company waits until somebody else takes what it waits for.
    let queue = queue(2);
    let other = queue.submit(&1, Call::default()).expect("there is room");
    assert_eq!(queue.call(&2), Ok(3));
    assert_eq!(other.wait(), Ok(2));
    ends(&queue);
}

fn dropped() {
    let queue = queue(1);
    drop(queue.submit(&1, Call::default()).expect("there is room"));
    ends(&queue);
}

fn aborted() {
    let queue = queue(1);
    let pending = queue.submit(&1, Call::default()).expect("there is room");
    let caller = thread::spawn(move || pending.wait());
    assert!(queue.abort(None));
    let answer = caller.join().expect("the caller does not panic");
    assert!(matches!(answer, Ok(2) | Err(BatchError::Closed)), "{answer:?}");
    assert!(matches!(queue.call(&1), Err(BatchError::Closed)));
}

fn panicked() {
    let queue = queue(1);
    let good = queue.submit(&1, Call::default()).expect("there is room");
    assert!(matches!(queue.call(&13), Err(BatchError::Panicked(_))));
    assert_eq!(good.wait(), Ok(2), "another's panic");
    ends(&queue);
}
