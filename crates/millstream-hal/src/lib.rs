//! The contract between the runtime and a backend.
