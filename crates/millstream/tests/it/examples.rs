//! The numbered examples, run as they stand: what they claim they assert.

#[path = "../../examples/09_dlpack.rs"]
mod dlpack;
#[path = "../../examples/10_fault.rs"]
mod fault;
#[path = "../../examples/02_hand_over.rs"]
mod hand_over;
#[path = "../../examples/08_memory_snapshot.rs"]
mod memory_snapshot;
#[path = "../../examples/06_more_threads_than_streams.rs"]
mod more_threads_than_streams;
#[path = "../../examples/07_out_of_memory.rs"]
mod out_of_memory;
#[path = "../../examples/11_reclaimer.rs"]
mod reclaimer;
#[path = "../../examples/05_reductions.rs"]
mod reductions;
#[cfg(feature = "models")]
#[path = "../../examples/12_sentence_vectors.rs"]
mod sentence_vectors;
#[path = "../../examples/03_streams_events_trace.rs"]
mod streams_events_trace;
#[path = "../../examples/01_twenty_threads.rs"]
mod twenty_threads;
#[path = "../../examples/04_types_and_views.rs"]
mod types_and_views;

#[test]
fn twenty_threads_runs() {
    twenty_threads::main().unwrap();
}

#[test]
fn hand_over_runs() {
    hand_over::main().unwrap();
}

#[test]
fn streams_events_trace_runs() {
    streams_events_trace::main().unwrap();
}

#[test]
fn types_and_views_runs() {
    types_and_views::main().unwrap();
}

#[test]
fn reductions_runs() {
    reductions::main().unwrap();
}

#[test]
fn more_threads_than_streams_runs() {
    more_threads_than_streams::main().unwrap();
}

#[test]
fn out_of_memory_runs() {
    out_of_memory::main().unwrap();
}

#[test]
fn memory_snapshot_runs() {
    memory_snapshot::write_to(tempfile::tempdir().unwrap().path()).unwrap();
}

#[test]
fn dlpack_runs() {
    dlpack::main().unwrap();
}

#[test]
fn fault_runs() {
    fault::main().unwrap();
}

#[test]
fn reclaimer_runs() {
    reclaimer::main().unwrap();
}

#[cfg(feature = "models")]
#[test]
fn sentence_vectors_runs() {
    sentence_vectors::run(sentence_vectors::tiny()).unwrap();
}

/// The lines of the first Rust block in `text`, after `prefix`, without those that the documentation hides.
fn first_program(text: &str, prefix: &str) -> Vec<String> {
    let lines =
        text.lines().filter_map(|line| line.strip_prefix(prefix)).map(|line| line.strip_prefix(' ').unwrap_or(line));
    let inside = lines.skip_while(|line| !["```rust", "```"].contains(line)).skip(1).take_while(|line| *line != "```");
    inside.filter(|line| !line.starts_with("# ")).map(str::to_owned).collect()
}

#[test]
fn the_program_of_the_readme_is_the_one_that_is_compiled_as_documentation() {
    let readme = include_str!("../../../../README.md");
    let (_, readme) = readme.split_once("```rust").expect("the README has a program");
    let readme: Vec<&str> = readme.trim_start().lines().take_while(|line| *line != "```").collect();
    let doc = first_program(include_str!("../../src/lib.rs"), "//!");
    assert!(doc.len() > 10, "{doc:?}");
    assert_eq!(readme, doc);
}
