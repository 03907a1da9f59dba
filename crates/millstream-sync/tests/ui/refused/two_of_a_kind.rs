//! Two pools at once.
use millstream_sync::lock::levels::*;
use millstream_sync::lock::*;

fn main() {
    let (one, two) = (Lock::<BlockPool, _>::new(()), Lock::<BlockPool, _>::new(()));
    enter(|held| {
        let mut outer = held.lock(&one);
        let (_, held) = outer.split();
        drop(held.lock(&two));
    });
}
