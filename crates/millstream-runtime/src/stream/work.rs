//! What a submission enqueues: launches, or one operation between two devices.

use millstream_hal::{Backend, Launch, Launched, RawStream, Result};

/// One or several operations of a stream.
pub(crate) enum Work<'a> {
    /// At least one; their positions are written into them. Of several each has one input.
    Launches(&'a mut [Launch]),
    /// An operation that is no kernel: its name, and what enqueues it at a position.
    Between(&'static str, &'a dyn Fn(RawStream, u64) -> Result<()>),
}

impl Work<'_> {
    /// Enqueues from position `seq` on; how many operations, and whether the only one was kept, which is for a caller that enqueues nothing more.
    #[inline]
    pub(crate) fn enqueue(
        &mut self,
        backend: &dyn Backend,
        raw: RawStream,
        seq: u64,
        may_keep: bool,
    ) -> Result<(usize, Launched)> {
        let taken = match self {
            Self::Launches(launches) => {
                launches.iter_mut().zip(seq..).for_each(|(launch, seq)| launch.seq = seq);
                match &**launches {
                    [one] if may_keep => return backend.launch_or_keep(raw, one).map(|launched| (1, launched)),
                    [one] => backend.launch(raw, one).map(|()| 1)?,
                    several => backend.launch_joined(raw, several)?,
                }
            }
            Self::Between(_, enqueue) => enqueue(raw, seq).map(|()| 1)?,
        };
        Ok((taken, Launched::Queued))
    }

    /// What follows an enqueue, once nothing is held.
    #[inline]
    pub(crate) fn drive(&self, backend: &dyn Backend, raw: RawStream, launched: Launched) {
        match (launched, self) {
            (Launched::Kept, Self::Launches([one])) => backend.run_kept(raw, one),
            _ => backend.drive(raw),
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
