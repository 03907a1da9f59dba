//! What a submission enqueues: launches, or one operation between two devices.

use millstream_hal::{Backend, Launch, RawStream, Result};

/// One or several operations of a stream.
pub(crate) enum Work<'a> {
    /// At least one; their positions are written into them. Of several each has one input.
    Launches(&'a mut [Launch]),
    /// An operation that is no kernel: its name, and what enqueues it at a position.
    Between(&'static str, &'a dyn Fn(RawStream, u64) -> Result<()>),
}

impl Work<'_> {
    /// Enqueues from position `seq` on; how many operations.
    #[inline]
    pub(crate) fn enqueue(&mut self, backend: &dyn Backend, raw: RawStream, seq: u64) -> Result<usize> {
        match self {
            Self::Launches(launches) => {
                launches.iter_mut().zip(seq..).for_each(|(launch, seq)| launch.seq = seq);
                match &**launches {
                    [one] => backend.launch(raw, one).map(|()| 1),
                    several => backend.launch_joined(raw, several),
                }
            }
            Self::Between(_, enqueue) => enqueue(raw, seq).map(|()| 1),
        }
    }

    /// The name of one of its operations.
    #[inline]
    pub(crate) fn name(&self, at: usize) -> &'static str {
        match self {
            Self::Launches(launches) => launches[at].kernel.name(),
            Self::Between(name, _) => name,
        }
    }

    #[inline]
    pub(crate) fn is_one(&self) -> bool {
        !matches!(self, Self::Launches(launches) if launches.len() != 1)
    }
}
