//! Each rule of the checker fires on its misuse, and none on correct use.

mod checker {
    mod events;
    mod memory;
    mod order;
    mod rig;
}
