//! The protocols, one file each, named as in the crate.

mod batch_queue;
mod bounded_queue;
mod doorbell;
mod driven_queue;
mod gate;
mod inbox;
mod lease_word;
mod moves;
mod owner_word;
mod permits;
mod ring;
mod slot_set;
mod timeline;
mod use_set;
mod watched;

use crate::checks::Case;

/// All cases.
pub fn all() -> Vec<Case> {
    let all = [
        slot_set::cases(),
        permits::cases(),
        inbox::cases(),
        owner_word::cases(),
        lease_word::cases(),
        gate::cases(),
        use_set::cases(),
        moves::cases(),
        doorbell::cases(),
        bounded_queue::cases(),
        driven_queue::cases(),
        batch_queue::cases(),
        ring::cases(),
        timeline::cases(),
    ];
    all.into_iter().flatten().collect()
}
