//! `millstream trace`: the file is what a viewer needs, whole or not there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::tool::Tool;

const SHORT: [&str; 7] = ["trace", "--threads", "4", "--iterations", "40", "--out", "t.json"];

/// A trace of a short run, its events by phase, and the summary.
struct Traced {
    phases: BTreeMap<String, Vec<Value>>,
    whole: Value,
    summary: Value,
}

fn traced(device: &str) -> Traced {
    let tool = Tool::new();
    let ran = tool.run(&[&SHORT[..], &["--device", device, "--json"]].concat()).ends(0);
    let left: Vec<_> = std::fs::read_dir(tool.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["t.json"], "nothing else is left");
    let text = std::fs::read_to_string(tool.folder.path().join("t.json")).unwrap();
    let summary = ran.objects().remove(0);
    assert_eq!(summary["bytes"], text.len());
    let whole: Value = serde_json::from_str(&text).unwrap();
    let mut phases: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for event in whole["traceEvents"].as_array().unwrap() {
        phases.entry(text_of(event, "ph")).or_default().push(event.clone());
    }
    Traced { phases, whole, summary }
}

fn text_of(event: &Value, key: &str) -> String {
    event[key].as_str().unwrap_or_default().to_owned()
}

/// A time of the file in whole nanoseconds, as a viewer reads it.
fn nanos(time: &Value) -> u64 {
    (time.as_f64().unwrap() * 1000.0).round() as u64
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

impl Traced {
    fn of(&self, phase: &str) -> &[Value] {
        self.phases.get(phase).map_or(&[], Vec::as_slice)
    }

    /// Names of the tracks of a group.
    fn tracks(&self, group: &str) -> BTreeMap<u64, String> {
        let names = |what| self.of("M").iter().filter(move |event| event["name"] == what);
        let group = names("process_name").find(|event| event["args"]["name"] == group).unwrap();
        let tracks = names("thread_name").filter(|event| event["pid"] == group["pid"]);
        tracks.map(|event| (number(&event["tid"]), text_of(&event["args"], "name"))).collect()
    }

    /// Slices of a group by track: begin, end, the event.
    fn slices(&self, pid: u64) -> BTreeMap<u64, Vec<(u64, u64, &Value)>> {
        let mut tracks: BTreeMap<u64, Vec<_>> = BTreeMap::new();
        for event in self.of("X").iter().filter(|event| event["pid"] == pid) {
            let begin = nanos(&event["ts"]);
            tracks.entry(number(&event["tid"])).or_default().push((begin, begin + nanos(&event["dur"]), event));
        }
        for slices in tracks.values_mut() {
            slices.sort_by_key(|slice| slice.0);
        }
        tracks
    }
}

#[test]
fn every_thread_and_every_stream_has_a_track_and_slices_of_a_stream_lie_apart() {
    for device in ["cpu", "cpu:queued"] {
        let traced = traced(device);
        let threads: BTreeSet<String> = traced.tracks("threads").into_values().collect();
        assert_eq!(threads, (0..4).map(|i| format!("stress-{i}")).collect());
        let (named, streams) = (traced.tracks("streams"), traced.slices(1_000_002));
        assert_eq!(named.keys().collect::<Vec<_>>(), streams.keys().collect::<Vec<_>>());
        assert!(named.iter().all(|(tid, name)| *name == format!("stream {}", tid - 1)), "{named:?}");
        for slices in streams.values() {
            for pair in slices.windows(2) {
                assert!(pair[0].1 <= pair[1].0, "{pair:?}");
                assert!(number(&pair[0].2["args"]["seq"]) < number(&pair[1].2["args"]["seq"]), "{pair:?}");
            }
        }
        let operations: usize = streams.values().map(Vec::len).sum();
        // Two draws, a product, a sum and a mean of each iteration at least.
        assert!(operations >= 4 * 40 * 5, "{operations}");
        assert_eq!(traced.summary["operations"], operations);
        assert_eq!(traced.summary["overwritten_records"], 0);
    }
}

#[test]
fn an_arrow_begins_in_the_slice_of_the_writer_and_ends_in_that_of_the_reader() {
    for device in ["cpu", "cpu:queued"] {
        let traced = traced(device);
        let streams = traced.slices(1_000_002);
        let at = |event: &Value, seq: &str| {
            let time = nanos(&event["ts"]);
            let slices = &streams[&number(&event["tid"])];
            let found = slices.iter().find(|(begin, end, _)| *begin <= time && time < *end);
            let (.., slice) = found.unwrap_or_else(|| panic!("no slice at the end of {event}"));
            assert_eq!(slice["args"]["seq"], event["args"][seq], "{event}");
            time
        };
        let (begins, ends) = (traced.of("s"), traced.of("f"));
        assert!(!begins.is_empty());
        assert_eq!(begins.len(), ends.len());
        for (begin, end) in begins.iter().zip(ends) {
            assert_eq!((&begin["id"], &end["bp"]), (&end["id"], &Value::from("e")));
            assert_ne!(begin["tid"], end["tid"], "an arrow goes from stream to stream");
            assert!(at(begin, "from") < at(end, "to"), "{begin} {end}");
        }
        let left_out = number(&traced.whole["otherData"]["hand_overs_left_out"]);
        assert_eq!(number(&traced.summary["hand_overs"]), begins.len() as u64 + left_out);
        assert!(left_out * 10 <= begins.len() as u64, "{left_out} of {} have no place", begins.len());
    }
}

#[test]
fn a_host_sync_says_why_and_the_line_that_asked_for_it() {
    let traced = traced("cpu:queued");
    let syncs: Vec<&Value> = traced.of("X").iter().filter(|event| event["cat"] == "host sync").collect();
    assert_eq!(traced.summary["host_syncs"], syncs.len());
    let block = concat!(env!("CARGO_MANIFEST_DIR"), "/../millstream-verify/src/workload/block.rs");
    let source = std::fs::read_to_string(block).unwrap();
    let mut seen = BTreeSet::new();
    for sync in syncs {
        let (reason, at) = (text_of(&sync["args"], "reason"), text_of(&sync["args"], "at"));
        let (file, line) = at.rsplit_once(':').unwrap();
        assert!(file.ends_with("workload/block.rs"), "{at}");
        let code = source.lines().nth(line.parse::<usize>().unwrap() - 1).unwrap();
        let calls = ["fingerprint()", "read_all", "synchronize()"];
        seen.extend(calls.into_iter().filter(|call| code.contains(call)).map(|call| (reason.clone(), call)));
        assert!(sync["args"]["waited"].is_boolean());
    }
    let expected = [("download", "fingerprint()"), ("download", "read_all"), ("stream", "synchronize()")];
    assert_eq!(seen, expected.map(|(reason, call)| (reason.to_owned(), call)).into());
}

#[test]
fn counters_show_the_memory_over_time_and_limbo_what_waits() {
    let traced = traced("cpu:queued");
    let mut counters: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
    for event in traced.of("C") {
        let points = counters.entry(text_of(event, "name")).or_default();
        points.push((nanos(&event["ts"]), number(&event["args"]["bytes"])));
    }
    let names: Vec<&str> = counters.keys().map(String::as_str).collect();
    assert_eq!(names, ["cached", "limbo", "live", "reserved"]);
    let most = |name: &str| counters[name].iter().map(|point| point.1).max().unwrap();
    // A thread holds two factors at least once.
    assert!(most("live") >= 2 * 256 * 256 * 4, "{}", most("live"));
    assert!(most("reserved") >= most("live") && most("cached") > 0);
    for points in counters.values() {
        assert!(points.windows(2).all(|pair| pair[0].0 <= pair[1].0), "in the order of time");
    }
    let (begins, ends) = (traced.of("b"), traced.of("e"));
    assert!(!begins.is_empty(), "hand-overs put blocks into limbo");
    assert_eq!(traced.summary["limbo_stays"], begins.len());
    let mut still_there = 0;
    for (begin, end) in begins.iter().zip(ends) {
        assert_eq!((&begin["id2"], &begin["name"]), (&end["id2"], &end["name"]));
        assert!(nanos(&begin["ts"]) <= nanos(&end["ts"]));
        let bytes = number(&begin["args"]["bytes"]);
        assert!(bytes > 0 && bytes <= most("limbo"), "{begin}");
        still_there += if begin["args"]["still_there"] == true { bytes } else { 0 };
    }
    assert_eq!(counters["limbo"].last().unwrap().1, still_there);
}

#[test]
fn a_file_that_cannot_be_written_is_known_before_the_run_and_nothing_is_left() {
    let tool = Tool::new();
    for out in ["absent/t.json", ".", "..", "/"] {
        tool.run(&["trace", "--out", out]).refuses(73, &["cannot write", out, "--out"]);
    }
    tool.run(&["trace", "--threads", "0"]).refuses(64, &["--threads", "1..=1024"]);
    tool.run(&["trace", "--device", "cuda:7"]).refuses(69, &["cuda:7", "not available"]);
    assert_eq!(std::fs::read_dir(tool.folder.path()).unwrap().count(), 0);
}

#[test]
fn the_text_names_the_file_and_an_old_one_is_replaced() {
    let tool = Tool::new();
    std::fs::write(tool.folder.path().join("t.json"), "old").unwrap();
    let ran = tool.run(&SHORT).ends(0);
    assert!(ran.out.contains("4 threads x 40 iterations") && ran.out.contains("Trace: t.json ("), "{}", ran.out);
    assert!(std::fs::read_to_string(tool.folder.path().join("t.json")).unwrap().starts_with('{'));
}
