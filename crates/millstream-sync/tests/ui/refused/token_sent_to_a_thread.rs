//! A token stays on its thread.
use millstream_sync::lock::levels::*;
use millstream_sync::lock::*;

fn main() {
    let limbo = Lock::<Limbo, _>::new(());
    enter(|held| {
        std::thread::scope(|scope| {
            scope.spawn(|| drop(held.lock(&limbo)));
        });
    });
}
