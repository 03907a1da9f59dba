//! Each rule of the checker fires on its misuse, and none on correct use.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod checker {
    mod events;
    mod memory;
    mod order;
    mod rig;
}
