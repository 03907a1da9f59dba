//! Only a re-entrant level is entered again.
use millstream_sync::lock::levels::*;
use millstream_sync::lock::*;

fn main() {
    let pool = Lock::<BlockPool, _>::new(());
    enter(|held| {
        let mut guard = held.lock(&pool);
        let _ = guard.again(&pool);
    });
}
