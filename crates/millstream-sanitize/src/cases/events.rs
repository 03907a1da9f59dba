//! Events that one thread records and others wait for, ask and measure, while they are recorded anew.

use std::time::Duration;

use millstream::cpu::Mode;
use millstream::{Event, EventState, Result, RuntimeError};
use millstream_sync::Arc;

use crate::crowd::{LONG, THREADS, WORDS, at_rest, check, crowd, filled, open};

const ROUNDS: usize = 10;

/// An event for each thread, timing ones among them; each thread uses its own and its neighbour's.
pub fn across_threads(mode: Mode) -> Result<()> {
    let device = open(mode, THREADS + 1, |_| {})?;
    let events: Arc<Vec<Event>> = Arc::new((0..THREADS).map(|at| Event::new(&device, at % 2 == 0)).collect());
    let (d, all) = (device.clone(), events.clone());
    crowd(move |number| {
        let (mine, theirs) = (&all[number], &all[(number + 1) % THREADS]);
        for round in 0..ROUNDS {
            let value = (number * ROUNDS + round) as f32;
            let begun = Event::new(&d, true);
            begun.record()?;
            let made = filled(&d, WORDS, value)?;
            mine.record()?;
            match theirs.wait() {
                Ok(()) | Err(RuntimeError::NotRecorded) => {}
                Err(error) => return Err(error.into()),
            }
            mine.synchronize(Some(LONG))?;
            assert_eq!(mine.query()?, EventState::Done, "a record that was waited for");
            if number % 2 == 0 {
                assert!(begun.elapsed(mine)? < LONG);
            }
            match theirs.synchronize(Some(Duration::from_millis(1))) {
                Ok(()) | Err(RuntimeError::NotRecorded | RuntimeError::Timeout { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            check(&d, &made, WORDS, value)?;
        }
        Ok(())
    })?;
    drop(events);
    at_rest(&device)
}
