//! A guard stays on its thread.

use millstream_sync::lock::levels::Limbo;
use millstream_sync::lock::{Lock, enter};

fn send<T: Send>(_what: T) {}

fn main() {
    let limbo = Lock::<Limbo, _>::new(());
    enter(|held| send(held.lock(&limbo)));
}
