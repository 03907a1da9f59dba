//! What a round says about itself before it runs: identity, machine, device, configuration, and what it does not cover.

use std::fs;
use std::thread;

use super::{Ground, Request, device_name};
use crate::attempts::ATTEMPTS;
use crate::date;
use crate::model::{
    Attempt, Config, ConsecutiveClean, DeviceInfo, Machine, OwnModel, Round, RoundResult, SCHEMA, SiteStatus,
};
use crate::plan::{Plan, SOAK};
use crate::{Result, subject};

/// The inventory of the sources, packaged by the build; empty where the sources had none.
const INVENTORY: &str = include_str!(env!("MILLSTREAM_INVENTORY"));

/// A round with nothing in it but who, where and how.
pub(super) fn blank(ground: &Ground, plan: &Plan, n: u64) -> Round {
    Round {
        schema: SCHEMA.to_owned(),
        n,
        iteration: format!("N={n}"),
        date: date::now(),
        result: RoundResult::Incomplete("not run".to_owned()),
        findings: Vec::new(),
        seed: plan.seed,
        source_sha256: ground.subject.source_sha256.clone(),
        binding: ground.binding.word().to_owned(),
        build_id: ground.build_id.clone(),
        features: ground.subject.features.clone(),
        rustc: ground.subject.rustc.clone(),
        machine: machine(),
        device: DeviceInfo {
            name: device_name(&plan.device, &ground.device),
            numeric_class: ground.device.numeric_class.clone(),
            driver: None,
        },
        config: config(plan),
        attempts: Vec::new(),
        counters: Vec::new(),
        coverage: None,
        not_covered: Vec::new(),
        consecutive_clean: ConsecutiveClean::default(),
        ledger: None,
        notes: Vec::new(),
        calibration: None,
        seconds: 0.0,
        replay: String::new(),
        history: Vec::new(),
    }
}

/// Hash of all that decides what a round runs: settings, seed, device, features, compiler, attempts.
pub(super) fn config_sha256(ground: &Ground, plan: &Plan, ids: &[&str]) -> Result<String> {
    let subject = &ground.subject;
    let device = (device_name(&plan.device, &ground.device), &ground.device.numeric_class);
    subject::sha256_of_json(&(config(plan), plan.seed, device, &subject.features, &subject.rustc, ids))
}

/// The command that runs the round of `stem` again.
pub(super) fn replay_command(request: &Request, stem: &str) -> String {
    let file = request.out.join(format!("{stem}.json"));
    format!("millstream verify --replay {}", quoted(&file.display().to_string()))
}

/// What the round does not speak about.
pub(super) fn not_covered(attempts: &[Attempt]) -> Vec<String> {
    let mut items = vec!["driver and vendor libraries".to_owned(), "other processes".to_owned()];
    items.extend(dependencies(INVENTORY));
    items.extend(not_run(attempts));
    for attempt in attempts {
        let sites = attempt.sites.iter().filter(|site| site.status == SiteStatus::NotReached);
        items.extend(sites.map(|site| format!("not reached: {} at {}", site.pattern, site.location)));
    }
    items
}

/// One line for the attempts that this round left out; none when it ran all of them.
fn not_run(attempts: &[Attempt]) -> Option<String> {
    let ran = |id: &str| attempts.iter().any(|attempt| attempt.id == id);
    let left: Vec<&str> = ATTEMPTS.iter().map(|entry| entry.id).filter(|id| !ran(id)).collect();
    (!left.is_empty()).then(|| format!("attempts not run (`--all` runs them): {}", left.join(", ")))
}

/// One line for the thread-locals of each dependency, or one for all where no inventory is packaged.
fn dependencies(inventory: &str) -> Vec<String> {
    let value: serde_json::Value = serde_json::from_str(inventory).unwrap_or_default();
    let listed = value.get("dependencies").and_then(|list| list.as_array());
    let text = |entry: &serde_json::Value, key: &str| {
        entry.get(key).and_then(|text| text.as_str()).unwrap_or_default().to_owned()
    };
    let line = |entry: &serde_json::Value| {
        let count = entry.get("thread_locals").and_then(serde_json::Value::as_u64).unwrap_or(0);
        format!("thread-locals of dependencies: {} ({count})", text(entry, "name"))
    };
    match listed {
        Some(list) if !list.is_empty() => list.iter().map(line).collect(),
        _ => vec!["thread-locals of dependencies".to_owned()],
    }
}

fn config(plan: &Plan) -> Config {
    Config {
        threads: plan.threads as u64,
        iterations: plan.iterations,
        sync_every: plan.sync_every,
        size: plan.size as u64,
        dtype: "f32".to_owned(),
        operations: ["randn", "matmul", "sum", "mean"].map(str::to_owned).to_vec(),
        duration_seconds: (!plan.duration.is_zero()).then_some(plan.duration.as_secs_f64()),
        soak_seconds: (plan.soak != SOAK).then_some(plan.soak.as_secs_f64()),
        model: plan
            .model
            .as_ref()
            .map(|model| OwnModel { folder: model.path.display().to_string(), sha256: model.sha256.clone() }),
    }
}

pub(super) fn machine() -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let value = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let memory = value(&read("/proc/meminfo"), "MemTotal");
    let kib = memory.and_then(|text| text.strip_suffix("kB")?.trim().parse::<u64>().ok());
    Machine {
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        cpu: value(&read("/proc/cpuinfo"), "model name").unwrap_or_default(),
        cores: thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: kib.map(|kib| kib * 1024),
    }
}

/// A path as one word of a shell.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thread_locals_of_dependencies_come_from_the_inventory() {
        let text = r#"{"dependencies":[{"name":"parking_lot_core 0.9.12","thread_locals":2}]}"#;
        assert_eq!(dependencies(text), ["thread-locals of dependencies: parking_lot_core 0.9.12 (2)"]);
        assert_eq!(dependencies(""), ["thread-locals of dependencies"]);
    }

    #[test]
    fn attempts_that_a_round_left_out_are_named() {
        let of = |ids: &[&str]| -> Vec<Attempt> { ids.iter().map(|id| Attempt::new(id, "A")).collect() };
        let line = not_run(&of(&["thread_local", "lock_order", "extended_stress"])).unwrap();
        assert!(line.ends_with("simulated_schedules, faults") || line.contains("memory"), "{line}");
        assert!(!line.contains("lock_order"), "{line}");
        let all: Vec<&str> = ATTEMPTS.iter().map(|entry| entry.id).collect();
        assert_eq!(not_run(&of(&all)), None);
    }

    #[test]
    fn a_path_with_a_blank_is_one_word() {
        assert_eq!(quoted("./verification/round-N3.json"), "./verification/round-N3.json");
        assert_eq!(quoted("my rounds/it's"), r"'my rounds/it'\''s'");
    }
}
