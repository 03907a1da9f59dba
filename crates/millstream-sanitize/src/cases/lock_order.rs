//! Two locks in the one order that the table allows. Broken on purpose in both: then ThreadSanitizer must say so though nothing hangs.

use millstream::Result;
use millstream::cpu::Mode;
use millstream_sync::lock::levels::{DeviceState, StreamSlots};
use millstream_sync::lock::{Lock, enter};
use millstream_sync::{Arc, thread};

/// One thread after the other, each with both locks.
pub fn by_the_table(_mode: Mode) -> Result<()> {
    let locks = Arc::new((Lock::<DeviceState, u32>::new(0), Lock::<StreamSlots, u32>::new(0)));
    for _ in 0..2 {
        let theirs = locks.clone();
        let both = move || {
            enter(|held| {
                let mut outer = held.lock(&theirs.0);
                let (count, held) = outer.split();
                *held.lock(&theirs.1) += 1;
                *count += 1;
            });
        };
        thread::spawn(both).join().expect("a thread panicked");
    }
    #[cfg(feature = "seeded-bugs")]
    if millstream_sync::seeded::is(millstream_sync::seeded::Bug::LockOrder) {
        let theirs = locks.clone();
        let inverted = move || {
            enter(|held| {
                let mut outer = held.lock(&theirs.1);
                let (count, held) = outer.split();
                *held.lock_against_the_table(&theirs.0) += 1;
                *count += 1;
            });
        };
        thread::spawn(inverted).join().expect("a thread panicked");
    }
    enter(|held| assert!(*held.lock(&locks.0) >= 2));
    Ok(())
}
