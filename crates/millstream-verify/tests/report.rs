//! The reports of hand-made rounds.

mod fixture;

use millstream_verify::model::{ConsecutiveClean, Round, RoundResult};
use millstream_verify::{Error, report};

/// Headings, bold labels, heads of tables and numbered lines: the shape of a report without its figures.
fn outline(markdown: &str) -> Vec<String> {
    let mut outline = Vec::new();
    let lines: Vec<&str> = markdown.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let table_head = lines.get(index + 1).is_some_and(|next| next.starts_with("|--"));
        let numbered = line.starts_with(|c: char| c.is_ascii_digit()) && line.contains(". **");
        if line.starts_with('#') || table_head {
            outline.push((*line).to_owned());
        } else if line.starts_with("**") || numbered {
            let end = line.find("**:").or_else(|| line.find("** ")).map(|end| end + 2);
            let end = end.or_else(|| line.find(":**")).unwrap_or(line.len());
            outline.push(line[..end].to_owned());
        }
    }
    outline
}

#[test]
fn markdown_has_the_outline_of_the_first_report() {
    let markdown = report::markdown(&fixture::round());
    let expected: Vec<&str> = include_str!("outline.txt").lines().collect();
    assert_eq!(outline(&markdown), expected);
}

#[test]
fn markdown_has_the_lines_that_readers_look_for() {
    let markdown = report::markdown(&fixture::round());
    for line in [
        "**Iteration**: N=2497",
        "**Result**: CLEAN - No bugs found after 3 rigorous verification attempts",
        "Starting 20-thread extended duration stress test (500 iterations each)...",
        "- Sync: Every 50 iterations",
        "After 3 rigorous verification attempts:",
        "**NO BUGS FOUND** in 3 attempts.",
        "**Consecutive clean rounds**: 5 (N=2492, N=2493, N=2495, N=2496, N=2497)",
        "not counted: N=2494 (binary older than its source)",
        "- not reached: DeviceState -> StreamSlots at runtime/src/shutdown.rs:61-66",
        "- not reached: lease_wait",
    ] {
        assert!(markdown.lines().any(|found| found == line), "{line}");
    }
    assert!(!markdown.to_lowercase().contains("proven"));
}

#[test]
fn a_step_is_not_reached_when_no_attempt_of_the_round_took_it() {
    let mut round = fixture::round();
    for text in [report::markdown(&round), report::html(&round)] {
        assert!(text.contains("not reached: lease_wait"), "no attempt waited for a lease");
        assert!(!text.contains("not reached: steal"), "another attempt than the stress stole");
        assert!(!text.contains("not reached: double_return"), "a step that must not happen is not missing");
    }
    assert!(report::markdown(&round).contains("| double_return | 0 (must be 0) | no |"));
    round.counters.clear();
    assert!(report::markdown(&round).contains("- not reached: steal\n"), "a round without totals says what it has");
}

#[test]
fn a_figure_that_a_probe_measured_stands_beside_it() {
    let mut round = fixture::round();
    round.attempts[0].patterns[0].probes[0].detail = "longest turn 12 ms".to_owned();
    assert!(report::markdown(&round).contains("passed (longest turn 12 ms)"));
}

#[test]
fn findings_are_told_and_no_bug_free_sentence_remains() {
    let round = fixture::with_findings();
    let markdown = report::markdown(&round);
    assert!(markdown.contains("\n## Findings\n"));
    assert!(markdown.contains("killed after 30 s"));
    assert!(markdown.contains("hung \\| killed"), "a bar in a cell is escaped");
    assert!(markdown.contains("**2 FINDINGS** in 3 attempts."));
    assert!(markdown.contains("**Consecutive clean rounds**: 0\n"));
    assert!(markdown.contains("**Note**: REGRESSION - "));
    for text in [&markdown, &report::html(&round)] {
        assert!(!text.contains("NO BUGS FOUND") && !text.contains("No bugs found"));
    }
}

#[test]
fn incomplete_round_gives_its_reason_and_claims_nothing() {
    let mut round = fixture::round();
    round.result = RoundResult::Incomplete("counter limbo at zero".to_owned());
    round.consecutive_clean = ConsecutiveClean::default();
    let markdown = report::markdown(&round);
    assert!(markdown.contains("**Result**: INCOMPLETE - counter limbo at zero\n"));
    assert!(markdown.contains("**INCOMPLETE**: counter limbo at zero."));
    assert!(!markdown.contains("NO BUGS FOUND"));
}

#[test]
fn json_round_trips_and_omits_what_does_not_apply() {
    for round in [fixture::round(), fixture::with_findings()] {
        let text = report::json(&round).unwrap();
        assert!(report::from_json(&text).unwrap() == round);
        let line = report::json_line(&round).unwrap();
        assert!(!line.contains('\n'));
        assert!(report::from_json(&line).unwrap() == round);
    }
    let value: serde_json::Value = serde_json::from_str(&report::json(&fixture::round()).unwrap()).unwrap();
    assert_eq!(value["schema"], "millstream.round/1");
    assert_eq!(value["result"], "CLEAN");
    assert_eq!(value["attempts"][1]["sites"][5]["status"], "Not reached");
    assert_eq!(value["consecutive_clean"]["not_counted"][0]["n"], 2494);
    assert_eq!(value["attempts"][2]["stress"]["values_compared"], 20_200);
    let first = value["attempts"][0].as_object().unwrap();
    for absent in ["stress", "sites", "graph", "isolated", "order", "counters"] {
        assert!(!first.contains_key(absent), "{absent}");
    }
}

#[test]
fn other_schema_and_other_text_are_typed_errors() {
    let error = report::from_json("{\"schema\":\"millstream.round/9\"}").unwrap_err();
    assert!(matches!(error, Error::Schema { .. }), "{error}");
    assert_eq!(error.exit_code(), 65);
    let error = report::from_json("{\"schema\":").unwrap_err();
    assert!(matches!(error, Error::NotARound { .. }), "{error}");
    assert_eq!(error.exit_code(), 65);
}

#[test]
fn junit_has_a_case_per_probe_and_fails_what_failed() {
    let clean = report::junit(&fixture::round()).unwrap();
    assert!(clean.contains("failures=\"0\" errors=\"0\""), "{clean}");
    assert!(clean.contains("name=\"CURRENT_STREAM: churn\" classname=\"millstream.thread_local\""));
    assert_eq!(clean.matches("<skipped").count(), 2, "a probe and a call site were not reached");
    let bad = report::junit(&fixture::with_findings()).unwrap();
    // The round, two findings, the probe, the call site.
    assert_eq!(bad.matches("<failure").count(), 5);
    let mut round = fixture::round();
    round.attempts[2].counters[0].hits = 0;
    assert_eq!(report::junit(&round).unwrap().matches("<error").count(), 1, "claimed, not hit");
}

#[test]
fn page_is_self_contained_and_its_pictures_are_described() {
    let page = report::html(&fixture::round());
    assert_eq!(page.matches("href=").count(), page.matches("href=\"#").count(), "links lead within the page");
    for outside in ["src=", "@import", "url(http", "<script", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    // The one address is the name of the SVG format.
    assert_eq!(page.matches("http").count(), page.matches("http://www.w3.org/2000/svg").count());
    let pictures = page.matches("<svg").count();
    assert_eq!(pictures, 5, "streak, lock graph, timeline, latency, history");
    for part in ["</svg>", "role=\"img\"", "</desc>"] {
        assert_eq!(page.matches(part).count(), pictures, "{part}");
    }
    assert!(page.contains("prefers-color-scheme: dark"));
    assert_eq!(page.matches("<h1>").count(), 1);
    assert!(page.contains(">Not reached<"));
}

#[test]
fn text_from_a_round_cannot_become_markup() {
    let mut round = fixture::with_findings();
    round.findings[0].text = "<script>alert(1)</script>".to_owned();
    round.device.name = "\"><img>".to_owned();
    let page = report::html(&round);
    assert!(!page.contains("<script") && !page.contains("<img"));
}

#[test]
fn pictures_survive_odd_figures() {
    let mut round: Round = fixture::round();
    let stress = round.attempts[2].stress.as_mut().unwrap();
    stress.p99_us = f64::NAN;
    let timeline = stress.timeline.as_mut().unwrap();
    timeline.lanes[0].spans.clear();
    timeline.handovers[0].to_stream = 99;
    stress.latency.as_mut().unwrap().buckets.truncate(1);
    round.history[0].ops_per_second = Some(f64::INFINITY);
    let graph = round.attempts[1].graph.as_mut().unwrap();
    graph.edges[0].taken = graph.edges[0].held.clone();
    let page = report::html(&round);
    assert!(!page.contains("\"NaN") && !page.contains("inf,") && !page.contains("NaN,"));
}

#[test]
fn four_files_are_written_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let nested = folder.path().join("verification");
    for _ in 0..2 {
        let paths = report::write_all(&nested, &report::stem(2497), &fixture::round()).unwrap();
        let names: Vec<_> = paths.iter().map(|p| p.file_name().unwrap().to_str().unwrap()).collect();
        let expected = ["round-N2497.md", "round-N2497.json", "round-N2497.html", "round-N2497.junit.xml"];
        assert_eq!(names, expected);
    }
    assert_eq!(std::fs::read_dir(&nested).unwrap().count(), 4);
    let file = nested.join("round-N2497.md");
    let error = report::write_all(&file, "x", &fixture::round()).unwrap_err();
    assert_eq!(error.exit_code(), 73);
}
