//! A guard stays on its thread.
use millstream_sync::lock::levels::*;
use millstream_sync::lock::*;

fn main() {
    let limbo = Lock::<Limbo, _>::new(());
    enter(|held| {
        let guard = held.lock(&limbo);
        std::thread::scope(|scope| {
            scope.spawn(move || drop(guard));
        });
    });
}
