//! Events: what a caller records and waits for, and the pool of native events below.

mod cell;
mod pool;

pub use cell::{Event, EventState};
pub(crate) use pool::{EventPool, NativeEvent};
