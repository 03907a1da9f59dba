//! The Markdown report, in the shape and order of the first report.

use std::fmt::{self, Write};

use super::wording::{self, plural, thousands};
use crate::model::{Attempt, Counter, Coverage, CoverageOfTwo, Round, Soak, Stress};
use crate::streak;
use crate::{console, date};

/// The round as Markdown.
pub fn markdown(round: &Round) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let written = write_round(&mut out, round);
    debug_assert!(written.is_ok());
    out
}

fn write_round(out: &mut String, round: &Round) -> fmt::Result {
    let count = round.attempts.len();
    let s = if count == 1 { "" } else { "s" };
    writeln!(out, "# Verification Round {} - {count} Rigorous Attempt{s}\n", round.iteration)?;
    writeln!(out, "**Date**: {}", date::day(&round.date))?;
    writeln!(out, "**Iteration**: {}", round.iteration)?;
    writeln!(out, "**Result**: {}", wording::result_sentence(round))?;
    for note in &round.notes {
        writeln!(out, "**Note**: {} - {}", note.kind, note.text)?;
    }
    if !round.findings.is_empty() {
        writeln!(out, "\n## Findings\n")?;
        let rows = round.findings.iter().map(|finding| {
            let replay = format!("`{}`", finding.replay);
            [&finding.id, &finding.attempt, &finding.text, &finding.location, &replay].map(String::clone)
        });
        write_table(out, ["Id", "Attempt", "Finding", "Location", "Replay"], rows)?;
    }
    writeln!(out, "\n## Verification Attempts")?;
    for (index, attempt) in round.attempts.iter().enumerate() {
        write_attempt(out, index + 1, attempt, round)?;
    }
    if !round.counters.is_empty() {
        writeln!(out, "\n## Protocol Steps\n")?;
        writeln!(out, "Hits in all attempts together, child processes included:\n")?;
        write_counters(out, &round.counters)?;
    }
    if let Some(coverage) = &round.coverage {
        write_coverage(out, coverage)?;
    }
    writeln!(out, "\n## Not Covered\n")?;
    write_list(out, &wording::not_covered(round))?;
    write_conclusion(out, round)?;
    writeln!(out, "\n## Subject and Replay\n")?;
    let rows = wording::binding(round).into_iter().map(|(name, text)| [name.to_owned(), text]);
    write_table(out, ["Bound to", "Value"], rows)?;
    if !round.replay.is_empty() {
        writeln!(out, "\nReplay:\n```\n{}\n```", round.replay)?;
    }
    Ok(())
}

fn write_attempt(out: &mut String, number: usize, attempt: &Attempt, round: &Round) -> fmt::Result {
    writeln!(out, "\n### Attempt {number}: {}\n", attempt.title)?;
    writeln!(out, "**Methods Used:**")?;
    write_list(out, &attempt.methods)?;
    if !attempt.patterns.is_empty() {
        writeln!(out, "\n**Findings:**")?;
        let rows = attempt.patterns.iter().map(|pattern| {
            let probes: Vec<String> = pattern.probes.iter().map(wording::probe).collect();
            let probes = if probes.is_empty() { "Not reached".to_owned() } else { probes.join("; ") };
            [pattern.pattern.clone(), pattern.location.clone(), pattern.mechanism.clone(), probes]
        });
        write_table(out, ["Pattern", "Location", "Safety Mechanism", "Probes"], rows)?;
    }
    if !attempt.safety_properties.is_empty() {
        writeln!(out, "\n**Safety Properties:**")?;
        write_list(out, &attempt.safety_properties)?;
    }
    write_locks(out, attempt)?;
    if let Some(stress) = &attempt.stress {
        write_stress(out, stress, round)?;
    }
    if let Some(soak) = &attempt.soak {
        write_soak(out, soak)?;
    }
    write_configurations(out, attempt)?;
    if !attempt.counters.is_empty() {
        writeln!(out, "\n**Hit Counters:**")?;
        write_counters(out, &attempt.counters)?;
    }
    writeln!(out, "\n**Result**: {}", wording::attempt_result(attempt))
}

/// One row for each window.
fn write_soak(out: &mut String, soak: &Soak) -> fmt::Result {
    writeln!(
        out,
        "\n**Windows:** {} threads, {} operations in {:.1} s, {} values compared, {} mismatches",
        soak.threads,
        thousands(soak.operations),
        soak.seconds,
        thousands(soak.values_compared),
        soak.mismatches
    )?;
    writeln!(out)?;
    let rows = soak.windows.iter().map(|window| {
        [
            format!("{:.1} s", window.end_s),
            thousands(window.operations),
            format!("{:.0} us", window.p50_us),
            format!("{:.0} us", window.p99_us),
            format!("{:.0} us", window.cpu_us),
            thousands(window.live_bytes),
            wording::bytes(window.reserved_bytes as f64),
            window.resident_bytes.map_or("not told".to_owned(), |bytes| wording::bytes(bytes as f64)),
        ]
    });
    write_table(out, ["Until", "Operations", "p50", "p99", "Processor", "Live bytes", "Device", "Process"], rows)
}

fn write_configurations(out: &mut String, attempt: &Attempt) -> fmt::Result {
    if attempt.configurations.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n**Configurations:**")?;
    let rows = attempt.configurations.iter().enumerate().map(|(index, row)| {
        let settings: Vec<String> = row.choice.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let detail = if row.detail.is_empty() { String::new() } else { format!(" ({})", row.detail) };
        let values = thousands(row.values_compared);
        [(index + 1).to_string(), settings.join(", "), values, format!("{}{detail}", row.status)]
    });
    write_table(out, ["No.", "Settings", "Values", "Status"], rows)
}

/// Two factors a row, with the pairs of their values that are open; where none is, the sentence says so.
fn write_coverage(out: &mut String, coverage: &Coverage) -> fmt::Result {
    writeln!(out, "\n## Settings Run Together\n")?;
    writeln!(out, "{}", wording::coverage(coverage))?;
    let open: Vec<CoverageOfTwo> = coverage.by_factors().into_iter().filter(|two| !two.open.is_empty()).collect();
    if open.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let rows = open.into_iter().map(|two| {
        let pairs: Vec<String> = two.open.iter().map(|(one, other)| format!("{one} + {other}")).collect();
        let covered = format!("{} of {}", two.pairs - two.open.len(), two.pairs);
        [format!("{} + {}", two.first, two.second), covered, pairs.join(", ")]
    });
    write_table(out, ["Settings", "Covered", "Still open"], rows)
}

fn write_counters(out: &mut String, counters: &[Counter]) -> fmt::Result {
    let rows = counters.iter().map(|counter| {
        let claimed = if counter.claimed { "yes" } else { "no" };
        let hits = if counter.hits > 0 { thousands(counter.hits) } else { counter.shown() };
        [counter.name.clone(), hits, claimed.to_owned()]
    });
    write_table(out, ["Protocol step", "Hits", "Claimed"], rows)
}

fn write_locks(out: &mut String, attempt: &Attempt) -> fmt::Result {
    if !attempt.order.is_empty() {
        writeln!(out, "\n**Established Lock Order:**")?;
        for nesting in &attempt.order {
            writeln!(out, "- `{nesting}`")?;
        }
    }
    if !attempt.sites.is_empty() {
        writeln!(out, "\n**Verified Call Sites:**")?;
        let rows = attempt
            .sites
            .iter()
            .map(|site| [site.location.clone(), site.pattern.clone(), thousands(site.seen), site.status.to_string()]);
        write_table(out, ["Location", "Pattern", "Seen", "Status"], rows)?;
    }
    if !attempt.isolated.is_empty() {
        writeln!(out, "\n**Isolated Locks (no cross-locking):**")?;
        let rows = attempt.isolated.iter().map(|lock| {
            let reentrant = if lock.reentrant { "yes" } else { "no" };
            let name = format!("`{}`", lock.lock);
            [name, reentrant.to_owned(), thousands(lock.taken), thousands(lock.cross_locked)]
        });
        write_table(out, ["Lock", "Re-entrant", "Times taken", "Cross-locked"], rows)?;
    }
    if let Some(graph) = &attempt.graph {
        let acyclic = if graph.acyclic { "acyclic" } else { "CYCLIC" };
        let nestings = plural(graph.edges.len() as u64, "distinct nesting");
        writeln!(out, "\n**Lock Graph**: {acyclic}, {nestings}")?;
        for edge in &graph.edges {
            writeln!(out, "- `{} -> {}`, seen {}", edge.held, edge.taken, thousands(edge.seen))?;
        }
    }
    Ok(())
}

fn write_stress(out: &mut String, stress: &Stress, round: &Round) -> fmt::Result {
    writeln!(out, "\n**Test Configuration:**")?;
    writeln!(out, "- Threads: {}", stress.threads)?;
    writeln!(out, "- Iterations per thread: {}", stress.iterations_per_thread)?;
    writeln!(out, "- Operations: {}", round.config.operations.join(", "))?;
    writeln!(out, "- Sync: Every {} iterations", stress.sync_every)?;
    writeln!(out, "- Size: [{0}, {0}] {1}", stress.size, round.config.dtype)?;
    writeln!(out, "- Device: {}", round.device.name)?;
    writeln!(out, "\n**Results:**\n```\n{}\n```", console::block(stress))?;
    writeln!(out, "\nLatency of an operation: p50 {:.0} us, p99 {:.0} us", stress.p50_us, stress.p99_us)?;
    writeln!(out, "Digest of the compared values: `{}`", stress.values_digest)
}

fn write_conclusion(out: &mut String, round: &Round) -> fmt::Result {
    writeln!(out, "\n## Conclusion\n")?;
    writeln!(out, "After {}:\n", wording::attempts(round.attempts.len()))?;
    for (index, attempt) in round.attempts.iter().enumerate() {
        let (label, text) = wording::conclusion(attempt);
        writeln!(out, "{}. **{label}**: {text}", index + 1)?;
    }
    let (strong, rest) = wording::verdict(round);
    writeln!(out, "\n**{strong}**{rest}\n")?;
    writeln!(out, "{}", streak::markdown_line(&round.consecutive_clean))?;
    if let Some(line) = streak::not_counted_line(&round.consecutive_clean) {
        writeln!(out, "\n{line}")?;
    }
    Ok(())
}

fn write_list(out: &mut String, items: &[String]) -> fmt::Result {
    if items.is_empty() {
        writeln!(out, "- none recorded")?;
    }
    items.iter().try_for_each(|item| writeln!(out, "- {}", item.replace('\n', " ")))
}

fn write_table<const N: usize>(
    out: &mut String,
    headings: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> fmt::Result {
    writeln!(out, "| {} |", headings.join(" | "))?;
    let rules = headings.map(|heading| "-".repeat(heading.len() + 2));
    writeln!(out, "|{}|", rules.join("|"))?;
    for row in rows {
        let cells = row.map(|cell| cell.replace('|', "\\|").replace('\n', " "));
        writeln!(out, "| {} |", cells.join(" | "))?;
    }
    Ok(())
}
