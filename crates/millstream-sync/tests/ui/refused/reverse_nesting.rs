//! The allocator's lock is not taken before the pool's.
use millstream_sync::lock::levels::*;
use millstream_sync::lock::*;

fn main() {
    let (pool, heap) = (Lock::<BlockPool, _>::new(()), Lock::<SegmentHeap, _>::new(()));
    enter(|held| {
        let mut outer = held.lock(&heap);
        let (_, held) = outer.split();
        drop(held.lock(&pool));
    });
}
