//! A batch queue on real threads: what is joined, who is refused, what fails alone, and that nobody is left waiting.
#![cfg(not(any(millstream_loom, millstream_shuttle)))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use millstream_sync::batch_queue::{BatchError, BatchOptions, BatchQueue, Call, Pending, Priority, Work};
use millstream_sync::lock::enter;

const LONG: Duration = Duration::from_secs(20);

/// Words in, their lengths out. A text of spaces has tokens and no value; "panic" panics; "stop" holds its batch until it is let go.
#[derive(Clone, Default)]
struct Lengths {
    batches: Arc<Mutex<Vec<Vec<String>>>>,
    stopped: Arc<AtomicBool>,
    runs: Arc<AtomicU32>,
}

impl Work for Lengths {
    type Asked = str;
    type Input = String;
    type Output = usize;
    type Error = &'static str;

    fn prepare(&self, asked: &str) -> Result<String, &'static str> {
        if asked.is_empty() { Err("nothing") } else { Ok(asked.to_owned()) }
    }

    fn tokens(&self, input: &String) -> usize {
        input.len()
    }

    fn run(&self, batch: &[&String]) -> Result<Vec<usize>, &'static str> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        self.batches.lock().unwrap().push(batch.iter().map(|text| (*text).clone()).collect());
        while batch.iter().any(|text| *text == "stop") && self.stopped.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(!batch.iter().any(|text| *text == "panic"), "a panic was asked for");
        if batch.iter().any(|text| text.trim().is_empty()) {
            Err("spaces")
        } else {
            Ok(batch.iter().map(|t| t.len()).collect())
        }
    }
}

fn queue(options: BatchOptions) -> (BatchQueue<Lengths>, Lengths) {
    let work = Lengths::default();
    (BatchQueue::new(work.clone(), options).unwrap(), work)
}

fn one_worker() -> BatchOptions {
    BatchOptions { batch_tokens: 64, max_delay: Duration::from_millis(2), capacity: 8, workers: 1 }
}

/// Its one worker is held by a batch until `go` is called.
struct Stopped {
    queue: BatchQueue<Lengths>,
    work: Lengths,
    holder: Pending<Lengths>,
}

impl Stopped {
    fn new(options: BatchOptions) -> Self {
        let (queue, work) = queue(options);
        work.stopped.store(true, Ordering::SeqCst);
        let holder = queue.submit("stop", Call::default()).unwrap();
        while work.runs.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        Self { queue, work, holder }
    }

    fn submit(&self, text: &str) -> Pending<Lengths> {
        self.queue.submit(text, Call::default()).unwrap()
    }

    /// Lets it go, and returns the batches after the first.
    fn go(self) -> Vec<Vec<String>> {
        self.work.stopped.store(false, Ordering::SeqCst);
        assert_eq!(self.holder.wait(), Ok(4));
        assert!(self.queue.drain(Some(LONG)));
        let batches = self.work.batches.lock().unwrap();
        batches[1..].to_vec()
    }
}

#[test]
fn what_arrives_while_the_worker_is_busy_is_one_batch_in_the_order_of_arrival() {
    let stopped = Stopped::new(one_worker());
    let pending = ["a", "bb", "ccc"].map(|text| stopped.submit(text));
    assert_eq!(stopped.go(), [["a", "bb", "ccc"]]);
    assert_eq!(pending.map(Pending::wait), [Ok(1), Ok(2), Ok(3)]);
}

#[test]
fn a_request_at_an_idle_queue_is_not_delayed() {
    let (queue, _) = queue(BatchOptions { max_delay: LONG, ..one_worker() });
    let begun = Instant::now();
    assert_eq!(queue.call("abc"), Ok(3));
    assert!(begun.elapsed() < LONG / 2);
}

#[test]
fn beside_a_busy_worker_a_free_one_waits_for_company_and_no_longer_than_the_delay() {
    let delay = Duration::from_millis(60);
    let stopped = Stopped::new(BatchOptions { workers: 2, max_delay: delay, ..one_worker() });
    let begun = Instant::now();
    // Less than the share of a worker: 1 of (4 + 1) / 2 tokens.
    assert_eq!(stopped.queue.call("a"), Ok(1));
    assert!(begun.elapsed() >= delay, "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert_eq!(stopped.queue.call("a whole share"), Ok(13));
    assert!(begun.elapsed() < delay, "{:?}", begun.elapsed());
    stopped.go();
}

#[test]
fn what_waits_is_shared_out_among_the_workers() {
    let stopped = Stopped::new(BatchOptions { workers: 2, capacity: 64, ..one_worker() });
    let pending: Vec<_> = (0..8).map(|_| stopped.submit("stop")).collect();
    let runs = stopped.work.runs.clone();
    while runs.load(Ordering::SeqCst) < 2 {
        thread::yield_now();
    }
    let batches = stopped.go();
    assert!(batches.iter().all(|batch| batch.len() < 8), "{batches:?}");
    assert!(pending.into_iter().all(|pending| pending.wait() == Ok(4)));
}

#[test]
fn lengths_of_different_buckets_are_not_joined() {
    let stopped = Stopped::new(one_worker());
    let long = "x".repeat(20);
    let pending = ["a", &long, "b"].map(|text| stopped.submit(text));
    assert_eq!(stopped.go(), [vec!["a", "b"], vec![long.as_str()]]);
    assert_eq!(pending.map(Pending::wait), [Ok(1), Ok(20), Ok(1)]);
}

#[test]
fn a_full_queue_refuses_with_its_capacity_and_takes_again_when_there_is_room() {
    let stopped = Stopped::new(one_worker());
    let mut pending: Vec<_> = (0..8).map(|_| stopped.submit("a")).collect();
    let refused = stopped.queue.submit("b", Call::default());
    assert!(matches!(refused, Err(BatchError::Overloaded { capacity: 8 })), "{refused:?}");
    pending.pop();
    pending.push(stopped.submit("b"));
    assert_eq!(stopped.queue.figures().unwrap().overloaded, 1);
    stopped.go();
    assert!(pending.into_iter().all(|pending| pending.wait() == Ok(1)));
}

#[test]
fn a_dropped_request_is_not_computed() {
    let stopped = Stopped::new(one_worker());
    let (kept, dropped) = (stopped.submit("kept"), stopped.submit("dropped"));
    drop(dropped);
    assert_eq!(stopped.queue.figures().unwrap().waiting, 1);
    // Where the lock cannot be taken it is said by a mark.
    let within = stopped.submit("within");
    enter(|_held| drop(within));
    assert_eq!(stopped.go(), [["kept"]]);
    assert_eq!(kept.wait(), Ok(4));
}

#[test]
fn a_thread_waits_no_longer_than_its_timeout_and_a_task_is_told() {
    let stopped = Stopped::new(one_worker());
    let call = Call { timeout: Some(Duration::from_millis(30)), ..Call::default() };
    let (thread, task) = (stopped.queue.submit("a", call).unwrap(), stopped.queue.submit("b", call).unwrap());
    let begun = Instant::now();
    assert_eq!(thread.wait(), Err(BatchError::Expired));
    assert!((Duration::from_millis(30)..LONG).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    let (woken, told) = mpsc::channel();
    let task = thread::spawn(move || woken.send(block_on(task)).unwrap());
    // The worker looks at the queue when it is let go.
    assert_eq!(stopped.go(), Vec::<Vec<String>>::new());
    assert_eq!(told.recv_timeout(LONG).unwrap(), Err(BatchError::Expired));
    task.join().unwrap();
}

#[test]
fn a_bad_input_fails_alone() {
    let stopped = Stopped::new(one_worker());
    let pending = ["a", " ", "panic", "bb"].map(|text| stopped.submit(text));
    assert_eq!(stopped.queue.call(""), Err(BatchError::Work("nothing")), "it is not even queued");
    stopped.go();
    let panicked = Err(BatchError::Panicked("a panic was asked for".to_owned()));
    assert_eq!(pending.map(Pending::wait), [Ok(1), Err(BatchError::Work("spaces")), panicked, Ok(2)]);
}

#[test]
fn high_goes_first_and_low_is_not_passed_over_for_ever() {
    let stopped = Stopped::new(BatchOptions { batch_tokens: 1, capacity: 64, ..one_worker() });
    let submit = |text: &str, priority| stopped.queue.submit(text, Call { priority, ..Call::default() }).unwrap();
    let low = submit("l", Priority::Low);
    let high: Vec<_> = (0..12).map(|_| submit("h", Priority::High)).collect();
    let batches = stopped.go().concat();
    let at = batches.iter().position(|text| text == "l").unwrap();
    assert!((1..4).contains(&at), "{batches:?}");
    assert_eq!(low.wait(), Ok(1));
    assert!(high.into_iter().all(|pending| pending.wait() == Ok(1)));
}

#[test]
fn a_drain_finishes_what_waits_and_an_abort_refuses_it() {
    let stopped = Stopped::new(one_worker());
    let waits = stopped.submit("a");
    assert!(!stopped.queue.drain(Some(Duration::from_millis(5))), "a batch is at work");
    assert_eq!(stopped.queue.call("b"), Err(BatchError::Closed));
    assert_eq!(stopped.go(), [["a"]]);
    assert_eq!(waits.wait(), Ok(1));

    let stopped = Stopped::new(one_worker());
    let waits = stopped.submit("a");
    assert!(!stopped.queue.abort(Some(Duration::from_millis(5))), "a batch is at work");
    assert_eq!(waits.wait(), Err(BatchError::Closed));
    assert_eq!(stopped.go(), Vec::<Vec<String>>::new(), "what was at work has its answer");
}

#[test]
fn the_last_handle_lets_the_workers_finish() {
    for within in [false, true] {
        let Stopped { queue, work, holder } = Stopped::new(one_worker());
        let waits = queue.submit("a", Call::default()).unwrap();
        let batches = Arc::downgrade(&work.batches);
        if within {
            enter(|_held| drop(queue))
        } else {
            drop(queue)
        }
        work.stopped.store(false, Ordering::SeqCst);
        drop(work);
        assert_eq!((holder.wait(), waits.wait()), (Ok(4), Ok(1)));
        let begun = Instant::now();
        while batches.strong_count() > 0 {
            assert!(begun.elapsed() < LONG, "a worker has not left");
            thread::yield_now();
        }
    }
}

#[test]
fn the_last_handle_wakes_workers_that_sleep() {
    let (queue, work) = queue(BatchOptions { workers: 3, ..one_worker() });
    assert_eq!(queue.call("a"), Ok(1));
    // Long enough for all of them to have fallen asleep.
    thread::sleep(Duration::from_millis(50));
    let batches = Arc::downgrade(&work.batches);
    drop((queue, work));
    let begun = Instant::now();
    while batches.strong_count() > 0 {
        assert!(begun.elapsed() < LONG / 4, "a worker sleeps on");
        thread::yield_now();
    }
}

#[test]
fn from_inside_a_call_of_the_runtime_it_is_an_error() {
    let (queue, _) = queue(one_worker());
    let pending = queue.submit("a", Call::default()).unwrap();
    enter(|_held| {
        assert_eq!(queue.call("a"), Err(BatchError::Reentered));
        assert_eq!(pending.wait(), Err(BatchError::Reentered));
        assert_eq!(queue.figures(), None);
    });
}

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn twenty_threads_and_tasks_that_cancel_fail_and_run_out_of_time_are_all_answered() {
    let (queue, _) =
        queue(BatchOptions { workers: 3, capacity: 16, max_delay: Duration::from_micros(200), ..one_worker() });
    let answered = Arc::new(AtomicU32::new(0));
    let threads: Vec<_> = (0..20usize)
        .map(|number| {
            let (queue, answered) = (queue.clone(), answered.clone());
            thread::spawn(move || {
                for round in 0..200usize {
                    let text = ["a", "bb", " ", "a text that is longer than others"][(number + round) % 4];
                    let timeout = (round % 5 == 0).then_some(Duration::from_micros(300));
                    let pending = match queue.submit(text, Call { timeout, ..Call::default() }) {
                        Ok(pending) => pending,
                        Err(BatchError::Overloaded { .. }) => continue,
                        Err(error) => panic!("{error:?}"),
                    };
                    let answer = match round % 3 {
                        0 => pending.wait(),
                        1 => block_on(pending),
                        _ => continue,
                    };
                    match answer {
                        Ok(length) => assert_eq!(length, text.len()),
                        Err(BatchError::Work("spaces")) => assert_eq!(text, " "),
                        Err(BatchError::Expired) => assert!(timeout.is_some()),
                        Err(error) => panic!("{error:?}"),
                    }
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(queue.drain(Some(LONG)));
    let figures = queue.figures().unwrap();
    assert_eq!((figures.waiting, figures.at_work), (0, 0));
    assert!(figures.batches < figures.requests, "{figures:?}");
    assert!(answered.load(Ordering::SeqCst) > 0);
}
