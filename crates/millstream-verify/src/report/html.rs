//! The round as one self-contained HTML page: the result large at the top, then pictures and the tables behind them.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::wording::{self, plural, thousands};
use super::{pictures, result_sentence};
use crate::console;
use crate::model::{Attempt, Counter, ProbeStatus, Round, RoundResult, SiteStatus, Stress};
use crate::streak;

const STYLE: &str = include_str!("page.css");

/// The round as an HTML page. It refers to nothing outside itself.
pub fn html(round: &Round) -> String {
    let title = format!("Verification Round {} - {}", round.iteration, round.result);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content="millstream";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body class=(mood(&round.result)) {
                (hero(round))
                main {
                    (findings(round))
                    @for (index, attempt) in round.attempts.iter().enumerate() {
                        (section(index + 1, attempt, round))
                    }
                    (closing(round))
                }
                footer { "Written by millstream. Every figure was measured in this round; nothing here is a proof." }
            }
        }
    };
    page.into_string()
}

fn hero(round: &Round) -> Markup {
    let (word, symbol) = match &round.result {
        RoundResult::Clean => ("CLEAN".to_owned(), "\u{2713}"),
        RoundResult::CleanRepeat => ("CLEAN (repeat)".to_owned(), "\u{2713}"),
        RoundResult::Findings(count) => (format!("FINDINGS {count}"), "\u{2717}"),
        RoundResult::Incomplete(_) => ("INCOMPLETE".to_owned(), "\u{2026}"),
    };
    let sentence = result_sentence(round);
    let sentence = sentence.split_once(" - ").map_or(sentence.as_str(), |(_, rest)| rest);
    let clean = &round.consecutive_clean;
    html! {
        header {
            p.eyebrow { "Millstream verification round" }
            h1 { "Round " (round.iteration) }
            p.verdict { span.symbol aria-hidden="true" { (symbol) } " " (word) }
            p.lead { (sentence) "." }
            p.meta {
                time { (round.date) } " · " (round.device.name) " · " (plural(round.config.threads, "thread"))
                " · " (format!("{:.1} s", round.seconds))
            }
            @for note in &round.notes { p.note { strong { (note.kind) } " " (note.text) } }
            (key_figures(round))
            section.streak aria-label="Consecutive clean rounds" {
                h2 { "Consecutive clean rounds: " (clean.count) }
                (pictures::streak(clean))
                @if let Some(line) = streak::not_counted_line(clean) { p.faint { (line) } }
            }
        }
    }
}

fn key_figures(round: &Round) -> Markup {
    let mut figures: Vec<(String, &str)> = Vec::new();
    if let Some(stress) = round.attempts.iter().find_map(|attempt| attempt.stress.as_ref()) {
        figures.push((format!("{:.1}", stress.ops_per_second), "ops/sec"));
        figures.push((thousands(stress.total_operations()), "operations"));
        figures.push((thousands(stress.total_values_compared()), "values compared"));
        figures.push((thousands(stress.total_mismatches()), "mismatches"));
        figures.push((thousands(stress.max_concurrent), "at once, at most"));
    }
    let probes = round.attempts.iter().flat_map(|attempt| &attempt.patterns).map(|p| p.probes.len());
    let probes = probes.sum::<usize>() as u64;
    if probes > 0 {
        figures.push((thousands(probes), "probes"));
    }
    html! {
        @if !figures.is_empty() {
            dl.figures { @for (figure, name) in figures { div { dt { (name) } dd { (figure) } } } }
        }
    }
}

fn findings(round: &Round) -> Markup {
    let rows = round.findings.iter().map(|finding| {
        [
            html! { strong { (finding.id) } },
            html! { (finding.attempt) },
            html! { (finding.text) },
            location(&finding.location),
            html! { code { (finding.replay) } },
        ]
    });
    html! {
        @if !round.findings.is_empty() {
            section.card.alarm {
                h2 { "Findings" }
                (table("Findings", ["Id", "Attempt", "Finding", "Location", "Replay"], rows.collect()))
            }
        }
    }
}

fn section(number: usize, attempt: &Attempt, round: &Round) -> Markup {
    html! {
        section.card {
            p.eyebrow { "Attempt " (number) " · " (format!("{:.1} s", attempt.seconds)) }
            h2 { (attempt.title) }
            p class=(outcome(&attempt.result)) {
                strong { (attempt.result) } " " (wording::attempt_detail(attempt))
            }
            (list("Methods used", &attempt.methods))
            (patterns(attempt))
            (list("Safety properties", &attempt.safety_properties))
            (locks(attempt))
            @if let Some(stress) = &attempt.stress { (stress_part(stress, round)) }
            (counters("Protocol steps driven", &attempt.counters))
        }
    }
}

fn patterns(attempt: &Attempt) -> Markup {
    let rows = attempt.patterns.iter().map(|pattern| {
        [
            html! { strong { (pattern.pattern) } },
            location(&pattern.location),
            html! { (pattern.mechanism) },
            html! {
                @if pattern.probes.is_empty() { (badge("off", "Not reached")) }
                @for probe in &pattern.probes {
                    @let class = match probe.status {
                        ProbeStatus::Passed => "good",
                        ProbeStatus::Failed => "bad",
                        ProbeStatus::NotReached => "off",
                    };
                    div.probe {
                        (badge(class, &probe.status.to_string())) " " (probe.name) " ×" (thousands(probe.runs))
                        @if probe.child_process { " " span.faint { "own process" } }
                        @if !probe.detail.is_empty() { " " span.faint { "(" (probe.detail) ")" } }
                    }
                }
            },
        ]
    });
    html! {
        @if !attempt.patterns.is_empty() {
            h3 { "Patterns and their probes" }
            (table("Patterns", ["Pattern", "Location", "Safety Mechanism", "Probes"], rows.collect()))
        }
    }
}

fn locks(attempt: &Attempt) -> Markup {
    let sites = attempt.sites.iter().map(|site| {
        let class = match site.status {
            SiteStatus::Correct => "good",
            SiteStatus::Violation => "bad",
            SiteStatus::NotReached => "off",
        };
        [
            location(&site.location),
            html! { (site.pattern) },
            html! { span.number { (thousands(site.seen)) } },
            badge(class, &site.status.to_string()),
        ]
    });
    let isolated = attempt.isolated.iter().map(|lock| {
        let class = if lock.cross_locked == 0 { "good" } else { "bad" };
        [
            html! { strong { (lock.lock) } },
            html! { @if lock.reentrant { "yes" } @else { "no" } },
            html! { span.number { (thousands(lock.taken)) } },
            badge(class, &thousands(lock.cross_locked)),
        ]
    });
    html! {
        @if !attempt.order.is_empty() {
            h3 { "Established lock order" }
            ul.plain { @for nesting in &attempt.order { li { code { (nesting) } } } }
        }
        (pictures::lock_graph(attempt))
        @if !attempt.sites.is_empty() {
            h3 { "Verified call sites" }
            (table("Call sites", ["Location", "Pattern", "Seen", "Status"], sites.collect()))
        }
        @if !attempt.isolated.is_empty() {
            h3 { "Isolated locks" }
            (table("Isolated locks", ["Lock", "Re-entrant", "Times taken", "Cross-locked"], isolated.collect()))
        }
    }
}

fn stress_part(stress: &Stress, round: &Round) -> Markup {
    let operations = round.config.operations.join(", ");
    html! {
        h3 { "Test configuration" }
        p {
            (plural(stress.threads, "thread")) ", " (plural(stress.iterations_per_thread, "iteration"))
            " each of " (operations) " on [" (stress.size) ", " (stress.size) "] " (round.config.dtype)
            ", sync every " (stress.sync_every) ", on " (round.device.name) "."
        }
        pre tabindex="0" { code { (console::block(stress)) } }
        @if stress.timeline.is_some() { h3 { "What ran when" } (pictures::timeline(stress)) }
        @if stress.latency.is_some() { h3 { "Latency of an operation" } (pictures::latency(stress)) }
        p.faint { "Digest of the compared values: " code { (stress.values_digest) } }
    }
}

fn counters(title: &str, counters: &[Counter]) -> Markup {
    let rows = counters.iter().map(|counter| {
        let hits = match (counter.hits, counter.claimed, counter.forbidden) {
            (0, true, _) => badge("bad", "0, claimed"),
            (0, _, true) => badge("good", "must be 0"),
            (0, false, false) => badge("off", "Not reached"),
            (hits, _, true) => badge("bad", &thousands(hits)),
            (hits, ..) => html! { span.number { (thousands(hits)) } },
        };
        let claimed = if counter.claimed { "yes" } else { "no" };
        [html! { code { (counter.name) } }, hits, html! { (claimed) }]
    });
    html! {
        @if !counters.is_empty() {
            h3 { (title) }
            (table("Hit counters", ["Protocol step", "Hits", "Claimed"], rows.collect()))
        }
    }
}

fn closing(round: &Round) -> Markup {
    let trend = pictures::history(round);
    let (strong, rest) = wording::verdict(round);
    let rows = wording::binding(round).into_iter().map(|(name, text)| [html! { (name) }, html! { code { (text) } }]);
    html! {
        @if !trend.0.is_empty() {
            section.card {
                h2 { "Throughput history" }
                (trend)
                p.faint { "Operations per second. Disc: clean; square: findings; ring: incomplete." }
            }
        }
        @if !round.counters.is_empty() {
            section.card { (counters("Protocol steps of the round", &round.counters)) }
        }
        section.card { h2 { "Not covered" } ul { @for item in wording::not_covered(round) { li { (item) } } } }
        section.card {
            h2 { "Conclusion" }
            ol {
                @for attempt in &round.attempts {
                    @let (label, text) = wording::conclusion(attempt);
                    li { strong { (label) } ": " (text) }
                }
            }
            p class=(outcome(&round.result)) { strong { (strong) } (rest) }
        }
        section.card {
            h2 { "Subject and replay" }
            (table("What this round is bound to", ["Bound to", "Value"], rows.collect()))
            @if !round.replay.is_empty() { pre tabindex="0" { code { (round.replay) } } }
        }
    }
}

fn list(heading: &str, items: &[String]) -> Markup {
    html! { @if !items.is_empty() { h3 { (heading) } ul { @for item in items { li { (item) } } } } }
}

/// A table that becomes a list of rows on a narrow screen. The roles keep it a table for screen readers there.
fn table<const N: usize>(caption: &str, headings: [&str; N], rows: Vec<[Markup; N]>) -> Markup {
    html! {
        table role="table" {
            caption { (caption) }
            thead role="rowgroup" {
                tr role="row" { @for heading in headings { th scope="col" role="columnheader" { (heading) } } }
            }
            tbody role="rowgroup" {
                @for row in rows {
                    tr role="row" {
                        @for (heading, cell) in headings.iter().zip(row) {
                            td role="cell" data-label=(heading) { div { (cell) } }
                        }
                    }
                }
            }
        }
    }
}

fn badge(class: &str, text: &str) -> Markup {
    html! { span class=(format!("badge {class}")) { (text) } }
}

/// A path that may break after its slashes and before its line, and nowhere else.
fn location(text: &str) -> Markup {
    html! {
        code.location {
            @for part in text.split_inclusive('/') { (part) wbr; }
        }
    }
}

fn outcome(result: &RoundResult) -> String {
    format!("outcome {}", mood(result))
}

/// The class that colours a result.
fn mood(result: &RoundResult) -> &'static str {
    match result {
        RoundResult::Clean | RoundResult::CleanRepeat => "clean",
        RoundResult::Findings(_) => "findings",
        RoundResult::Incomplete(_) => "incomplete",
    }
}
