//! A trace as the viewers of the field read it: Chrome's trace-event JSON, which Perfetto opens too.

use std::io;

use serde_json::json;

use super::{Arrow, Span};

/// What the rings held when they were read.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Threads by number, with their names.
    pub threads: Vec<(u32, String)>,
    /// Operations and host waits, by start.
    pub spans: Vec<Span>,
    /// Waits of one stream for another.
    pub arrows: Vec<Arrow>,
}

impl Trace {
    /// Writes the trace as one JSON object: a track for each thread, one for each stream, and an arrow for each hand-over.
    /// Errors: those of `out`.
    pub fn write_chrome(&self, mut out: impl io::Write) -> io::Result<()> {
        const THREADS: u32 = 1;
        const STREAMS: u32 = 2;
        let mut events = vec![
            json!({"ph": "M", "name": "process_name", "pid": THREADS, "args": {"name": "threads"}}),
            json!({"ph": "M", "name": "process_name", "pid": STREAMS, "args": {"name": "streams"}}),
        ];
        for (thread, name) in &self.threads {
            events
                .push(json!({"ph": "M", "name": "thread_name", "pid": THREADS, "tid": thread, "args": {"name": name}}));
        }
        for span in &self.spans {
            let args = json!({"stream": span.stream, "seq": span.seq, "thread": span.thread});
            let event = |pid: u32, tid: u32| {
                json!({"ph": "X", "name": span.name, "cat": if span.host_wait { "host wait" } else { "operation" }, "pid": pid, "tid": tid,
                    "ts": span.start_us, "dur": span.end_us - span.start_us, "args": args})
            };
            events.push(event(THREADS, span.thread));
            if !span.host_wait {
                events.push(event(STREAMS, u32::from(span.stream)));
            }
        }
        for (id, arrow) in self.arrows.iter().enumerate() {
            let end = |ph: &str, (stream, _): (u16, u64)| json!({"ph": ph, "id": id, "name": "hand-over", "cat": "hand-over", "pid": STREAMS, "tid": stream, "ts": arrow.at_us, "bp": "e"});
            events.push(end("s", arrow.from));
            events.push(end("f", arrow.to));
        }
        serde_json::to_writer(&mut out, &json!({"displayTimeUnit": "ns", "traceEvents": events}))?;
        out.flush()
    }
}
