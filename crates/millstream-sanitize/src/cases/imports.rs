//! Memory of others, read by twenty threads and given back once, after the last of them.

use millstream::cpu::Mode;
use millstream::{Kernel, Result};
use millstream_sync::Arc;
use millstream_sync::atomic::{AtomicU32, Ordering};

use crate::crowd::{THREADS, WORDS, at_rest, check, crowd, open};

const ROUNDS: u32 = 6;

/// The last handle drops while its users are still at work.
pub fn shared(mode: Mode) -> Result<()> {
    let device = open(mode, THREADS + 1, |_| {})?;
    let deleted = Arc::new(AtomicU32::new(0));
    for round in 0..ROUNDS {
        let (value, counted) = (round as f32 + 0.5, deleted.clone());
        let block = device.import_vec(vec![value; WORDS], move || {
            counted.fetch_add(1, Ordering::Relaxed);
        })?;
        let (d, theirs) = (device.clone(), block.clone());
        drop(block);
        crowd(move |number| {
            let mine = theirs.clone();
            if number % 4 == 0 {
                check(&d, &mine, WORDS, value)?;
            }
            d.enqueue(Kernel::Spin { micros: 200 * (number as u32 % 5) })?;
            // Not waited for.
            drop(d.launch(Kernel::Fingerprint { bytes: WORDS * 4 }, 8, &[&mine])?);
            Ok(())
        })?;
        device.synchronize_all(None)?;
        assert_eq!(deleted.load(Ordering::Relaxed), round + 1, "calls of the deleter");
    }
    at_rest(&device)
}
