//! Pushing from other threads, taking by the owner, by its exit, by anybody.

use millstream_sync::atomic::{AtomicU32, Ordering};
use millstream_sync::{Arc, Inbox, thread};

use super::watched::Watched;
use crate::checks::Case;

pub fn cases() -> Vec<Case> {
    vec![
        Case { name: "inbox/two_pushers_and_a_taker", bound: 3, pinned: 62, bugs: &[], body: two_pushers },
        Case {
            name: "inbox/a_thread_exit_takes_while_others_push_and_take",
            bound: 3,
            pinned: 73,
            bugs: &[],
            body: exit,
        },
        Case { name: "inbox/an_entry_taken_is_pushed_again", bound: 3, pinned: 24, bugs: &[], body: again },
    ]
}

const ENTRIES: usize = 2;

struct Freed {
    inbox: Inbox,
    links: [AtomicU32; ENTRIES],
    /// What the pusher did to the entry before it gave it away.
    blocks: [Watched; ENTRIES],
    taken: [AtomicU32; ENTRIES],
}

impl Freed {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            inbox: Inbox::new(),
            links: [AtomicU32::new(77), AtomicU32::new(77)],
            blocks: [Watched::new(0), Watched::new(0)],
            taken: [AtomicU32::new(0), AtomicU32::new(0)],
        })
    }

    fn push(&self, entry: u32) {
        let at = entry as usize;
        self.blocks[at].count();
        self.inbox.push(entry, &self.links[at]);
    }

    fn take(&self, mut each: impl FnMut(u32)) {
        self.inbox.take_all(
            |entry| &self.links[entry as usize],
            |entry| {
                let at = entry as usize;
                self.blocks[at].count();
                self.taken[at].fetch_add(1, Ordering::Relaxed);
                each(entry);
            },
        );
    }

    fn each_was_taken_once(&self) {
        for taken in &self.taken {
            assert_eq!(taken.load(Ordering::Relaxed), 1, "an entry was lost or taken twice");
        }
    }
}

fn spawn(freed: &Arc<Freed>, f: impl FnOnce(&Freed) + 'static) -> thread::JoinHandle<()> {
    let freed = Arc::clone(freed);
    thread::spawn(move || f(&freed))
}

fn two_pushers() {
    let freed = Freed::new();
    let pushers = [spawn(&freed, |f| f.push(0)), spawn(&freed, |f| f.push(1))];
    freed.take(|_| {});
    for pusher in pushers {
        pusher.join().expect("a push does not panic");
    }
    freed.take(|_| {});
    freed.each_was_taken_once();
}

fn exit() {
    let freed = Freed::new();
    let owner = spawn(&freed, |f| f.take(|_| {}));
    let pusher = spawn(&freed, |f| {
        f.push(0);
        f.push(1);
    });
    freed.take(|_| {});
    owner.join().expect("taking does not panic");
    pusher.join().expect("a push does not panic");
    freed.take(|_| {});
    freed.each_was_taken_once();
}

/// The same entry comes back while another push is between its look at the head and its exchange.
fn again() {
    let freed = Freed::new();
    freed.push(0);
    let pusher = spawn(&freed, |f| f.push(1));
    let mut back = false;
    freed.take(|entry| back |= entry == 0);
    if back {
        freed.push(0);
    }
    pusher.join().expect("a push does not panic");
    let mut found = [0; ENTRIES];
    freed.take(|entry| found[entry as usize] += 1);
    assert_eq!(found[0], u32::from(back), "an entry was lost or taken twice");
    assert_eq!(freed.taken[1].load(Ordering::Relaxed), 1);
}
