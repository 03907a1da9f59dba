//! A token cannot be made.
use millstream_sync::lock::levels::*;
use millstream_sync::lock::*;

fn main() {
    let (_parent, _not_send) = (std::marker::PhantomData, std::marker::PhantomData);
    let _forged: Held<'_, Nothing> = Held { _parent, _not_send };
    let _made = Held::<'_, Nothing>::new();
}
