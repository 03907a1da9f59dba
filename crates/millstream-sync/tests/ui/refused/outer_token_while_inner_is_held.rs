//! The outer token is borrowed while a lock is held.
use millstream_sync::lock::levels::*;
use millstream_sync::lock::*;

fn main() {
    let (pool, limbo) = (Lock::<BlockPool, _>::new(()), Lock::<Limbo, _>::new(()));
    enter(|held| {
        let outer = held.lock(&pool);
        drop(held.lock(&limbo));
        drop(outer);
    });
}
