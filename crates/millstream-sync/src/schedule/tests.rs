//! Tests of scheduled runs.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;

type Body = Box<dyn FnOnce() + Send>;

fn contending(threads: usize, rounds: usize) -> (Arc<AtomicU64>, Vec<Body>) {
    let counter = Arc::new(AtomicU64::new(0));
    let body = |t: usize| -> Body {
        let counter = Arc::clone(&counter);
        Box::new(move || {
            for i in 0..rounds {
                point(Point::Lock);
                // A lost update on purpose: load, switch, store.
                let seen = counter.load(Ordering::Relaxed);
                point(Point::Backend);
                counter.store(seen + 1, Ordering::Relaxed);
                log(&format!("t{t} round {i} wrote {}", seen + 1));
            }
        })
    };
    let bodies = (0..threads).map(body).collect();
    (counter, bodies)
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    for policy in [Policy::Uniform, Policy::Pct { depth: 3, steps: 400 }] {
        let settings = Settings { policy, ..Settings::new(11) };
        let runs: Vec<Outcome> = (0..3).map(|_| run_with(&settings, contending(4, 50).1)).collect();
        assert!(runs[0].is_clean());
        assert!(runs[0].switches > 1);
        assert_eq!(runs[0].trace_text(), runs[1].trace_text());
        assert_eq!(runs[0], runs[2]);
    }
}

#[test]
fn another_seed_gives_another_trace() {
    let digests: Vec<u64> = (0..5).map(|seed| run(seed, contending(4, 20).1).digest).collect();
    assert!(digests.iter().any(|d| *d != digests[0]));
}

#[test]
fn a_lost_update_is_found_by_both_policies() {
    for policy in [Policy::Uniform, Policy::Pct { depth: 2, steps: 8 }] {
        let lost = (0..50).any(|seed| {
            let (counter, bodies) = contending(2, 2);
            run_with(&Settings { policy, ..Settings::new(seed) }, bodies);
            counter.load(Ordering::Relaxed) < 4
        });
        assert!(lost, "{policy:?}");
    }
}

#[test]
fn exactly_one_thread_runs() {
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let body = |_| -> Body {
        let (inside, most) = (Arc::clone(&inside), Arc::clone(&most));
        Box::new(move || {
            for _ in 0..50 {
                most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::hint::spin_loop();
                inside.fetch_sub(1, Ordering::SeqCst);
                point(Point::Lease);
            }
        })
    };
    run(3, (0..6).map(body).collect());
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

fn locker(first: Arc<Mutex<()>>, second: Arc<Mutex<()>>) -> Body {
    let take = |m: &Arc<Mutex<()>>| {
        while m.try_lock().map(std::mem::forget).is_err() {
            assert!(blocked(Point::Lock));
        }
    };
    Box::new(move || {
        take(&first);
        point(Point::Lock);
        take(&second);
    })
}

#[test]
fn a_deadlock_is_a_finding_that_names_threads_and_points() {
    let found = (0..100).find_map(|seed| {
        let (a, b) = (Arc::new(Mutex::new(())), Arc::new(Mutex::new(())));
        run(seed, vec![locker(Arc::clone(&a), Arc::clone(&b)), locker(b, a)]).deadlock
    });
    let waiting = found.expect("no seed of 100 finds it").waiting;
    assert_eq!(waiting.iter().map(|p| p.thread).collect::<Vec<_>>(), [0, 1]);
    assert!(waiting.iter().all(|p| p.point == Some(Point::Lock)));
    assert!(waiting[0].to_string().contains("tests.rs"), "{}", waiting[0]);
}

#[test]
fn a_deadlock_of_many_is_found_at_every_priority() {
    for seed in 0..4 {
        let body = || -> Body {
            Box::new(|| {
                loop {
                    point(Point::Lock);
                    blocked(Point::Wait);
                }
            })
        };
        let settings =
            Settings { policy: Policy::Pct { depth: 3, steps: 100 }, stall_limit: 200, ..Settings::new(seed) };
        let outcome = run_with(&settings, (0..5).map(|_| body()).collect());
        assert_eq!(outcome.deadlock.map(|d| d.waiting.len()), Some(5));
    }
}

#[test]
fn waiting_for_another_thread_is_no_deadlock() {
    let flag = Arc::new(AtomicU64::new(0));
    let waiter = {
        let flag = Arc::clone(&flag);
        move || {
            while flag.load(Ordering::Acquire) == 0 {
                assert!(blocked(Point::Wait));
            }
        }
    };
    let worker = move || {
        (0..5_000).for_each(|_| point(Point::Backend));
        flag.store(1, Ordering::Release);
    };
    let settings = Settings { stall_limit: 50, ..Settings::new(1) };
    let outcome = run_with(&settings, vec![Box::new(waiter.clone()), Box::new(waiter), Box::new(worker)]);
    assert!(outcome.is_clean(), "{outcome:?}");
}

#[test]
fn a_panic_is_kept_and_the_others_go_on() {
    let (counter, mut bodies) = contending(2, 10);
    bodies.push(Box::new(|| std::panic::resume_unwind(Box::new("on purpose"))));
    let outcome = run(5, bodies);
    assert_eq!(outcome.panics, [(2, "on purpose".to_string())]);
    assert!(counter.load(Ordering::Relaxed) > 0);
}

#[test]
fn a_thread_that_keeps_the_baton_is_reported_by_the_watchdog() {
    let settings = Settings { watchdog: Duration::from_millis(50), ..Settings::new(1) };
    let outcome = run_with(
        &settings,
        vec![Box::new(|| {
            point(Point::Wait);
            std::thread::sleep(Duration::from_millis(400));
        })],
    );
    let hang = outcome.hang.expect("not seen");
    assert_eq!((hang.holder.thread, hang.holder.point), (0, Some(Point::Wait)));
}

#[test]
fn a_run_without_end_is_given_up() {
    let settings = Settings { steps_max: 1_000, ..Settings::new(1) };
    let stop = Arc::new(AtomicU64::new(0));
    let outcome = run_with(
        &settings,
        vec![Box::new(move || {
            while scheduled() && stop.load(Ordering::Relaxed) == 0 {
                point(Point::Lock);
            }
        })],
    );
    assert_eq!(outcome.hang.map(|h| h.reason), Some("the run has no end"));
}

struct AtExit(Arc<Mutex<Vec<usize>>>);

impl Drop for AtExit {
    fn drop(&mut self) {
        for _ in 0..5 {
            point(Point::ThreadExit);
            self.0.lock().expect("no panic under it").push(thread().expect("not scheduled any more"));
        }
    }
}

thread_local! {
    static AT_EXIT: RefCell<Option<AtExit>> = const { RefCell::new(None) };
}

#[test]
fn thread_local_destructors_run_under_the_baton() {
    let orders: Vec<Vec<usize>> = (0..2)
        .map(|_| {
            let order = Arc::new(Mutex::new(Vec::new()));
            let body = |_| -> Body {
                let order = Arc::clone(&order);
                Box::new(move || AT_EXIT.set(Some(AtExit(order))))
            };
            assert!(run(9, (0..4).map(body).collect()).is_clean());
            Arc::into_inner(order).unwrap().into_inner().unwrap()
        })
        .collect();
    assert_eq!(orders[0].len(), 20);
    assert_eq!(orders[0], orders[1]);
}

#[test]
fn time_steps_with_the_schedule() {
    assert_eq!(now(), None);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let copy = Arc::clone(&seen);
    run(
        1,
        vec![Box::new(move || {
            for _ in 0..3 {
                point(Point::Wait);
                copy.lock().unwrap().push(now().unwrap().as_micros());
            }
            assert!(blocked(Point::Wait));
            copy.lock().unwrap().push(now().unwrap().as_micros());
        })],
    );
    assert_eq!(*seen.lock().unwrap(), [1, 2, 3, 1004]);
}

#[test]
fn outside_a_run_a_point_is_nothing() {
    point(Point::Lock);
    assert!(!blocked(Point::Lock) && !scheduled() && thread().is_none());
}
