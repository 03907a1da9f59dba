//! Scheduled runs on the simulator: no finding over many seeds, and one seed is one run.

use millstream_verify::sim;

#[test]
fn no_seed_of_many_has_a_finding() {
    sim::prepare().unwrap();
    let seeds = std::env::var("MILLSTREAM_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(2_000);
    let first: u64 = std::env::var("MILLSTREAM_FIRST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let mut compared = 0;
    for seed in first..first + seeds {
        let run = sim::scheduled(seed);
        let again = "cargo test --package millstream-verify --test scheduled no_seed";
        let replay = format!("MILLSTREAM_FIRST_SEED={seed} MILLSTREAM_SEEDS=1 {again}");
        assert!(run.findings.is_empty(), "seed {seed}: {:#?}\nreplay: {replay}", run.findings);
        compared += run.values_compared;
    }
    assert!(compared > seeds, "only {compared} values were compared");
}

#[test]
fn one_seed_is_one_run() {
    sim::prepare().unwrap();
    for seed in [3, 77, 1234] {
        let (a, b) = (sim::scheduled(seed), sim::scheduled(seed));
        assert_eq!((a.digest, a.switches, a.counters), (b.digest, b.switches, b.counters), "seed {seed}");
    }
}
