//! Probes in a process of their own: what may crash, fork, or end the process must not take the round with it.
//!
//! The parent starts its own binary again with hidden arguments; the child runs one probe and says on one line what it saw. A crash, a hang or a wrong exit is a
//! failed probe.

use std::path::PathBuf;
use std::time::Duration;

/// How a child process is started.
#[derive(Clone, Debug)]
pub struct Child {
    /// The binary: for the command line, itself.
    pub program: PathBuf,
    /// Arguments before the probe's name, such as `probe`.
    pub arguments: Vec<String>,
    /// After this long a child counts as hung and is killed.
    pub timeout: Duration,
}
