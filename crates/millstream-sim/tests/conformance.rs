//! The sim passes the suite, whatever the seed, and the suite keeps the contract whatever the order.

use millstream_conformance::conformance_suite;
use millstream_conformance::suite::CASES;
use millstream_hal::Backend;
use millstream_sim::{Injections, SimBackend, SimOptions};
use millstream_sync::Arc;
use millstream_sync::OwnedCell;

conformance_suite!(sim, || Arc::new(SimBackend::new(SimOptions::new(1))));

/// Runs the cases of `groups` but for `without`, and asks the checker what it thinks of the suite.
fn cases_with(options: &SimOptions, groups: &[&str], without: &[&str]) {
    for case in CASES.iter().filter(|c| groups.contains(&c.group) && !without.contains(&c.name)) {
        let mut made = OwnedCell::new(Vec::new());
        case.run(&|| {
            let sim = Arc::new(SimBackend::new(options.clone()));
            let copy: Arc<dyn Backend> = Arc::<SimBackend>::clone(&sim);
            made.try_with(|all| all.push(sim)).expect("one thread makes devices");
            copy
        });
        for sim in made.value_mut() {
            assert_eq!(sim.findings(), [], "{} with seed {}", case.name, options.seed);
            assert_eq!(sim.queued(), 0, "{} with seed {}", case.name, options.seed);
        }
    }
}

const PROTOCOL: &[&str] = &["memory", "order", "events", "threads", "life", "capture"];
const VALUES: &[&str] = &["transfer", "elementwise", "matmul", "reduce", "random", "same_bits"];

#[test]
fn the_protocol_cases_pass_and_keep_the_contract_with_every_seed() {
    (0..12).for_each(|seed| cases_with(&SimOptions::new(seed), PROTOCOL, &[]));
}

#[test]
fn the_value_cases_keep_the_contract() {
    // It reads poison, to look at it.
    cases_with(&SimOptions::new(2), VALUES, &["poison_writes_its_word_and_no_more"]);
}

#[test]
fn slow_events_delay_the_cases_and_break_none() {
    let injections = Injections { slow_events_max: 20, ..Injections::default() };
    // A slow event may be behind a later one of its stream, which is the injection.
    let without = ["a_later_mark_of_a_stream_implies_the_earlier", "an_event_is_done_after_its_work"];
    for seed in 0..3 {
        cases_with(&SimOptions { injections: injections.clone(), ..SimOptions::new(seed) }, PROTOCOL, &without);
    }
}
