//! Every protocol that a model checker must see: locks whose order is a type, slot set, permits, inbox, owner word, lease word, gate,
//! use set, moves, queue, driven queue, batch queue, ring, timeline.
//!
//! This is the only crate that names `std::sync`, `std::sync::atomic` or `thread_local!`; all others take their
//! atomics and locks from here, so that loom, shuttle, ThreadSanitizer and scheduled runs each need one seam and not twelve.
//! It knows nobody: no stream, no memory, no tensor.
//!
//! The table of locks and of their allowed nestings is in [`lock::levels`].

pub mod atomic;
pub mod batch_queue;
pub mod bounded_queue;
pub mod doorbell;
pub mod driven_queue;
pub mod gate;
pub mod inbox;
pub mod lease_word;
pub mod lock;
pub mod moves;
pub mod owner_word;
pub mod permits;
pub mod ring;
pub mod schedule;
pub mod seeded;
pub mod slot_set;
pub mod timeline;
pub mod use_set;

mod count;
mod deadline;
mod seam;

pub use batch_queue::BatchQueue;
pub use bounded_queue::BoundedQueue;
pub use count::Count;
pub use deadline::Deadline;
pub use doorbell::{Doorbell, Progress};
pub use driven_queue::{Driven, DrivenQueue};
pub use inbox::Inbox;
pub use lease_word::LeaseWord;
pub use moves::Moves;
pub use owner_word::{OwnedCell, OwnerWord};
pub use seam::{Arc, OnceLock, Weak, thread};
pub use slot_set::SlotSet;
pub use timeline::Timeline;
pub use use_set::UseSet;
