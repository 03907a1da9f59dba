//! Same seed, same trace, byte for byte; and what is injected happens.

mod determinism {
    mod injections;
    mod scheduled;
}
