//! Where slices lie on the tracks of streams, and where arrows begin and end in them.
//!
//! A viewer draws slices of one track inside each other or beside each other, never overlapping, and binds the end of an arrow to the slice that lies there at its time. A span is
//! measured on the thread that submits; where two threads share a stream, one span holds the wait for the other. So on a stream's track a slice begins where the one before it ends, at the earliest.
//! Times are whole nanoseconds: what is written is what a viewer compares.
//!
//! **Invariants**
//! * `apart`: slices of one stream do not overlap and each has a nanosecond at least.
//! * `bound`: an arrow begins strictly before its end, in the slice of its writer, and ends in that of its reader.

use std::collections::HashMap;

use super::{Arrow, Span};

/// Most that an arrow begins before the end of its writer's slice, and ends after the beginning of its reader's.
const INSET_NS: u64 = 1000;

/// A slice of a stream's track, in nanoseconds from the opening of the device: `end` is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) begin: u64,
    pub(super) end: u64,
}

pub(super) fn nanos(micros: f64) -> u64 {
    (micros * 1000.0).round() as u64
}

/// The slices of all operations, by stream and position.
pub(super) fn lay(spans: &[Span]) -> HashMap<(u16, u64), Slice> {
    let mut operations: Vec<&Span> = spans.iter().filter(|span| !span.host_sync).collect();
    operations.sort_by_key(|span| (span.stream, span.seq));
    let mut slices = HashMap::with_capacity(operations.len());
    let mut before = (None, 0);
    for span in operations {
        let free_from = if before.0 == Some(span.stream) { before.1 } else { 0 };
        let begin = nanos(span.start_us).max(free_from);
        let end = nanos(span.end_us).max(begin + 1);
        slices.insert((span.stream, span.seq), Slice { begin, end });
        before = (Some(span.stream), end);
    }
    slices
}

/// When `arrow` begins and ends. `None`: a slice has been overwritten, or the reader's ends before the writer's begins.
pub(super) fn ends(arrow: &Arrow, slices: &HashMap<(u16, u64), Slice>) -> Option<(u64, u64)> {
    let (writer, reader) = (slices.get(&arrow.from)?, slices.get(&arrow.to)?);
    let inset = |slice: &Slice| INSET_NS.min((slice.end - slice.begin) / 2);
    let end = (reader.begin + inset(reader)).max(writer.begin + 1);
    let begin = (writer.end - 1 - inset(writer).min(writer.end - 1 - writer.begin)).min(end - 1);
    (end < reader.end && begin >= writer.begin).then_some((begin, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(stream: u16, seq: u64, start_us: f64, end_us: f64) -> Span {
        Span { name: "x", thread: 1, stream, seq, start_us, end_us, host_sync: false, waited: false, at: None }
    }

    fn arrow(from: (u16, u64), to: (u16, u64)) -> Arrow {
        Arrow { from, to, at_us: 0.0, waited: true }
    }

    #[test]
    fn spans_of_two_threads_on_one_stream_do_not_overlap_on_its_track() {
        // The second thread waited for the first one's submission; the third operation was done by the second thread.
        let spans = [span(0, 1, 0.0, 10.0), span(0, 2, 1.0, 12.0), span(0, 3, 2.0, 11.0), span(1, 1, 3.0, 4.0)];
        let slices = lay(&spans);
        assert_eq!(slices[&(0, 2)], Slice { begin: 10_000, end: 12_000 });
        assert_eq!(slices[&(0, 3)], Slice { begin: 12_000, end: 12_001 });
        assert_eq!(slices[&(1, 1)], Slice { begin: 3_000, end: 4_000 });
    }

    #[test]
    fn an_arrow_lies_in_both_slices_however_short_they_are() {
        let spans = [span(0, 1, 0.0, 10.0), span(0, 2, 10.0, 10.0), span(1, 1, 10.1, 30.0), span(1, 2, 30.0, 30.0)];
        let slices = lay(&spans);
        for (from, to) in [((0, 1), (1, 1)), ((0, 2), (1, 1)), ((0, 2), (1, 2)), ((0, 1), (1, 2))] {
            let (begin, end) = ends(&arrow(from, to), &slices).unwrap();
            let (writer, reader) = (slices[&from], slices[&to]);
            assert!(writer.begin <= begin && begin < writer.end, "{begin} {writer:?}");
            assert!(reader.begin <= end && end < reader.end && begin < end, "{end} {reader:?}");
        }
        assert_eq!(ends(&arrow((0, 1), (1, 1)), &slices), Some((8_999, 11_100)));
        assert_eq!(ends(&arrow((0, 9), (1, 1)), &slices), None, "overwritten");
        assert_eq!(ends(&arrow((1, 2), (0, 1)), &slices), None, "backwards");
    }
}
