//! Thread-safe parallel tensor execution in one process, that verifies itself on the user's machine.
