//! Same seed, same trace, byte for byte; and what is injected happens.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod determinism {
    mod injections;
    mod scheduled;
}
