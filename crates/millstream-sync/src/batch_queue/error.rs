//! Why a request has no output.

use std::fmt;

/// Why a request has no output. Each is the business of that caller alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchError<E> {
    /// So many requests wait already: come back later.
    Overloaded {
        /// Most requests that wait.
        capacity: usize,
    },
    /// The timeout of the call has passed.
    Expired,
    /// The queue drains or was aborted.
    Closed,
    /// The work panicked on this input, run by itself; the message.
    Panicked(String),
    /// Called in a forked child: the workers are in its parent.
    Forked,
    /// Called from inside a call of the runtime, such as a callback that it makes.
    Reentered,
    /// The work's own error for this input, run by itself.
    Work(E),
}

impl<E: fmt::Display> fmt::Display for BatchError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overloaded { capacity } => write!(f, "{capacity} requests wait already"),
            Self::Expired => f.write_str("the timeout of the call has passed"),
            Self::Closed => f.write_str("the queue takes no more requests"),
            Self::Panicked(text) => write!(f, "the work panicked: {text}"),
            Self::Forked => f.write_str("the queue was made before the process was forked"),
            Self::Reentered => f.write_str("called from inside a call of the runtime"),
            Self::Work(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for BatchError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // Its text is that of the error: the source is what lies below.
            Self::Work(error) => error.source(),
            _ => None,
        }
    }
}
