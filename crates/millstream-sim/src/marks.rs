//! Marks: the positions that events stand for, kept as long as an event or a queued operation refers to them.

use millstream_sync::Arc;

use crate::clock::VectorClock;

/// Number of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MarkId(usize);

/// One recorded position.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mark {
    references: u32,
    /// Set when the stream has reached it: what the stream knew there, and the device's clock.
    pub(crate) reached: Option<(Arc<VectorClock>, u64)>,
    /// Whether the position was lost by a failure. Set when it is reached.
    pub(crate) poisoned: bool,
    /// Times that it still answers `Pending` though reached.
    pub(crate) slow: u32,
}

/// All marks.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    all: Vec<Mark>,
    free: Vec<usize>,
}

impl Marks {
    /// A mark that was not reached, with `references` references.
    pub(crate) fn add(&mut self, references: u32, slow: u32) -> MarkId {
        let mark = Mark { references, reached: None, poisoned: false, slow };
        if let Some(at) = self.free.pop() {
            self.all[at] = mark;
            return MarkId(at);
        }
        self.all.push(mark);
        MarkId(self.all.len() - 1)
    }

    pub(crate) fn hold(&mut self, id: MarkId) {
        self.all[id.0].references += 1;
    }

    pub(crate) fn drop(&mut self, id: MarkId) {
        let mark = &mut self.all[id.0];
        mark.references -= 1;
        if mark.references == 0 {
            mark.reached = None;
            self.free.push(id.0);
        }
    }

    pub(crate) fn of(&self, id: MarkId) -> &Mark {
        &self.all[id.0]
    }

    pub(crate) fn of_mut(&mut self, id: MarkId) -> &mut Mark {
        &mut self.all[id.0]
    }

    pub(crate) fn is_reached(&self, id: MarkId) -> bool {
        self.all[id.0].reached.is_some()
    }
}
