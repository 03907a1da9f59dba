//! `millstream probe`: one probe of a round, in this process. Rounds start it; nobody types it.

use crate::args::Probe;
use crate::exit::{Ended, Stop, code};

/// Runs the probe.
pub fn run(arguments: &Probe) -> Ended {
    let text = format!("there is no probe {:?} in this build", arguments.name);
    Err(Stop::Error(code::USAGE, text))
}
