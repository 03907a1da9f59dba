//! A guard that was taken inside another does not wait.
use millstream_sync::lock::levels::*;
use millstream_sync::lock::*;

fn main() {
    let (state, slots, signal) = (Lock::<DeviceState, _>::new(()), Lock::<StreamSlots, _>::new(()), Signal::new());
    enter(|held| {
        let mut outer = held.lock(&state);
        let (_, held) = outer.split();
        let _ = held.lock(&slots).wait(&signal, None);
    });
}
