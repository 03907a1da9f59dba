//! How the host waits for an event: by asking again, at first at once, later after a sleep.
//!
//! The driver's own wait either keeps a core busy or takes tens of microseconds to wake, and has no timeout. Asking takes a lock of the driver, so there is a
//! pause between two questions, in which other threads may run.

use std::time::{Duration, Instant};

use millstream_sync::thread;

/// So long a waiter stays awake: about a batch of small operations.
const AWAKE: Duration = Duration::from_micros(500);
const SLEEP: Duration = Duration::from_micros(50);
/// Turns of an empty loop between two questions, about a microsecond.
const PAUSE: u32 = 40;

/// Asks until the answer is not `false` or `timeout` has passed; says whether it was `true`.
pub(crate) fn until<E>(timeout: Option<Duration>, mut ask: impl FnMut() -> Result<bool, E>) -> Result<bool, E> {
    if ask()? {
        return Ok(true);
    }
    let begun = Instant::now();
    loop {
        let passed = begun.elapsed();
        if timeout.is_some_and(|timeout| passed >= timeout) {
            return Ok(false);
        }
        if passed < AWAKE {
            (0..PAUSE).for_each(|_| std::hint::spin_loop());
            thread::yield_now();
        } else {
            thread::sleep(timeout.map_or(SLEEP, |timeout| SLEEP.min(timeout.saturating_sub(passed))));
        }
        if ask()? {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_asks_once_more_than_it_may_wait() {
        let mut asked = 0;
        let mut third = || {
            asked += 1;
            Ok::<_, ()>(asked == 3)
        };
        assert_eq!(until(None, &mut third), Ok(true));
        assert_eq!(until(Some(Duration::ZERO), || Ok::<_, ()>(false)), Ok(false));
        assert_eq!(until(Some(Duration::ZERO), || Ok::<_, ()>(true)), Ok(true));
        assert_eq!(until(None, || Err(7)), Err(7));
    }
}
