//! A further attempt: memory. A block is used again only after the last stamp of every user, nothing leaks, and every figure adds up.
//!
//! Late users stand behind long work on their streams while their block is freed and poison goes over whatever the allocator gives out next; every element is compared.

mod imports;
mod rest;
mod reuse;

use millstream::evidence::Step;

use super::probes::{Driven, What};
use super::sheet::{Row, Sheet};

/// Steps that the attempt claims to drive.
pub const CLAIMS: [Step; 17] = [
    Step::LateSecondUser,
    Step::LimboEntered,
    Step::LimboLeft,
    Step::InboxHandBack,
    Step::InboxTakenByOther,
    Step::IdleCacheReclaim,
    Step::Growth,
    Step::SegmentReleased,
    Step::Flush,
    Step::HostWait,
    Step::LeaseReturned,
    Step::Imported,
    Step::ImportWaited,
    Step::ImportDeleted,
    Step::DeleterPanicked,
    Step::StagingReused,
    Step::StagingWait,
];

const LIMBO: &str = "Limbo";
const CACHE: &str = "Thread cache";
const STAGING: &str = "Staging";
const TRIM: &str = "Trim";
const IMPORTS: &str = "Imports";
const FIGURES: &str = "Figures";

/// The attempt.
pub static SHEET: Sheet = Sheet {
    id: "memory",
    title: "Memory",
    methods: &[
        "Two to five late users behind 3 to 11 ms of work; the block is freed under them and poison goes over what the allocator gives out next; fingerprints compare every element",
        "Transfers behind long work: staging memory must not be written again before they complete",
        "Idle caches, hand-backs, live buffers across a trim; the figures are added up at rest",
    ],
    rows: &[
        Row {
            pattern: LIMBO,
            place: ("crates/millstream-runtime/src/memory/limbo.rs", "fn collect_limbo"),
            mechanism: "a freed block leaves only when every foreign stamp of its use set has completed",
        },
        Row {
            pattern: CACHE,
            place: ("crates/millstream-runtime/src/memory/thread_cache.rs", "fn put("),
            mechanism: "only blocks whose sole user is the stream: new work comes after the old in stream order",
        },
        Row {
            pattern: STAGING,
            place: ("crates/millstream-runtime/src/memory/staging.rs", "fn stage("),
            mechanism: "a place is taken again only when its last transfer has completed",
        },
        Row {
            pattern: TRIM,
            place: ("crates/millstream-runtime/src/memory/trim.rs", "fn trim("),
            mechanism: "an owner word lets anyone take an idle cache; inboxes and limbo first, then empty segments",
        },
        Row {
            pattern: IMPORTS,
            place: ("crates/millstream-runtime/src/memory/import.rs", "fn collect_imports"),
            mechanism: "of no pool and no stream: every use is noted, and the deleter runs once, after all of them, with nothing held",
        },
        Row {
            pattern: FIGURES,
            place: ("crates/millstream-runtime/src/memory/stats.rs", "fn memory_stats"),
            mechanism: "each byte taken from the device is live, cached, pooled or at rest",
        },
    ],
    probes: &[
        Driven {
            pattern: LIMBO,
            name: "late users while their block is freed and poisoned",
            runs: 24,
            what: What::Here(reuse::late_users),
        },
        Driven {
            pattern: LIMBO,
            name: "a freed block comes back after its last user",
            runs: 6,
            what: What::Here(reuse::comes_back),
        },
        Driven {
            pattern: CACHE,
            name: "a cached block under poison on its own stream",
            runs: 4,
            what: What::Here(reuse::same_stream),
        },
        Driven {
            pattern: CACHE,
            name: "a scope on another stream ends, on unwind too",
            runs: 3,
            what: What::Here(rest::scope_ends),
        },
        Driven {
            pattern: STAGING,
            name: "100 uploads and 24 downloads behind long work",
            runs: 6,
            what: What::Here(reuse::staging),
        },
        Driven { pattern: TRIM, name: "the cache of an idle thread", runs: 5, what: What::Here(rest::idle_cache) },
        Driven { pattern: TRIM, name: "live values across a trim", runs: 3, what: What::Here(rest::live_across_trim) },
        Driven {
            pattern: IMPORTS,
            name: "late users of memory of others",
            runs: 12,
            what: What::Here(imports::late_users),
        },
        Driven {
            pattern: IMPORTS,
            name: "dropped by eight threads at once, by an exit, after a shutdown",
            runs: 5,
            what: What::Here(imports::dropped_anywhere),
        },
        Driven {
            pattern: IMPORTS,
            name: "a deleter that computes, and one that panics",
            runs: 3,
            what: What::Here(imports::odd_deleters),
        },
        Driven {
            pattern: FIGURES,
            name: "eight threads hand over, drop and leave: leak 0, stranded 0",
            runs: 8,
            what: What::Here(rest::nothing_left),
        },
        Driven {
            pattern: FIGURES,
            name: "live, cached, pooled and resting bytes add up",
            runs: 3,
            what: What::Here(rest::adds_up),
        },
    ],
    properties: &[
        "No block was written again before the last stamp of every user",
        "Leak 0, stranded bytes 0, and trim reached the caches of idle threads",
        "The deleter of every import ran exactly once, after its last user",
        "Staging memory was not written again before its transfers had completed",
        "Reserved bytes were live, cached, pooled or at rest, to the byte",
    ],
};
