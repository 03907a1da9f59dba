//! Everything that the table lists, and what crates above may do.

use millstream_sync::lock::levels::*;
use millstream_sync::lock::*;

millstream_sync::isolated_lock! {
    /// Declared by a crate above.
    pub BatchQueue
}

fn main() {
    let (state, slots) = (Lock::<DeviceState, _>::new(1), Lock::<StreamSlots, _>::new(2));
    let (pool, heap) = (Lock::<BlockPool, _>::new(3), Lock::<SegmentHeap, _>::new(4));
    let (submit, batch) = (Lock::<StreamSubmit, _>::new(5), Lock::<BatchQueue, _>::new(6));
    enter(|held| {
        let mut outer = held.lock(&state);
        let (value, token) = outer.split();
        *value += *token.lock(&slots);
        drop(outer);

        let mut outer = held.lock(&pool);
        let (value, token) = outer.split();
        *value += *token.lock(&heap);
        drop(outer);

        let mut guard = held.lock(&submit);
        *guard.again(&submit).unwrap() += 1;
        drop(guard);

        let signal = Signal::new();
        let guard = held.lock(&batch).wait(&signal, Some(std::time::Duration::from_millis(1)));
        assert_eq!(*guard, 6);
    });
    assert_eq!(try_enter(|held| *held.lock(&pool)), Some(7));
}
