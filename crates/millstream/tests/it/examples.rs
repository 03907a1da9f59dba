//! The numbered examples, run as they stand: what they claim they assert.

#[path = "../../examples/02_hand_over.rs"]
mod hand_over;
#[path = "../../examples/03_streams_events_trace.rs"]
mod streams_events_trace;
#[path = "../../examples/01_twenty_threads.rs"]
mod twenty_threads;

#[test]
fn twenty_threads_runs() {
    twenty_threads::main().unwrap();
}

#[test]
fn hand_over_runs() {
    hand_over::main().unwrap();
}

#[test]
fn streams_events_trace_runs() {
    streams_events_trace::main().unwrap();
}
