//! The suite that every backend passes, and the double-precision interpreter it compares with.
