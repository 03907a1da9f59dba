//! A moment to give up at, on the clock that the thread lives by.
//!
//! A thread of a scheduled run has the clock of its schedule: the machine's would make the run depend on the machine. Under a model
//! checker there is no time, and no deadline passes.

use std::time::{Duration, Instant};

use crate::schedule;

/// When to give up.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Moment);

#[derive(Clone, Copy, Debug)]
enum Moment {
    Never,
    Machine(Instant),
    /// Since the start of the scheduled run.
    Schedule(Duration),
}

impl Deadline {
    /// Never.
    pub const NEVER: Self = Self(Moment::Never);

    /// `timeout` from now; `None`: never.
    #[must_use]
    pub fn after(timeout: Option<Duration>) -> Self {
        Self(match (timeout, schedule::now()) {
            _ if cfg!(any(millstream_loom, millstream_shuttle)) => Moment::Never,
            (None, _) => Moment::Never,
            (Some(timeout), Some(now)) => Moment::Schedule(now.saturating_add(timeout)),
            // A timeout beyond the end of the clock is none.
            (Some(timeout), None) => Instant::now().checked_add(timeout).map_or(Moment::Never, Moment::Machine),
        })
    }

    /// Time left; zero when it has passed, `None` when it never will.
    #[must_use]
    pub fn left(self) -> Option<Duration> {
        match self.0 {
            Moment::Never => None,
            Moment::Machine(at) => Some(at.saturating_duration_since(Instant::now())),
            // The schedule was given up: nobody waits any longer.
            Moment::Schedule(at) => Some(schedule::now().map_or(Duration::ZERO, |now| at.saturating_sub(now))),
        }
    }

    /// Whether it has passed.
    #[must_use]
    pub fn passed(self) -> bool {
        self.left() == Some(Duration::ZERO)
    }
}

/// An instant of the machine's clock; `None`: never. On a thread of a scheduled run what is left until then is counted on the clock of
/// the schedule, which makes the run depend on the machine: use [`Deadline::after`] there.
impl From<Option<Instant>> for Deadline {
    fn from(instant: Option<Instant>) -> Self {
        Self::after(instant.map(|at| at.saturating_duration_since(Instant::now())))
    }
}

#[cfg(all(test, not(any(millstream_loom, millstream_shuttle))))]
mod tests {
    use super::*;
    use crate::schedule::{Settings, run_with};

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_deadline_counts_down_on_the_clock_of_the_machine() {
        assert_eq!((Deadline::NEVER.left(), Deadline::NEVER.passed()), (None, false));
        assert_eq!(Deadline::after(None).left(), None);
        assert_eq!(Deadline::after(Some(Duration::MAX)).left(), None, "beyond the end of the clock");
        assert!(Deadline::after(Some(Duration::ZERO)).passed());
        let far = [Deadline::after(Some(HOUR)), Deadline::from(Instant::now().checked_add(HOUR))];
        for deadline in far {
            let left = deadline.left().expect("it will pass");
            assert!(left > HOUR / 2 && left <= HOUR && !deadline.passed(), "{left:?}");
        }
        assert!(Deadline::from(Some(Instant::now())).passed());
        assert_eq!(Deadline::from(None).left(), None);
    }

    #[test]
    fn a_deadline_of_a_scheduled_thread_counts_down_on_the_clock_of_its_schedule() {
        let body = || {
            let deadline = Deadline::after(Some(HOUR));
            let left = deadline.left().expect("it will pass");
            assert!(left <= HOUR && Deadline::after(Some(HOUR)).left() == Some(HOUR), "no time passes by itself");
            assert!(!deadline.passed() && Deadline::after(Some(Duration::ZERO)).passed());
        };
        let outcome = run_with(&Settings::new(1), vec![Box::new(body)]);
        assert!(outcome.is_clean(), "{:?}", outcome.panics);
    }
}
