//! The trace: a line for each operation that ran and each injection, also into the trace of a scheduled run.

use std::fmt;

use millstream_sync::schedule;

/// Bytes of text kept; a soak must not fill the host's memory.
const TEXT_MAX: usize = 32 << 20;

/// The lines so far.
#[derive(Debug, Default)]
pub(super) struct Trace {
    text: String,
    lines: u64,
}

impl Trace {
    pub(super) fn line(&mut self, what: fmt::Arguments<'_>) {
        self.lines += 1;
        let scheduled = schedule::scheduled();
        if !scheduled && self.text.len() >= TEXT_MAX {
            return;
        }
        let line = format!("{} {what}", self.lines);
        if scheduled {
            schedule::log(&line);
        }
        if self.text.len() < TEXT_MAX {
            self.text.push_str(&line);
            self.text.push('\n');
        }
    }

    pub(super) fn text(&self) -> String {
        self.text.clone()
    }
}
