//! What the CPU computes: pure functions over slices, without a word about streams, operands or threads.
pub mod copy;
pub mod elementwise;
pub mod fill;
pub mod fingerprint;
pub mod fold;
pub mod matmul;
pub mod number;
pub mod philox;
pub mod randn;
pub mod real;
pub mod reduce;
pub mod spin;
pub mod uniform;
pub mod view;
