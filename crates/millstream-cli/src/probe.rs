//! `millstream probe`: one probe of a round, in this process. Rounds start it; nobody types it.

use millstream_verify::attempts::probes::run_child;

use crate::args::Probe;
use crate::exit::{Ended, code};

/// Runs the probe; its exit code is the answer, what it saw is on standard output.
pub fn run(arguments: &Probe) -> Ended {
    let exit = run_child(&arguments.name, &arguments.arguments);
    Ok(u8::try_from(exit).unwrap_or(code::INTERNAL))
}
