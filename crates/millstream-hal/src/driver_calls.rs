//! Calls of a vendor's driver, counted.

/// Calls that a backend has made of the driver below it, by what they ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DriverCalls {
    /// Enqueues: kernels, copies, marks, waits.
    pub enqueues: u64,
    /// Questions whether a mark is reached. A thread that waits asks again and again.
    pub questions: u64,
    /// All others: memory, streams, events, contexts.
    pub others: u64,
}

impl DriverCalls {
    /// Those made since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            enqueues: self.enqueues.saturating_sub(earlier.enqueues),
            questions: self.questions.saturating_sub(earlier.questions),
            others: self.others.saturating_sub(earlier.others),
        }
    }

    /// All of them.
    #[must_use]
    pub fn all(self) -> u64 {
        self.enqueues + self.questions + self.others
    }
}
