//! Sentences that more than one report prints, derived from the figures of the round.

use crate::model::{Attempt, Counter, Coverage, Probe, ProbeStatus, Round, RoundResult, SiteStatus};

/// The text after `Result`: `CLEAN - No bugs found after 3 rigorous verification attempts`.
pub fn result_sentence(round: &Round) -> String {
    let attempts = attempts(round.attempts.len());
    match &round.result {
        RoundResult::Clean => {
            format!("CLEAN - No bugs found after {attempts}")
        }
        RoundResult::CleanRepeat => format!(
            "CLEAN (repeat) - No bugs found after {attempts}; same subject, configuration and seed as an earlier round"
        ),
        RoundResult::Findings(count) => {
            format!("FINDINGS {count} - {} in {attempts}", plural(*count as u64, "finding"))
        }
        RoundResult::Incomplete(reason) => format!("INCOMPLETE - {reason}"),
    }
}

/// `3 rigorous verification attempts`.
pub(super) fn attempts(count: usize) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} rigorous verification attempt{s}")
}

/// The line of the conclusion that stands for the whole round.
pub(super) fn verdict(round: &Round) -> (String, String) {
    let attempts = plural(round.attempts.len() as u64, "attempt");
    match &round.result {
        RoundResult::Clean | RoundResult::CleanRepeat => ("NO BUGS FOUND".to_owned(), format!(" in {attempts}.")),
        RoundResult::Findings(count) => {
            let s = if *count == 1 { "" } else { "S" };
            (format!("{count} FINDING{s}"), format!(" in {attempts}."))
        }
        RoundResult::Incomplete(reason) => ("INCOMPLETE".to_owned(), format!(": {reason}.")),
    }
}

/// The sentence after `Result` of an attempt.
pub(super) fn attempt_result(attempt: &Attempt) -> String {
    let detail = attempt_detail(attempt);
    match (attempt.result.is_clean(), detail.is_empty()) {
        (true, _) => detail,
        (false, true) => attempt.result.to_string(),
        (false, false) => format!("{} - {detail}", attempt.result),
    }
}

/// The same without the result itself; empty where an attempt that is not clean has no summary.
pub(super) fn attempt_detail(attempt: &Attempt) -> String {
    if !attempt.summary.is_empty() || !attempt.result.is_clean() {
        return attempt.summary.clone();
    }
    if let Some(stress) = &attempt.stress {
        return format!(
            "Runtime verification passed with {} ops, {} errors, {} mismatches in {} values compared.",
            thousands(stress.total_operations()),
            stress.total_errors(),
            stress.total_mismatches(),
            thousands(stress.total_values_compared()),
        );
    }
    if !attempt.sites.is_empty() {
        let (reached, seen) = sites_reached(attempt);
        let acyclic = match &attempt.graph {
            Some(graph) if graph.acyclic => "; the graph of nestings is acyclic, no deadlock potential was seen",
            _ => "",
        };
        return format!(
            "Lock ordering was consistent at {reached} of {} call sites in {} nestings{acyclic}.",
            attempt.sites.len(),
            thousands(seen),
        );
    }
    if let Some(soak) = &attempt.soak {
        return format!(
            "Flat over {:.1} s: {} ops, {} values compared, {} mismatches.",
            soak.seconds,
            thousands(soak.operations),
            thousands(soak.values_compared),
            soak.mismatches
        );
    }
    if !attempt.configurations.is_empty() {
        let compared = attempt.configurations.iter().map(|row| row.values_compared).sum();
        return format!(
            "{} passed, {} values compared.",
            plural(attempt.configurations.len() as u64, "configuration"),
            thousands(compared)
        );
    }
    if attempt.patterns.is_empty() {
        return "Nothing was found.".to_owned();
    }
    let (passed, runs) = probes_passed(attempt);
    let patterns = plural(attempt.patterns.len() as u64, "pattern");
    let not_reached = match unreached(attempt).len() as u64 {
        0 => String::new(),
        count => format!("; {} not reached", thousands(count)),
    };
    format!("{} over {patterns} passed in {} runs{not_reached}.", plural(passed, "probe"), thousands(runs))
}

/// What the round does not speak about: what it was told, and what its own tables show as not reached.
pub(super) fn not_covered(round: &Round) -> Vec<String> {
    let mut items = round.not_covered.clone();
    let idle = steps(round).into_iter().filter(|counter| counter.hits == 0 && !counter.forbidden);
    let idle = idle.map(|counter| format!("not reached: {}", counter.name));
    for item in round.attempts.iter().flat_map(unreached).chain(idle) {
        if !items.contains(&item) {
            items.push(item);
        }
    }
    let open = round.coverage.as_ref().filter(|coverage| !coverage.open.is_empty());
    items.extend(open.map(|coverage| {
        format!("settings that have not run together yet: {} of {} pairs", coverage.open.len(), coverage.pairs)
    }));
    items
}

/// How far the covering table has come.
pub(super) fn coverage(coverage: &Coverage) -> String {
    let names: Vec<&str> = coverage.factors.iter().map(|factor| factor.name.as_str()).collect();
    let rounds: Vec<String> = coverage.rounds.iter().map(|n| format!("N={n}")).collect();
    let with = match rounds.len() {
        0 => "no earlier round".to_owned(),
        1..=8 => rounds.join(", "),
        count => format!("{count} earlier rounds since {}", rounds[0]),
    };
    format!(
        "Of {} of values of two settings ({}), {} have run together and passed: {} of them in this round for the first time, the others in {with} of the same subject and device. Open: {}.",
        plural(coverage.pairs, "pair"),
        names.join(", "),
        thousands(coverage.covered),
        thousands(coverage.new),
        thousands(coverage.open.len() as u64),
    )
}

/// The protocol steps of the round: those counted over all attempts, or in rounds without them those of each attempt.
pub(super) fn steps(round: &Round) -> Vec<&Counter> {
    match round.counters.as_slice() {
        [] => round.attempts.iter().flat_map(|attempt| &attempt.counters).collect(),
        counters => counters.iter().collect(),
    }
}

/// Patterns, probes and call sites of an attempt that nothing drove in this round.
fn unreached(attempt: &Attempt) -> Vec<String> {
    let mut items = Vec::new();
    for pattern in &attempt.patterns {
        let (name, location) = (&pattern.pattern, &pattern.location);
        if pattern.probes.is_empty() {
            items.push(format!("not reached: {name} at {location}"));
        }
        let idle = pattern.probes.iter().filter(|probe| probe.status == ProbeStatus::NotReached);
        items.extend(idle.map(|probe| match probe.detail.as_str() {
            "" => format!("not reached: {name}, {}", probe.name),
            why => format!("not reached: {name}, {} ({why})", probe.name),
        }));
    }
    let sites = attempt.sites.iter().filter(|site| site.status == SiteStatus::NotReached);
    items.extend(sites.map(|site| format!("not reached: {} at {}", site.pattern, site.location)));
    items
}

/// Label and text of the line of an attempt in the conclusion.
pub(super) fn conclusion(attempt: &Attempt) -> (String, String) {
    let label = match attempt.id.as_str() {
        "thread_local" => "TLS patterns",
        "lock_order" => "Lock ordering",
        "extended_stress" => "Extended stress test",
        _ => &attempt.title,
    };
    let text = match (&attempt.result, attempt.id.as_str(), &attempt.stress) {
        (RoundResult::Clean | RoundResult::CleanRepeat, "thread_local", _) => {
            let (passed, runs) = probes_passed(attempt);
            let probes = plural(passed, "probe");
            format!("Thread-safe with proper shutdown handling in {probes}, {} runs", thousands(runs))
        }
        (RoundResult::Clean | RoundResult::CleanRepeat, "lock_order", _) => {
            let order = attempt.order.join(", ");
            if order.is_empty() { "Consistent".to_owned() } else { format!("Consistent ({order})") }
        }
        (RoundResult::Clean | RoundResult::CleanRepeat, _, Some(stress)) => format!(
            "PASS ({} ops, {:.0} ops/sec, {} errors)",
            thousands(stress.total_operations()),
            stress.ops_per_second,
            stress.total_errors()
        ),
        _ => attempt_result(attempt).trim_end_matches('.').to_owned(),
    };
    (label.to_owned(), text)
}

/// `churn x200: passed`, with what was measured or what went wrong.
pub(super) fn probe(probe: &Probe) -> String {
    let mut text = format!("{} x{}: {}", probe.name, probe.runs, probe.status);
    if !probe.detail.is_empty() {
        text.push_str(&format!(" ({})", probe.detail));
    }
    text
}

/// Rows of what the round is bound to.
pub(super) fn binding(round: &Round) -> Vec<(&'static str, String)> {
    let machine = &round.machine;
    let mut machine_text = format!("{} {}", machine.os, machine.arch);
    if !machine.cpu.is_empty() {
        machine_text.push_str(&format!(", {}", machine.cpu));
    }
    machine_text.push_str(&format!(", {}", plural(machine.cores as u64, "core")));
    if let Some(bytes) = machine.memory_bytes {
        machine_text.push_str(&format!(", {:.1} GiB", bytes as f64 / f64::from(1 << 30)));
    }
    let features = if round.features.is_empty() { "none".to_owned() } else { round.features.join(", ") };
    let mut device = format!("{}, numeric class {}", round.device.name, round.device.numeric_class);
    if let Some(driver) = &round.device.driver {
        device.push_str(&format!(", driver {driver}"));
    }
    let config = &round.config;
    let size = config.size;
    let mut rows = vec![
        ("Source", round.source_sha256.clone()),
        ("Source tree", round.binding.clone()),
        ("Binary", round.build_id.clone()),
        ("Features", features),
        ("Compiler", round.rustc.clone()),
        ("Machine", machine_text),
        ("Device", device),
        (
            "Configuration",
            format!(
                "{} threads, {} iterations, sync every {}, [{size}, {size}] {}",
                config.threads, config.iterations, config.sync_every, config.dtype
            ),
        ),
        ("Seed", format!("{} ({:#x})", round.seed, round.seed)),
    ];
    match &round.ledger {
        Some(ledger) => {
            rows.push(("Ledger head", ledger.line_sha256.clone()));
            rows.push(("Ledger length", plural(ledger.lines, "line")));
        }
        None => rows.push(("Ledger", "this round is not in the ledger".to_owned())),
    }
    rows.retain(|(_, text)| !text.is_empty());
    rows
}

/// Call sites reached, and nestings seen at them.
fn sites_reached(attempt: &Attempt) -> (usize, u64) {
    let reached = attempt.sites.iter().filter(|site| site.status != SiteStatus::NotReached);
    (reached.clone().count(), reached.map(|site| site.seen).sum())
}

/// Probes passed, and their runs.
fn probes_passed(attempt: &Attempt) -> (u64, u64) {
    let all = attempt.patterns.iter().flat_map(|pattern| &pattern.probes);
    let passed = all.filter(|probe| probe.status == ProbeStatus::Passed);
    passed.fold((0, 0), |(count, runs), probe| (count + 1, runs + probe.runs))
}

/// `1 probe`, `2 probes`.
pub(super) fn plural(count: u64, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {noun}{s}", thousands(count))
}

/// `12.5 MiB`.
pub(super) fn bytes(count: f64) -> String {
    match count {
        count if count < 1024.0 => format!("{count:.0} bytes"),
        count if count < 1024.0 * 1024.0 => format!("{:.1} KiB", count / 1024.0),
        count if count < 1024.0 * 1024.0 * 1024.0 => format!("{:.1} MiB", count / 1024.0 / 1024.0),
        count => format!("{:.1} GiB", count / 1024.0 / 1024.0 / 1024.0),
    }
}

/// `10,000`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped_from_the_right() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }
}
