//! A claim that waits is not called under a lock.
use millstream_sync::lock::levels::*;
use millstream_sync::lock::*;

fn main() {
    let (permits, state) = (millstream_sync::permits::Permits::new(1), Lock::<DeviceState, _>::new(()));
    enter(|held| {
        let mut guard = held.lock(&state);
        let (_, held) = guard.split();
        let _ = permits.claim_waiting(held, None, || true);
    });
}
