//! The workload of the first report: randn, matmul, sum, mean from many threads, compared with the sequential run.
//!
//! One iteration draws two matrices, multiplies them, and keeps the sum and the mean on the device until the next sync; one whole product of each window
//! is compared too, by the fingerprint of its bits. The sequential run of the same seeds on the same device is the reference; it is outside the timing.
//! Of the hand-over variant every tenth iteration also adds a neighbour's product, which a third thread then drops.
//!
//! **Invariants**
//! * `every-value`: what a block compares is all sums, all means, and a product of each window; a missing value is a mismatch.
//! * `same-seeds`: block, thread and iteration alone decide what is drawn.

mod block;
mod exchange;
mod stress;
mod timeline;

pub use block::BlockValues;
pub use stress::{Variant, stress};
