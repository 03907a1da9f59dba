//! A guard does not outlive the token.
use millstream_sync::lock::levels::*;
use millstream_sync::lock::*;

fn main() {
    let limbo = Lock::<Limbo, _>::new(());
    let _guard = enter(|held| held.lock(&limbo));
}
