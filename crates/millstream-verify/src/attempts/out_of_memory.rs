//! A further attempt: the out-of-memory ladder on a budget of a few blocks. Each rung is made the only one that has memory; then all at once, with twenty threads.

mod crowd;
mod rungs;

use millstream::evidence::Step;

use super::probes::{Driven, Verdict, What};
use super::sheet::{Row, Sheet};
use crate::plan::Plan;

/// Steps that the attempt claims to drive.
pub const CLAIMS: [Step; 14] = [
    Step::InboxHandBack,
    Step::LimboEntered,
    Step::LimboLeft,
    Step::Steal,
    Step::IdleCacheReclaim,
    Step::RacedGrowth,
    Step::Growth,
    Step::SegmentReleased,
    Step::OutOfMemory,
    Step::HostWait,
    Step::StealBehindWait,
    Step::OwnCacheTrimmed,
    Step::WaitedForOldest,
    Step::Reclaimed,
];

const RUNGS: &str = "Ladder";
const GROWTH: &str = "Growth";
const REFUSAL: &str = "Refusal";

/// A probe of one rung.
const fn rung(name: &'static str, what: fn(&Plan, u64) -> Verdict) -> Driven {
    Driven { pattern: RUNGS, name, runs: 4, what: What::Here(what) }
}

/// The attempt.
pub static SHEET: Sheet = Sheet {
    id: "out_of_memory",
    title: "Out of Memory",
    methods: &[
        "A budget of four blocks, all taken; one comes free in one place alone, and the device's figures must say that this rung served the next allocation",
        "20 threads on a budget of a third of what they ask for: fingerprints of every buffer, typed refusals, progress",
        "20 threads that ask an empty device at one moment, for more than it may give",
    ],
    rows: &[
        Row {
            pattern: RUNGS,
            place: ("crates/millstream-runtime/src/memory/climb.rs", "fn climb("),
            mechanism: "one place after another, searched again after each; the host waits only on the last rungs",
        },
        Row {
            pattern: GROWTH,
            place: ("crates/millstream-runtime/src/memory/growth.rs", "fn grow("),
            mechanism: "one thread at a time asks the device; bytes are counted against the budget before",
        },
        Row {
            pattern: REFUSAL,
            place: ("crates/millstream-runtime/src/memory/ladder.rs", "pub struct Ladder"),
            mechanism: "a typed error with the figure of every rung; nothing is kept",
        },
    ],
    probes: &[
        rung("grow, then the own cache", rungs::grow_and_cache),
        rung("inbox: freed by another thread", rungs::inbox),
        rung("own pool: flushed by a thread that left", rungs::own_pool),
        rung("limbo: its last user is done", rungs::limbo),
        rung("idle pools: left by a thread that ended", rungs::idle_pool),
        rung("other pools: of a stream at rest that is held", rungs::other_pool),
        rung("busy pools: of a stream at work, behind a wait on the device", rungs::busy_pool),
        rung("own cache: small blocks that make a large one", rungs::own_cache),
        rung("idle caches: those of a thread at rest", rungs::idle_cache),
        rung("release: empty segments that are too small", rungs::release),
        rung("wait: behind the work of its last user", rungs::wait),
        rung("reclaim: kept by somebody who can do without", rungs::reclaim),
        Driven { pattern: REFUSAL, name: "every rung has its figure", runs: 3, what: What::Here(rungs::refusal) },
        Driven { pattern: REFUSAL, name: "the device works afterwards", runs: 3, what: What::Here(rungs::goes_on) },
        Driven {
            pattern: GROWTH,
            name: "20 threads at one moment",
            runs: 3,
            what: What::Measured(crowd::raced_growth),
        },
        Driven {
            pattern: RUNGS,
            name: "20 threads on a third of the memory",
            runs: 4,
            what: What::Measured(crowd::storm),
        },
    ],
    properties: &[
        "Each of the thirteen rungs gave the block that only it had",
        "One thread at a time grew, and the budget was never exceeded",
        "Every value was right and every refusal a typed error with a figure for each rung; the device went on",
    ],
};
