//! A short sample of what ran when, for the picture: the moment with the most hand-overs and operations.

use millstream::{Device, Trace};

use crate::model::{Handover, Lane, Span, Timeline};

/// Length of the sample, in microseconds, and most spans of it.
const SAMPLE_US: f64 = 1_200.0;
const SAMPLE_SPANS: usize = 400;
/// An arrow counts as much as this many operations where the moment is chosen.
const ARROW: usize = 8;

/// The sample of what the profiler's rings of `device` hold.
pub(super) fn timeline(device: &Device) -> Timeline {
    let trace = device.trace();
    let mut operations: Vec<_> = trace.spans.iter().filter(|span| !span.host_sync).collect();
    operations.sort_by(|one, other| one.start_us.total_cmp(&other.start_us));
    let arrows = arrows(&trace);
    let starts: Vec<f64> = operations.iter().map(|span| span.start_us).collect();
    let Some(from) = richest(&starts, &arrows) else { return Timeline::default() };
    let to = from + SAMPLE_US;
    let mut timeline = Timeline::default();
    for span in operations.iter().filter(|span| span.start_us >= from && span.end_us < to).take(SAMPLE_SPANS) {
        let stream = u32::from(span.stream);
        let at = match timeline.lanes.iter().position(|lane| lane.stream == stream) {
            Some(at) => at,
            None => {
                timeline.lanes.push(Lane { stream, spans: Vec::new() });
                timeline.lanes.len() - 1
            }
        };
        timeline.lanes[at].spans.push(Span {
            start_us: span.start_us - from,
            end_us: span.end_us - from,
            name: span.name.to_owned(),
            thread: u64::from(span.thread),
        });
    }
    timeline.lanes.sort_by_key(|lane| lane.stream);
    let inside = arrows.into_iter().filter(|arrow| arrow.from_us >= from && arrow.to_us < to);
    timeline.handovers =
        inside.map(|arrow| Handover { from_us: arrow.from_us - from, to_us: arrow.to_us - from, ..arrow }).collect();
    timeline
}

/// From the end of the operation that wrote a tensor to its use on another stream; what the rings no longer hold has no arrow.
fn arrows(trace: &Trace) -> Vec<Handover> {
    let written = |stream: u16, seq: u64| {
        trace.spans.iter().find(|span| span.stream == stream && span.seq == seq).map(|s| s.end_us)
    };
    let drawn = trace.arrows.iter().filter_map(|arrow| {
        let from_us = written(arrow.from.0, arrow.from.1)?;
        Some(Handover {
            from_stream: u32::from(arrow.from.0),
            from_us,
            to_stream: u32::from(arrow.to.0),
            to_us: arrow.at_us.max(from_us),
        })
    });
    drawn.collect()
}

/// Where the sample begins.
fn richest(operations: &[f64], arrows: &[Handover]) -> Option<f64> {
    let begins = arrows.iter().map(|arrow| arrow.from_us - 100.0);
    let begins = begins.chain(operations.get(operations.len() / 2).copied());
    let score = |from: f64| {
        let within = |us: f64| operations.partition_point(|start| *start < us);
        let inside = arrows.iter().filter(|arrow| arrow.from_us >= from && arrow.to_us < from + SAMPLE_US);
        within(from + SAMPLE_US) - within(from) + ARROW * inside.count()
    };
    begins.max_by_key(|from| score(*from))
}
