//! A token stays on its thread.

use millstream_sync::lock::enter;

fn send<T: Send>(_what: T) {}

fn main() {
    enter(|held| send(held));
}
