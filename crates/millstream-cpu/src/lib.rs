//! The default backend: inline and queued streams on the CPU.
