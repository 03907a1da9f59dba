//! What an allocation tried before it gave up.

/// A rung of the ladder, in the order in which they are climbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// Blocks freed on other threads.
    Inbox,
    /// The stream's own free blocks, and segments at rest.
    OwnPool,
    /// Freed blocks whose users have completed.
    Limbo,
    /// Free blocks of streams that nobody holds.
    IdlePools,
    /// A new segment within the budget.
    Grow,
    /// Free blocks of streams that have completed all their work.
    OtherPools,
    /// Idle threads' caches, and empty segments back to the device.
    Trim,
    /// A bounded wait for the streams.
    Wait,
}

impl Rung {
    fn name(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::OwnPool => "own pool",
            Self::Limbo => "limbo",
            Self::IdlePools => "idle pools",
            Self::Grow => "grow",
            Self::OtherPools => "other pools",
            Self::Trim => "trim",
            Self::Wait => "wait",
        }
    }
}

/// The report of an allocation that climbed the whole ladder: what each rung had, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ladder {
    rows: Vec<(Rung, usize)>,
}

impl Ladder {
    pub(super) fn note(&mut self, rung: Rung, bytes: usize) {
        self.rows.push((rung, bytes));
    }

    /// Each rung in the order climbed, with the bytes that it had to offer (too small or in pieces, or the allocation would have succeeded).
    #[must_use]
    pub fn rows(&self) -> &[(Rung, usize)] {
        &self.rows
    }
}

impl std::fmt::Display for Ladder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("tried ")?;
        for (i, (rung, bytes)) in self.rows.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}{} {bytes}", rung.name())?;
        }
        Ok(())
    }
}
