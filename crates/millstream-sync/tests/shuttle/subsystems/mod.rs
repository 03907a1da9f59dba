//! The programs: more threads and more steps than loom can go through.

use millstream_sync::atomic::{AtomicU32, Ordering};
use millstream_sync::gate::Gate;
use millstream_sync::lock::enter;
use millstream_sync::permits::Permits;
use millstream_sync::seeded::{self, Bug};
use millstream_sync::use_set::{Use, UseSet};
use millstream_sync::{Arc, Deadline, Inbox, thread};

use crate::checks::Case;

mod protocols;

pub fn all() -> Vec<Case> {
    let mut all = vec![
        Case {
            name: "permits/more_threads_than_slots_all_get_one",
            bug: Some(Bug::LostWakeup),
            body: more_threads_than_slots,
        },
        Case {
            name: "permits/waiters_that_give_up_take_no_permit_along",
            bug: Some(Bug::SwallowedPermit),
            body: some_give_up,
        },
        Case {
            name: "inbox/nothing_is_stranded_when_its_thread_exits",
            bug: Some(Bug::StrandedInbox),
            body: thread_exit,
        },
        Case { name: "gate/no_flush_after_the_shutdown", bug: Some(Bug::FlushAfterClose), body: shutdown },
        Case {
            name: "use_set/a_block_is_reused_only_after_all_its_users",
            bug: Some(Bug::LostSecondUser),
            body: reuse,
        },
    ];
    all.extend(protocols::cases());
    all
}

fn join<T>(threads: Vec<thread::JoinHandle<T>>) -> Vec<T> {
    threads.into_iter().map(|thread| thread.join().expect("a thread does not panic")).collect()
}

fn more_threads_than_slots() {
    let permits = Arc::new(Permits::new(2));
    let users: Arc<[AtomicU32; 2]> = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
    let threads = (0..4).map(|_| {
        let (permits, users) = (Arc::clone(&permits), Arc::clone(&users));
        thread::spawn(move || {
            for _ in 0..2 {
                let claimed = enter(|held| permits.claim_waiting(held, Deadline::NEVER, || true));
                let slot = claimed.expect("nobody closes");
                assert_eq!(users[slot].fetch_add(1, Ordering::Relaxed), 0, "two holders of one slot");
                users[slot].fetch_sub(1, Ordering::Relaxed);
                enter(|held| permits.release(held, slot)).expect("the slot is claimed");
            }
        })
    });
    join(threads.collect());
    assert_eq!((permits.slots().claimed(), permits.waiting()), (0, 0));
}

fn some_give_up() {
    let permits = Arc::new(Permits::new(1));
    assert_eq!(permits.claim(0), Some(0));
    // Stands for the clock: from 1 on the deadline of the impatient has passed.
    let late = Arc::new(AtomicU32::new(0));
    let threads = (0..3).map(|number| {
        let (permits, late) = (Arc::clone(&permits), Arc::clone(&late));
        thread::spawn(move || {
            let patient = number == 2;
            let open = || patient || late.load(Ordering::Relaxed) == 0;
            if let Ok(slot) = enter(|held| permits.claim_waiting(held, Deadline::NEVER, open)) {
                enter(|held| permits.release(held, slot)).expect("the slot is claimed");
            }
        })
    });
    let threads = threads.collect();
    enter(|held| permits.release(held, 0)).expect("the slot is claimed");
    late.store(1, Ordering::Relaxed);
    enter(|held| permits.wake_all(held));
    join(threads);
    assert_eq!((permits.slots().claimed(), permits.waiting()), (0, 0));
}

const BLOCKS: usize = 4;

/// A stream slot: it outlives the threads that lease it, and its inbox with it.
struct StreamSlot {
    inbox: Inbox,
    links: [AtomicU32; BLOCKS],
    home: [AtomicU32; BLOCKS],
}

impl StreamSlot {
    fn collect(&self) {
        self.inbox.take_all(
            |block| &self.links[block as usize],
            |block| assert_eq!(self.home[block as usize].fetch_add(1, Ordering::Relaxed), 0, "a block came home twice"),
        );
    }
}

fn thread_exit() {
    let slot = Arc::new(StreamSlot {
        inbox: Inbox::new(),
        links: std::array::from_fn(|_| AtomicU32::new(0)),
        home: std::array::from_fn(|_| AtomicU32::new(0)),
    });
    let mut threads = Vec::new();
    for first in [0, 2] {
        let slot = Arc::clone(&slot);
        threads.push(thread::spawn(move || {
            for block in first..first + 2 {
                slot.inbox.push(block, &slot.links[block as usize]);
            }
        }));
    }
    let leaseholder = Arc::clone(&slot);
    // Allocates, and so empties the inbox, then exits and empties it once more.
    threads.push(thread::spawn(move || {
        leaseholder.collect();
        leaseholder.collect();
    }));
    join(threads);
    // Trim: by anybody, and so by a thread that never held the lease. The bug: only the first owner may.
    if !seeded::is(Bug::StrandedInbox) {
        slot.collect();
    }
    for home in &slot.home {
        assert_eq!(home.load(Ordering::Relaxed), 1, "a block is stranded in the inbox of a thread that is gone");
    }
}

fn shutdown() {
    let device = Arc::new((Gate::new(), AtomicU32::new(0)));
    let mut threads: Vec<_> = (0..3)
        .map(|_| {
            let device = Arc::clone(&device);
            thread::spawn(move || {
                for _ in 0..2 {
                    if let Some(_inside) = device.0.pass() {
                        assert_eq!(device.1.load(Ordering::Relaxed), 0, "a flush after the shutdown");
                    }
                }
            })
        })
        .collect();
    for _ in 0..2 {
        let device = Arc::clone(&device);
        threads.push(thread::spawn(move || {
            assert_eq!(device.0.close(Deadline::NEVER), 0, "it waited for all");
            device.1.store(1, Ordering::Relaxed);
        }));
    }
    join(threads);
    assert_eq!(device.0.inside(), 0);
}

/// A block that goes through two lives; in each, several streams use it and the last drop must know them all.
fn reuse() {
    let set = Arc::new(UseSet::new());
    for life in 0..2u64 {
        let references = Arc::new(AtomicU32::new(3));
        let users = (0..3u16).map(|stream| {
            let (set, references) = (Arc::clone(&set), Arc::clone(&references));
            thread::spawn(move || {
                set.add(stream, 10 * life + 1);
                set.add(stream, 10 * life + 2);
                if references.fetch_sub(1, Ordering::AcqRel) == 1 { last_drop(&set, 10 * life + 2) } else { 0 }
            })
        });
        let known: u32 = join(users.collect()).into_iter().sum();
        assert_eq!(known, 3, "the block is reused while somebody still uses it");
    }
}

/// Empties the set and returns how many users it knew.
fn last_drop(set: &UseSet, position: u64) -> u32 {
    let mut known = 0;
    set.each(|user| {
        known += 1;
        if let Use::Exact { position: at, .. } = user {
            assert_eq!(at, position, "an older use hides a newer one");
        }
    });
    set.clear();
    assert!(set.is_empty());
    known
}
