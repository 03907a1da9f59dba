//! A token is not cloned.
use millstream_sync::lock::*;

fn main() {
    enter(|held| {
        let _second = Held::clone(held);
    });
}
