//! The tables of the page.

use maud::{Markup, html};

use super::pictures;
use super::wording::{plural, thousands};
use crate::model::{Attempt, Counter, Probe, ProbeStatus, SiteStatus};

pub(super) fn patterns(attempt: &Attempt) -> Markup {
    let rows = attempt.patterns.iter().map(|pattern| {
        [
            html! { strong { (pattern.pattern) } (location(&pattern.location)) },
            html! { (pattern.mechanism) },
            html! {
                @if pattern.probes.is_empty() { (badge("off", "Not reached")) }
                @for probe in &pattern.probes { (self::probe(probe)) }
            },
        ]
    });
    html! {
        @if !attempt.patterns.is_empty() {
            h3 { "Patterns and their probes" }
            (table("Patterns", ["Pattern", "Safety mechanism", "Probes"], rows.collect()))
        }
    }
}

/// What passed has a tick; what did not, a badge.
fn probe(probe: &Probe) -> Markup {
    let status = probe.status.to_string();
    html! {
        div.probe {
            @match probe.status {
                ProbeStatus::Passed => (passed()),
                ProbeStatus::Failed => (badge("bad", &status)),
                ProbeStatus::NotReached => (badge("off", &status)),
            }
            " " (probe.name) " " span.number { "×" (thousands(probe.runs)) }
            @if probe.child_process { " " span.faint { "own process" } }
            @if !probe.detail.is_empty() { " " span.faint { "(" (probe.detail) ")" } }
        }
    }
}

fn passed() -> Markup {
    html! { span.good aria-hidden="true" { "\u{2713}" } span.unseen { "passed" } }
}

pub(super) fn locks(attempt: &Attempt) -> Markup {
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

pub(super) fn configurations(attempt: &Attempt) -> Markup {
    let rows = attempt.configurations.iter().enumerate().map(|(index, row)| {
        [
            html! { span.number { (index + 1) } },
            html! { @for (name, value) in &row.choice { span.setting { (name) " " strong { (value) } } " " } },
            html! { span.number { (thousands(row.values_compared)) } },
            html! {
                @match row.status {
                    ProbeStatus::Passed => (passed()),
                    ProbeStatus::Failed => (badge("bad", "FAILED")),
                    ProbeStatus::NotReached => (badge("off", "Not reached")),
                }
                @if !row.detail.is_empty() { " " span.faint { "(" (row.detail) ")" } }
            },
        ]
    });
    html! {
        @if !attempt.configurations.is_empty() {
            h3 { "Configurations" }
            (table("Configurations", ["No.", "Settings", "Values", "Status"], rows.collect()))
        }
    }
}

/// The steps of a protocol: folded, unless one of them needs to be looked at.
pub(super) fn counters(title: &str, counters: &[Counter], open: bool) -> Markup {
    let rows = counters.iter().map(|counter| {
        let hits = match (counter.hits, counter.claimed, counter.forbidden) {
            (0, true, _) => badge("bad", "0, claimed"),
            (0, _, true) => badge("good", "0, must be 0"),
            (0, false, false) => badge("off", "Not reached"),
            (hits, _, true) => badge("bad", &thousands(hits)),
            (hits, ..) => html! { span.number { (thousands(hits)) } },
        };
        let claimed = if counter.claimed { "claimed" } else { "" };
        [html! { code { (counter.name) } }, hits, html! { span.faint { (claimed) } }]
    });
    let claimed = counters.iter().filter(|counter| counter.claimed).count() as u64;
    let wrong = counters.iter().any(|c| (c.claimed && c.hits == 0) || (c.forbidden && c.hits > 0));
    html! {
        @if !counters.is_empty() {
            details.steps open[open || wrong] {
                summary {
                    h3 { (title) } " "
                    span.faint { (plural(counters.len() as u64, "step")) ", " (thousands(claimed)) " claimed" }
                }
                (table("Hit counters", ["Protocol step", "Hits", "Claimed"], rows.collect()))
            }
        }
    }
}

pub(super) fn list(heading: &str, items: &[String]) -> Markup {
    html! { @if !items.is_empty() { h3 { (heading) } ul { @for item in items { li { (item) } } } } }
}

/// A table that becomes a list of rows on a narrow screen. The roles keep it a table for screen readers there.
pub(super) fn table<const N: usize>(caption: &str, headings: [&str; N], rows: Vec<[Markup; N]>) -> Markup {
    html! {
        table role="table" class=(caption.to_lowercase().replace(' ', "-")) {
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
pub(super) fn location(text: &str) -> Markup {
    html! {
        code.location {
            @for part in text.split_inclusive('/') { (part) wbr; }
        }
    }
}
