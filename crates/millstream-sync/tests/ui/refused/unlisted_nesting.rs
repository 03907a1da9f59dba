//! A nesting that the table does not list.
use millstream_sync::lock::levels::*;
use millstream_sync::lock::*;

fn main() {
    let (submit, limbo) = (Lock::<StreamSubmit, _>::new(()), Lock::<Limbo, _>::new(()));
    enter(|held| {
        let mut outer = held.lock(&submit);
        let (_, held) = outer.split();
        drop(held.lock(&limbo));
    });
}
