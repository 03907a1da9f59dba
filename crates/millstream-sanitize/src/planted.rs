//! What is broken on purpose: a sanitizer that is silent about it would be silent about anything.

use std::mem::ManuallyDrop;

use millstream_sync::seeded::Bug;

use crate::crowd::value;

/// Something broken, and the report that must come.
pub struct Planted {
    /// Its name.
    pub name: &'static str,
    /// Who reports it.
    pub sanitizer: &'static str,
    /// The run that meets it.
    pub case: &'static str,
    what: What,
    /// Words of the report.
    pub report: &'static str,
}

enum What {
    /// All orderings of one file are taken away.
    Weakened(&'static str),
    /// One of the seeded bugs.
    Bug(Bug),
    /// A tensor that is never dropped.
    LeakedHandle,
}

/// A file without its orderings, and the case that needs them.
const fn weakened(file: &'static str, case: &'static str) -> Planted {
    Planted { name: file, sanitizer: "thread", case, what: What::Weakened(file), report: "ThreadSanitizer: data race" }
}

const fn bug(bug: Bug, sanitizer: &'static str, case: &'static str, report: &'static str) -> Planted {
    Planted { name: bug.id(), sanitizer, case, what: What::Bug(bug), report }
}

/// All of them. Of the files with orderings these four guard plain memory; what the others hand over is atomic words, which is loom's to see.
pub const PLANTED: &[Planted] = &[
    weakened("sync/src/owner_word.rs", "stress/inline"),
    weakened("sync/src/bounded_queue.rs", "hand_over/inline"),
    weakened("sync/src/timeline.rs", "hand_over/queued"),
    weakened("cpu/src/team.rs", "out_of_memory/queued"),
    bug(Bug::SkippedWait, "thread", "churn/queued", "ThreadSanitizer: data race"),
    bug(Bug::EarlyReuse, "thread", "churn/queued", "ThreadSanitizer: data race"),
    bug(Bug::LockOrder, "thread", "lock_order/inline", "ThreadSanitizer: lock-order-inversion"),
    bug(Bug::EarlyDeleter, "address", "imports/queued", "AddressSanitizer: heap-use-after-free"),
    Planted {
        name: "leaked-handle",
        sanitizer: "address",
        case: "lock_order/inline",
        what: What::LeakedHandle,
        report: "LeakSanitizer: detected memory leaks",
    },
];

/// The one of that name.
pub fn named(name: &str) -> &'static Planted {
    PLANTED.iter().find(|planted| planted.name == name).unwrap_or_else(|| panic!("nothing planted is named {name:?}"))
}

impl Planted {
    /// Breaks it, for the rest of the process.
    pub fn plant(&self) {
        match self.what {
            What::Weakened(file) => weaken(file),
            #[cfg(feature = "seeded-bugs")]
            What::Bug(bug) => millstream_sync::seeded::plant(bug),
            #[cfg(not(feature = "seeded-bugs"))]
            What::Bug(bug) => panic!("{} cannot be planted in this build", bug.id()),
            What::LeakedHandle => {
                let device = millstream::cpu::open().expect("the CPU is always there");
                let _never_dropped = ManuallyDrop::new(value(&device, 0));
            }
        }
    }
}

/// Takes the orderings of a file away, for the rest of the process.
pub fn weaken(file: &str) {
    #[cfg(millstream_tsan)]
    millstream_sync::atomic::mutant::weaken(file);
    #[cfg(not(millstream_tsan))]
    panic!("{file} cannot be weakened in this build");
}
