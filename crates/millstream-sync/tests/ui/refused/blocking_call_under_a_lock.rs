//! A call that may block the host asks for the root token.
use millstream_sync::lock::levels::*;
use millstream_sync::lock::*;

fn synchronize(_held: &mut Held<'_, Nothing>) {}

fn main() {
    let limbo = Lock::<Limbo, _>::new(());
    enter(|held| {
        let mut guard = held.lock(&limbo);
        let (_, held) = guard.split();
        synchronize(held);
    });
}
