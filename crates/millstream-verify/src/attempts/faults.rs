//! A further attempt: faults. A device that is lost, an operation that fails alone, memory that cannot be had; at every place of a small program, under schedules, and in child processes.
//!
//! The simulator loses the device or fails one launch where it is told to; on the CPU a kernel panics, in a child process, whose output of the panic nobody sees. Nothing may report success with
//! garbage, nothing that is independent of the failure may be lost with it, and everything must end in order.

mod places;
mod process;
mod reports;
mod schedules;

use millstream::evidence::Step;

pub(super) use process::in_child;

use super::probes::{Driven, What};
use super::sheet::{Row, Sheet};

/// Steps that the attempt claims to drive.
pub const CLAIMS: [Step; 2] = [Step::HostWait, Step::ReadAfterFault];

const LOST: &str = "Lost device";
const FAILED: &str = "Failed operation";
const FIRST: &str = "First error";
const MEMORY: &str = "Refused memory";
const ENDS: &str = "The end after a fault";

/// The attempt.
pub static SHEET: Sheet = Sheet {
    id: "faults",
    title: "Faults",
    methods: &[
        "The simulated device is lost at each of the first 30 launches of a small program, downloads among them; then each of them fails alone",
        "Scheduled runs of three threads that hand values over while one launch fails: what can be read is compared with what the simulator's vector clocks know to be independent, and every value with its own",
        "Child processes on the CPU, inline and queued: a kernel panics among eight threads at work",
    ],
    rows: &[
        Row {
            pattern: LOST,
            place: ("crates/millstream-runtime/src/fault.rs", "fn settled_fault"),
            mechanism: "the backend is asked after the value was seen complete; a lost device has lost every value",
        },
        Row {
            pattern: FAILED,
            place: ("crates/millstream-runtime/src/fault.rs", "fn poisoned_from"),
            mechanism: "one first lost position for each stream, passed on by waits; values before it are read outside of the streams",
        },
        Row {
            pattern: FIRST,
            place: ("crates/millstream-runtime/src/fault/report.rs", "fn fault_report"),
            mechanism: "the first failure is kept once and is in every error; streams remember the kernels of their newest operations",
        },
        Row {
            pattern: MEMORY,
            place: ("crates/millstream-runtime/src/memory/growth.rs", "fn grow("),
            mechanism: "a refused segment is a typed error of the allocation that wanted it, and no fault",
        },
        Row {
            pattern: ENDS,
            place: ("crates/millstream-runtime/src/shutdown.rs", "fn close("),
            mechanism: "lost positions are reached like others, so that drops, trims and the shutdown go on",
        },
    ],
    probes: &[
        Driven { pattern: LOST, name: "at every launch", runs: 30, what: What::Here(places::lost) },
        Driven { pattern: FAILED, name: "at every launch", runs: 30, what: What::Here(places::failed) },
        Driven {
            pattern: FAILED,
            name: "what can be read is what is independent",
            runs: 200,
            what: What::Here(schedules::independent),
        },
        Driven { pattern: FIRST, name: "the same for 20 threads", runs: 20, what: What::Here(reports::twenty_threads) },
        Driven { pattern: FIRST, name: "suspects by name", runs: 10, what: What::Here(reports::suspects) },
        Driven {
            pattern: FIRST,
            name: "one suspect with launch_blocking",
            runs: 10,
            what: What::Here(reports::blocking),
        },
        Driven { pattern: MEMORY, name: "at every segment", runs: 12, what: What::Here(places::out_of_memory) },
        Driven {
            pattern: ENDS,
            name: "a kernel panics among threads at work",
            runs: 100,
            what: What::Elsewhere("fault-and-exit"),
        },
    ],
    properties: &[
        "A value that was lost was an error, never a number; every value that was read was the right one",
        "Exactly the values ordered after the failure were lost, over 200 schedules",
        "Every error about a fault was the first one, on every thread; health named it, and what was not known to be complete",
        "After a fault every operation was refused; drops, trims and shutdowns ended in order, and so did 100 child processes",
    ],
};
