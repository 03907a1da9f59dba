//! A token cannot be put together.

use millstream_sync::lock::{Held, Nothing};

fn main() {
    let (_parent, _not_send) = (std::marker::PhantomData, std::marker::PhantomData);
    let _forged: Held<'_, Nothing> = Held { _parent, _not_send };
}
