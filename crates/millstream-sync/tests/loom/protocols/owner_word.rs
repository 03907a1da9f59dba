//! The owner of a cache and who takes it when it is idle.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use millstream_sync::{Arc, OwnedCell, thread};

use crate::checks::Case;

pub fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "owner_word/one_owner_who_sees_what_the_last_one_did",
            bound: 3,
            pinned: 276,
            bugs: &[],
            body: one_owner,
        },
        Case { name: "owner_word/a_panic_gives_the_word_back", bound: 3, pinned: 9, bugs: &[], body: panic_gives_back },
    ]
}

fn one_owner() {
    let cache = Arc::new(OwnedCell::new(0u32));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let cache = Arc::clone(&cache);
            thread::spawn(move || u32::from(cache.try_with(|count| *count += 1).is_some()))
        })
        .collect();
    let mut did = u32::from(cache.try_with(|count| *count += 1).is_some());
    for thread in threads {
        did += thread.join().expect("nothing panics");
    }
    assert_eq!(cache.try_with(|count| *count), Some(did), "all owners are gone and what they did is there");
}

fn panic_gives_back() {
    let cache = Arc::new(OwnedCell::new(0u32));
    let other = Arc::clone(&cache);
    let thread = thread::spawn(move || {
        let unwound = catch_unwind(AssertUnwindSafe(|| other.try_with(|_| resume_unwind(Box::new(())))));
        assert!(unwound.is_err() || unwound.is_ok_and(|owned| owned.is_none()));
    });
    let _ = cache.try_with(|count| *count += 1);
    thread.join().expect("the panic was caught");
    assert!(cache.try_with(|_| ()).is_some(), "somebody kept the word");
}
