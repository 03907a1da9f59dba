//! The outer lock is not released under the inner one.
use millstream_sync::lock::levels::*;
use millstream_sync::lock::*;

fn main() {
    let (pool, heap) = (Lock::<BlockPool, _>::new(()), Lock::<SegmentHeap, _>::new(()));
    enter(|held| {
        let mut outer = held.lock(&pool);
        let (_, inner_token) = outer.split();
        let inner = inner_token.lock(&heap);
        drop(outer);
        drop(inner);
    });
}
