//! The adversarial simulator as a device of a round.

use millstream_sim::{SimBackend, SimOptions};
use millstream_sync::Arc;

/// A simulated device with its checker on, everything decided by `seed`.
#[must_use]
pub fn backend(seed: u64) -> Arc<SimBackend> {
    Arc::new(SimBackend::new(SimOptions::new(seed)))
}
