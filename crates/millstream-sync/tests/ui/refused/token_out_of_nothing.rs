//! A token cannot be made, and so there is no second root.

use millstream_sync::lock::{Held, Nothing};

fn main() {
    let _made = Held::<'_, Nothing>::new();
}
