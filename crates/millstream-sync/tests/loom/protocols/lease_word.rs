//! The owner of a lease, who wants it, and the handles that keep it.

use millstream_sync::lease_word::{Begun, Closed, LeaseWord};
use millstream_sync::seeded::Bug;
use millstream_sync::{Arc, thread};

use super::watched::Watched;
use crate::checks::Case;

pub fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "lease_word/never_revoked_inside_an_operation",
            bound: 3,
            pinned: 9,
            bugs: &[Bug::RevokeBusy],
            body: never_while_busy,
        },
        Case { name: "lease_word/revoked_once", bound: 3, pinned: 144, bugs: &[Bug::RevokeBusy], body: revoked_once },
        Case { name: "lease_word/never_revoked_while_kept", bound: 3, pinned: 76, bugs: &[], body: never_while_kept },
        Case {
            name: "lease_word/closed_inside_an_operation",
            bound: 3,
            pinned: 5,
            bugs: &[Bug::RevokeBusy],
            body: given_back_once,
        },
        Case {
            name: "lease_word/closed_or_revoked_and_never_both",
            bound: 3,
            pinned: 4,
            bugs: &[],
            body: closed_against_a_taker,
        },
        Case { name: "lease_word/two_handles_on_two_threads", bound: 3, pinned: 154, bugs: &[], body: two_handles },
        Case { name: "lease_word/a_late_drop_and_a_new_handle", bound: 3, pinned: 2_459, bugs: &[], body: late_drop },
        Case { name: "lease_word/the_last_handle_lets_it_go", bound: 3, pinned: 2_041, bugs: &[], body: last_handle },
    ]
}

struct Lease {
    word: LeaseWord,
    /// What whoever has the lease may touch.
    stream: Watched,
}

impl Lease {
    fn new() -> Arc<Self> {
        Arc::new(Self { word: LeaseWord::new(), stream: Watched::new(0) })
    }

    /// An operation of the owner, with one inside it.
    fn operate(&self) -> bool {
        match self.word.begin() {
            Begun::Revoked => return false,
            Begun::Nested => panic!("nobody is inside"),
            Begun::Outermost => {}
        }
        // With the bug the lease may be gone by now.
        if self.word.begin() != Begun::Revoked {
            self.stream.count();
        }
        self.word.end();
        true
    }

    fn take(&self) -> bool {
        let taken = self.word.revoke();
        if taken {
            self.stream.count();
        }
        taken
    }
}

fn never_while_busy() {
    let lease = Lease::new();
    let other = Arc::clone(&lease);
    let owner = thread::spawn(move || u32::from(other.operate()) + u32::from(other.operate()));
    let taken = lease.take();
    let did = owner.join().expect("the owner does not panic");
    assert!(taken || did == 2, "nobody took it, and it was gone");
    assert_eq!(lease.word.is_revoked(), taken);
    assert_eq!(lease.stream.read(), did + u32::from(taken), "two had it at once");
}

fn revoked_once() {
    let lease = Lease::new();
    let (owner, other) = (Arc::clone(&lease), Arc::clone(&lease));
    let owner = thread::spawn(move || owner.operate());
    let other = thread::spawn(move || other.take());
    let mine = lease.take();
    let theirs = other.join().expect("nothing panics");
    let did = owner.join().expect("nothing panics");
    assert!(!(mine && theirs), "two took it");
    assert!(mine || theirs || did, "it was gone and nobody had taken it");
    assert!(mine || theirs || lease.take(), "its owner is outside, and it cannot be taken");
}

fn given_back_once() {
    let lease = Lease::new();
    let owner = Arc::clone(&lease);
    let owner = thread::spawn(move || {
        let inside = owner.word.begin();
        let own = owner.word.close() == Closed::Own;
        assert_eq!(own, inside == Begun::Outermost, "revoked inside an operation");
        if own {
            owner.stream.count();
        }
        own
    });
    let taken = lease.take();
    let own = owner.join().expect("nothing panics");
    assert!(taken != own, "both have it, or nobody");
    assert!(!lease.take(), "it is closed");
}

fn closed_against_a_taker() {
    let lease = Lease::new();
    let owner = Arc::clone(&lease);
    let owner = thread::spawn(move || owner.word.close() == Closed::Own);
    let taken = lease.word.revoke();
    assert!(taken != owner.join().expect("nothing panics"), "both have it, or nobody");
}

fn never_while_kept() {
    let lease = Lease::new();
    let (owner, wants) = (Arc::clone(&lease), Arc::clone(&lease));
    let handle = thread::spawn(move || {
        if owner.word.begin() != Begun::Outermost {
            return;
        }
        owner.word.keep();
        owner.word.end();
        // Outside, with a handle in its hand.
        owner.stream.count();
        owner.word.let_go();
    });
    let wants = thread::spawn(move || wants.take());
    handle.join().expect("nothing panics");
    let taken = wants.join().expect("nothing panics");
    assert!(taken || lease.take(), "no handle is left, and it cannot be taken");
}

/// A lease that `handles` handles keep, with its owner outside.
fn kept_by(handles: u32) -> Arc<Lease> {
    let lease = Lease::new();
    assert_eq!(lease.word.begin(), Begun::Outermost);
    (0..handles).for_each(|_| lease.word.keep());
    lease.word.end();
    lease
}

fn last_handle() {
    let lease = kept_by(1);
    let (other, wants) = (Arc::clone(&lease), Arc::clone(&lease));
    // The handle goes on another thread, while the owner is inside and somebody wants the lease.
    let dropper = thread::spawn(move || {
        other.stream.count();
        other.word.let_go();
    });
    let wants = thread::spawn(move || wants.take());
    let did = lease.word.begin() == Begun::Outermost;
    if did {
        lease.word.end();
    }
    dropper.join().expect("nothing panics");
    let taken = wants.join().expect("nothing panics");
    assert!(did || taken, "it was gone and nobody had taken it");
    assert!(taken || lease.take(), "no handle is left, and it cannot be taken");
}

fn late_drop() {
    let lease = kept_by(1);
    let (other, wants) = (Arc::clone(&lease), Arc::clone(&lease));
    let dropper = thread::spawn(move || other.word.let_go());
    let wants = thread::spawn(move || wants.take());
    // A new handle, while the old one is on its way out.
    let began = lease.word.begin() == Begun::Outermost;
    if began {
        lease.word.keep();
        lease.word.end();
        lease.stream.count();
        lease.word.let_go();
    }
    dropper.join().expect("nothing panics");
    let taken = wants.join().expect("nothing panics");
    assert!(began || taken, "it was gone and nobody had taken it");
    assert!(taken || lease.take(), "no handle is left, and it cannot be taken");
}

fn two_handles() {
    let lease = kept_by(2);
    let (other, wants) = (Arc::clone(&lease), Arc::clone(&lease));
    let copier = thread::spawn(move || {
        // A copy of its own, and what it did through both.
        other.word.keep();
        other.word.let_go();
        other.stream.count();
        other.word.let_go();
    });
    let wants = thread::spawn(move || wants.take());
    lease.word.let_go();
    copier.join().expect("nothing panics");
    let taken = wants.join().expect("nothing panics");
    assert!(taken || lease.take(), "no handle is left, and it cannot be taken");
}
