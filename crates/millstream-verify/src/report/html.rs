//! The round as one self-contained HTML page: the result large at the top, then pictures and the tables behind them.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::tables::{configurations, counters, list, location, locks, patterns, table};
use super::wording::{self, plural, thousands};
use super::{pictures, result_sentence};
use crate::console;
use crate::model::{Attempt, Round, RoundResult, Stress};
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
                    (coverage(round))
                    (closing(round))
                }
                footer { "Written by millstream. Every figure was measured in this round; nothing here is a proof." }
            }
        }
    };
    page.into_string()
}

fn hero(round: &Round) -> Markup {
    let sentence = result_sentence(round);
    let sentence = sentence.split_once(" - ").map_or(sentence.as_str(), |(_, rest)| rest);
    let clean = &round.consecutive_clean;
    html! {
        header {
            p.eyebrow { "Millstream verification round" }
            h1 { "Round " (round.iteration) }
            p.verdict { span.symbol aria-hidden="true" { (symbol(&round.result)) } " " (word(&round.result)) }
            p.lead { (sentence) "." }
            p.meta {
                time { (round.date.replace('T', " ").replace('Z', " UTC")) } " · " (round.device.name) " · " (plural(round.config.threads, "thread"))
                " · " (format!("{:.1} s", round.seconds))
            }
            @for note in &round.notes { p.note { strong { (note.kind) } " " (note.text) } }
            (key_figures(round))
            (overview(round))
            section.streak aria-label="Consecutive clean rounds" {
                h2 { "Consecutive clean rounds: " (clean.count) }
                (pictures::streak(clean))
                @if let Some(line) = streak::not_counted_line(clean) { p.faint { (line) } }
            }
        }
    }
}

/// Every attempt with its result, as the way to its section.
fn overview(round: &Round) -> Markup {
    html! {
        nav.overview aria-label="Attempts" {
            @for (index, attempt) in round.attempts.iter().enumerate() {
                a href=(format!("#attempt-{}", index + 1)) class=(mood(&attempt.result)) {
                    span.symbol aria-hidden="true" { (symbol(&attempt.result)) }
                    span { (attempt.title) }
                    @if !attempt.result.is_clean() { strong { (word(&attempt.result)) } }
                    span.faint { (format!("{:.1} s", attempt.seconds)) }
                }
            }
        }
    }
}

/// A result without its reason.
fn word(result: &RoundResult) -> String {
    match result {
        RoundResult::Incomplete(_) => "INCOMPLETE".to_owned(),
        other => other.to_string(),
    }
}

fn symbol(result: &RoundResult) -> &'static str {
    match result {
        RoundResult::Clean | RoundResult::CleanRepeat => "\u{2713}",
        RoundResult::Findings(_) => "\u{2717}",
        RoundResult::Incomplete(_) => "\u{2026}",
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
            html! {
                (finding.text)
                div.faint { "at " (location(&finding.location)) }
                pre.replay { code { (finding.replay) } }
            },
        ]
    });
    html! {
        @if !round.findings.is_empty() {
            section.card.alarm {
                h2 { "Findings" }
                (table("Findings", ["Id", "Attempt", "Finding"], rows.collect()))
            }
        }
    }
}

fn section(number: usize, attempt: &Attempt, round: &Round) -> Markup {
    html! {
        section.card id=(format!("attempt-{number}")) {
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
            @if let Some(soak) = &attempt.soak { h3 { "Window by window" } (pictures::soak(soak)) }
            (configurations(attempt))
            (counters("Protocol steps driven", &attempt.counters, false))
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
        @if stress.timeline.is_some() { h3 { "What ran when" }
            p.faint { "A moment of the part with hand-overs. An arrow goes from the end of the operation that wrote a tensor to the moment at which another stream asks for it." }
            (pictures::timeline(stress)) }
        @if stress.latency.is_some() { h3 { "Latency of an operation" } (pictures::latency(stress)) }
        p.faint { "Digest of the compared values: " code { (stress.values_digest) } }
    }
}

fn coverage(round: &Round) -> Markup {
    html! {
        @if let Some(coverage) = &round.coverage {
            section.card {
                h2 { "Settings that have run together" }
                p { (wording::coverage(coverage)) }
                (pictures::coverage(round))
                p.faint { "Full: in this round; small: in an earlier round; hollow: not yet." }
            }
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
            section.card { (counters("Protocol steps of the round", &round.counters, true)) }
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
