//! State-machine models of the protocols.
