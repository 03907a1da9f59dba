//! Time that passes: makes a missing wait give a wrong value every time.

use std::time::{Duration, Instant};

/// Keeps the thread busy for `micros` microseconds. Busy and not asleep for short times, since a sleep of the host is not exact;
/// beyond a millisecond it sleeps first, so that a machine with few processors can go on with the work that must not overtake it.
pub fn spin(micros: u32) {
    let end = Instant::now() + Duration::from_micros(u64::from(micros));
    if micros > 1000 {
        std::thread::sleep(Duration::from_micros(u64::from(micros) - 500));
    }
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lasts_at_least_as_long_as_asked() {
        for micros in [0, 50, 3000] {
            let start = Instant::now();
            spin(micros);
            assert!(start.elapsed() >= Duration::from_micros(u64::from(micros)));
        }
    }
}
