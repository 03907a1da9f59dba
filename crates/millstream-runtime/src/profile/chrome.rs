//! A trace as the viewers of the field read it: Chrome's trace-event JSON, which Perfetto opens too. One event a line.
//!
//! Format: "Trace Event Format" of the Chromium project: `M` names, `X` slices, `s` and `f` the ends of an arrow, `b` and `e` of what overlaps, `C` counters.

use std::collections::BTreeSet;
use std::io;

use serde_json::{Value, json};

use super::tracks::{self, nanos};
use super::{LimboStay, Span, Trace};

/// The groups of tracks. A track with the number of its group would be called a main thread.
const THREADS: u32 = 1_000_001;
const STREAMS: u32 = 1_000_002;
const MEMORY: u32 = 1_000_003;

/// Events, one a line, with commas between.
struct Events<W> {
    out: W,
    any: bool,
}

impl<W: io::Write> Events<W> {
    fn put(&mut self, event: &Value) -> io::Result<()> {
        self.out.write_all(if self.any { b",\n" } else { b"\n" })?;
        self.any = true;
        serde_json::to_writer(&mut self.out, event)?;
        Ok(())
    }

    fn name(&mut self, what: &str, pid: u32, tid: u32, name: &str) -> io::Result<()> {
        self.put(&json!({"ph": "M", "name": what, "pid": pid, "tid": tid, "args": {"name": name}}))
    }

    fn order(&mut self, what: &str, pid: u32, tid: u32, index: u32) -> io::Result<()> {
        self.put(&json!({"ph": "M", "name": what, "pid": pid, "tid": tid, "args": {"sort_index": index}}))
    }

    /// A viewer shows the name of the counter and that of the figure, together.
    fn counter(&mut self, name: &str, at: u64, bytes: usize) -> io::Result<()> {
        self.put(&json!({"ph": "C", "name": name, "pid": MEMORY, "ts": micros(at), "args": {"bytes": bytes}}))
    }
}

/// As the format wants it; whole nanoseconds stay what they are.
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}

/// A stream's track: 0 means the idle thread to some viewers.
fn track(stream: u16) -> u32 {
    u32::from(stream) + 1
}

impl Trace {
    /// Writes the trace as one JSON object: a track for each thread and for each stream, an arrow for each hand-over, the stays in limbo, and counters of the memory where it was sampled.
    /// An arrow whose slices have been overwritten is left out. Errors: those of `out`.
    pub fn write_chrome(&self, mut out: impl io::Write) -> io::Result<()> {
        out.write_all(b"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")?;
        let mut events = Events { out: &mut out, any: false };
        for (pid, name) in [(THREADS, "threads"), (STREAMS, "streams"), (MEMORY, "memory")] {
            events.name("process_name", pid, 0, name)?;
            events.order("process_sort_index", pid, 0, pid)?;
        }
        for (thread, name) in &self.threads {
            events.name("thread_name", THREADS, *thread, name)?;
        }
        let streams: BTreeSet<u16> = self.spans.iter().filter(|s| !s.host_sync).map(|s| s.stream).collect();
        for stream in streams {
            events.name("thread_name", STREAMS, track(stream), &format!("stream {stream}"))?;
            events.order("thread_sort_index", STREAMS, track(stream), track(stream))?;
        }
        let left_out = self.put_slices_and_arrows(&mut events)?;
        self.put_limbo(&mut events)?;
        self.put_counters(&mut events)?;
        let other = json!({"overwritten_records": self.overwritten, "hand_overs_left_out": left_out});
        writeln!(out, "\n],\"otherData\":{other}}}")?;
        out.flush()
    }

    /// Returns how many arrows have no place.
    fn put_slices_and_arrows<W: io::Write>(&self, events: &mut Events<W>) -> io::Result<usize> {
        let slices = tracks::lay(&self.spans);
        for span in &self.spans {
            events.put(&on_thread(span))?;
            let slice = (!span.host_sync).then(|| slices.get(&(span.stream, span.seq))).flatten();
            if let Some(slice) = slice {
                events.put(&json!({
                    "ph": "X", "name": span.name, "cat": "operation", "pid": STREAMS, "tid": track(span.stream), "ts": micros(slice.begin),
                    "dur": micros(slice.end - slice.begin), "args": {"seq": span.seq, "thread": span.thread},
                }))?;
            }
        }
        let mut left_out = 0;
        for (id, arrow) in self.arrows.iter().enumerate() {
            let Some((begin, end)) = tracks::ends(arrow, &slices) else {
                left_out += 1;
                continue;
            };
            let args = json!({"from": arrow.from.1, "to": arrow.to.1, "device_waits": arrow.waited});
            events.put(&json!({
                "ph": "s", "id": id, "name": "hand-over", "cat": "hand-over", "pid": STREAMS, "tid": track(arrow.from.0), "ts": micros(begin), "args": args,
            }))?;
            // "e": the arrow ends in the slice that lies there, not in the next one that begins.
            events.put(&json!({
                "ph": "f", "bp": "e", "id": id, "name": "hand-over", "cat": "hand-over", "pid": STREAMS, "tid": track(arrow.to.0), "ts": micros(end), "args": args,
            }))?;
        }
        Ok(left_out)
    }

    fn put_limbo<W: io::Write>(&self, events: &mut Events<W>) -> io::Result<()> {
        let last = self.end();
        for stay in &self.limbo {
            let (foreign, seq) = stay.waits_for;
            let args = json!({
                "bytes": stay.bytes, "stream": stay.stream, "waits_for_stream": foreign, "waits_for_seq": seq,
                "still_there": stay.left_us.is_none(),
            });
            let (begin, end) = lasts(stay, last);
            // Local: the bars belong to this group.
            let id = json!({"local": format!("{:#x}", stay.ticket)});
            for (phase, at) in [("b", begin), ("e", end)] {
                events.put(&json!({
                    "ph": phase, "id2": id, "name": "limbo", "cat": "limbo", "pid": MEMORY, "tid": 1, "ts": micros(at), "args": args,
                }))?;
            }
        }
        Ok(())
    }

    /// Live, cached and reserved bytes as they were sampled; bytes in limbo at each coming and going, as far back as all of them are known.
    fn put_counters<W: io::Write>(&self, events: &mut Events<W>) -> io::Result<()> {
        for sample in &self.memory {
            let at = nanos(sample.at_us);
            events.counter("live", at, sample.live_bytes)?;
            events.counter("cached", at, sample.cached_bytes)?;
            events.counter("reserved", at, sample.reserved_bytes)?;
        }
        let (last, from) = (self.end(), nanos(self.limbo_from_us));
        let mut changes: Vec<(u64, i64)> = Vec::new();
        for stay in &self.limbo {
            let (begin, end) = lasts(stay, last);
            changes.push((begin, stay.bytes as i64));
            if stay.left_us.is_some() {
                changes.push((end, -(stay.bytes as i64)));
            }
        }
        // Of one moment those that leave come first.
        changes.sort_unstable();
        events.counter("limbo", from, 0)?;
        let mut bytes = 0;
        for (at, change) in changes {
            bytes += change;
            if at >= from {
                events.counter("limbo", at, usize::try_from(bytes).unwrap_or(0))?;
            }
        }
        Ok(())
    }

    /// The last moment that the trace knows.
    fn end(&self) -> u64 {
        let spans = self.spans.iter().map(|span| span.end_us);
        let stays = self.limbo.iter().map(|stay| stay.left_us.unwrap_or(stay.entered_us));
        let samples = self.memory.iter().map(|sample| sample.at_us);
        nanos(spans.chain(stays).chain(samples).fold(0.0, f64::max))
    }
}

/// A span on the track of its thread.
fn on_thread(span: &Span) -> Value {
    let (begin, end) = (nanos(span.start_us), nanos(span.end_us));
    let mut args = json!({"stream": span.stream, "seq": span.seq});
    let mut name = span.name.to_owned();
    if span.host_sync {
        name = format!("host sync: {name}");
        args["reason"] = span.name.into();
        args["waited"] = span.waited.into();
        args["at"] = span.at.map(|at| format!("{}:{}", at.file(), at.line())).into();
    }
    json!({
        "ph": "X", "name": name, "cat": if span.host_sync { "host sync" } else { "operation" }, "pid": THREADS, "tid": span.thread,
        "ts": micros(begin), "dur": micros(end.saturating_sub(begin)), "args": args,
    })
}

/// From when to when a stay lasts; one that has not ended lasts to the end of the trace.
fn lasts(stay: &LimboStay, last: u64) -> (u64, u64) {
    let begin = nanos(stay.entered_us);
    (begin, stay.left_us.map_or(last, nanos).max(begin))
}
