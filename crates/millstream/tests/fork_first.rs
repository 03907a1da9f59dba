//! A process that forks while another of its threads opens its first device: the child opens one of its own.
//!
//! A program of its own: a process that has opened a device has no first one any more. Each try is made in a child, which forks again at
//! another moment of the opening: half of them in its first microseconds, where handlers are registered, half in all of it, most of which is the
//! measurement of the profiler's clock.

use std::time::{Duration, Instant};

use millstream::{Device, Generator, Tensor, cpu, evidence};
use millstream_cpu::{CpuBackend, CpuOptions};
use millstream_sync::Arc;
use millstream_sync::atomic::{AtomicBool, Ordering};

const TRIES: u32 = 400;
/// After this long a child counts as hung.
const LIMIT: Duration = Duration::from_secs(10);
const FIRST: Duration = Duration::from_micros(60);

/// Opens a device in a process that was just forked, and uses it. Killed when it hangs.
fn opens() -> u8 {
    let _ = std::thread::spawn(|| {
        std::thread::sleep(LIMIT);
        std::process::abort();
    });
    let used = cpu::open().map_err(millstream::Error::from).and_then(|device| {
        Tensor::randn(&device, &[4], &mut Generator::new(1))?.sum()?.item::<f32>()?;
        let spans = device.trace().spans;
        device.shutdown(LIMIT);
        Ok(spans.iter().all(|span| span.start_us > 0.0 && span.end_us >= span.start_us) && spans.len() > 2)
    });
    match used {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(_) => 2,
    }
}

/// How long the first opening of a process takes.
fn opening() -> Duration {
    let millis = evidence::in_forked_child(|| {
        let from = Instant::now();
        let _device = cpu::open();
        u8::try_from(from.elapsed().as_millis()).unwrap_or(u8::MAX)
    });
    Duration::from_millis(u64::from(millis.expect("the child ends")) + 1)
}

/// Forks so long after a thread began to open the first device; what the child of that fork answers, or 9 when it was killed.
fn forked_after(delay: Duration) -> Option<u8> {
    evidence::in_forked_child(|| {
        let backend = Arc::new(CpuBackend::new(CpuOptions::inline()));
        let begun = Arc::new(AtomicBool::new(false));
        let told = begun.clone();
        let _opener = std::thread::spawn(move || {
            told.store(true, Ordering::Relaxed);
            let _device = Device::open(backend);
            std::thread::park();
        });
        while !begun.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
        let from = Instant::now();
        while from.elapsed() < delay {
            std::hint::spin_loop();
        }
        evidence::in_forked_child(opens).unwrap_or(9)
    })
}

#[test]
fn a_child_opens_a_device_whenever_it_was_forked_while_its_parent_opened_the_first() {
    let whole = opening();
    for attempt in 0..TRIES {
        let delay = if attempt % 2 == 0 { FIRST } else { whole } * attempt / TRIES;
        assert_eq!(forked_after(delay), Some(0), "forked {delay:?} after the opening began; 9: the child hung");
    }
}
