//! Threads over a device under one baton.

use millstream_hal::{Access, Backend, DType, DevicePtr, Kernel, Launch, Layout, Operand, RawEvent, RawStream};
use millstream_sim::{SimBackend, SimOptions};
use millstream_sync::Arc;
use millstream_sync::schedule::{Outcome, Policy, Settings, run_with};

const WORDS: usize = 64;

/// Thread `me` writes its block and reads the one of its neighbour after a wait, round after round.
fn body(sim: &SimBackend, base: DevicePtr, streams: &[RawStream], events: &[RawEvent], me: usize) {
    let operand = |block: usize, access| Operand {
        ptr: base.offset(block * WORDS * 4),
        bytes: WORDS * 4,
        access,
        staging: false,
    };
    let a = Layout::contiguous(&[WORDS]).unwrap();
    for round in 0..10u64 {
        let fill = Kernel::Fill { elements: WORDS, dtype: DType::F32, value: (round as f32).into() };
        sim.launch(streams[me], &Launch::new(fill, 2 * round + 1, &[operand(me, Access::Write)])).unwrap();
        let copy = Kernel::Copy { dtype: DType::F32, a };
        let operands = [operand(me + streams.len(), Access::Write), operand(me, Access::Read)];
        sim.launch(streams[me], &Launch::new(copy, 2 * round + 2, &operands)).unwrap();
        sim.record(streams[me], events[me], 2 * round + 2).unwrap();
        let neighbour = events[(me + 1) % events.len()];
        if sim.query(neighbour).is_ok() {
            sim.wait(streams[me], neighbour).unwrap();
        }
        sim.drive(streams[me]);
    }
    sim.synchronize(events[me], None).unwrap();
}

fn scheduled(seed: u64, policy: Policy) -> (Outcome, String) {
    let sim = Arc::new(SimBackend::new(SimOptions::new(seed)));
    let base = sim.allocate_segment(8 * WORDS * 4).unwrap().base;
    let streams: Arc<Vec<RawStream>> = Arc::new((0..4).map(|_| sim.create_stream().unwrap()).collect());
    let events: Arc<Vec<RawEvent>> = Arc::new((0..4).map(|_| sim.create_event(false).unwrap()).collect());
    let thread = |me| -> Box<dyn FnOnce() + Send> {
        let (sim, streams, events) = (Arc::clone(&sim), Arc::clone(&streams), Arc::clone(&events));
        Box::new(move || body(&sim, base, &streams, &events, me))
    };
    let outcome = run_with(&Settings { policy, ..Settings::new(seed) }, (0..4).map(thread).collect());
    assert_eq!(sim.findings(), []);
    (outcome, sim.trace())
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    for policy in [Policy::Uniform, Policy::Pct { depth: 3, steps: 500 }] {
        for seed in 0..5 {
            let (first, second) = (scheduled(seed, policy), scheduled(seed, policy));
            assert!(first.0.is_clean(), "{:?}", first.0.panics);
            assert!(first.1.lines().count() >= 120, "{}", first.1);
            assert_eq!(first.1, second.1);
            assert_eq!(first.0.trace_text(), second.0.trace_text());
            assert_eq!(first.0, second.0);
        }
    }
}

#[test]
fn other_seeds_give_other_orders() {
    let traces: std::collections::BTreeSet<String> = (0..8).map(|seed| scheduled(seed, Policy::Uniform).1).collect();
    assert_eq!(traces.len(), 8);
}
