//! Locks with order in their types, slot set, inbox, permits, owner word, gate: every protocol that a model checker must see.

pub mod schedule;
