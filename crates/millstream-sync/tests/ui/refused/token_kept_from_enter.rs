//! A token does not outlive its root, so it is no second root.
use millstream_sync::lock::*;

fn main() {
    let _kept = enter(|held| held);
}
