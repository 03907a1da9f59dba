//! Figures of a soak: windows of one long run, side by side.

use serde::{Deserialize, Serialize};

/// A soak. At the end of each window every thread has gone and everything has been dropped, so that windows can be compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Soak {
    /// Threads in a window.
    pub threads: u64,
    /// Seconds of all windows.
    pub seconds: f64,
    /// Iterations of all threads in all windows.
    pub operations: u64,
    /// Values compared bit for bit with the sequential run.
    pub values_compared: u64,
    /// Values that differed.
    pub mismatches: u64,
    /// In the order they ran.
    pub windows: Vec<SoakWindow>,
}

/// One window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SoakWindow {
    /// When it ended, seconds from the start of the soak.
    pub end_s: f64,
    /// Iterations of all threads.
    pub operations: u64,
    /// Median latency of an iteration, microseconds.
    pub p50_us: f64,
    /// 99th percentile of it, microseconds.
    pub p99_us: f64,
    /// Processor time of the process for one iteration, microseconds.
    pub cpu_us: f64,
    /// Live bytes on the device with all threads gone. Must be 0.
    pub live_bytes: u64,
    /// Bytes taken from the device then.
    pub reserved_bytes: u64,
    /// Main memory of the process then, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident_bytes: Option<u64>,
}
