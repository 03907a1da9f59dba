//! What this machine and this build have: devices with the reason for each that is missing, features, instruction sets, versions, folders.
//!
//! It looks and does not judge; a missing device is an answer here, not an error. It changes when a device or a folder is added.

use std::path::Path;

use serde::Serialize;

use crate::ledger::Ledger;
use crate::model::Machine;
use crate::plan::DeviceName;
use crate::round::look_at_machine;
use crate::subject::{self, Binding, Subject};
use crate::{Result, open};

/// The answer of `millstream doctor`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of the crates.
    pub version: &'static str,
    /// Sources, features and compiler of this binary.
    pub subject: Subject,
    /// How the source tree compares, if there is one: as in a round.
    pub source: String,
    /// The machine.
    pub machine: Machine,
    /// Instruction sets of the CPU kernels, the one in use first.
    pub simd: Vec<&'static str>,
    /// Every device that the project knows.
    pub devices: Vec<DeviceCheck>,
    /// Folders that this build reads or writes.
    pub folders: Vec<Folder>,
}

/// One device.
#[derive(Clone, Debug, Serialize)]
pub struct DeviceCheck {
    /// As on the command line.
    pub name: String,
    /// Whether it can be opened.
    pub found: bool,
    /// Its model and memory, or why it is missing.
    pub detail: String,
    /// What to do about a missing one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub action: String,
}

/// One folder.
#[derive(Clone, Debug, Serialize)]
pub struct Folder {
    /// What it holds.
    pub purpose: &'static str,
    /// Where it is.
    pub path: String,
    /// What is in it.
    pub state: String,
}

/// Looks at everything once; opens and closes each device.
///
/// # Errors
/// [`crate::Error::Read`] where the source tree cannot be read.
pub fn examine(out: &Path) -> Result<Report> {
    let devices = [DeviceName::Cpu, DeviceName::CpuQueued, DeviceName::Sim, DeviceName::Cuda(0)];
    let best = millstream::cpu::Level::best().name();
    let mut simd: Vec<&'static str> = millstream::cpu::Level::available().iter().map(|level| level.name()).collect();
    simd.reverse();
    simd.sort_by_key(|name| *name != best);
    Ok(Report {
        version: env!("CARGO_PKG_VERSION"),
        subject: subject::embedded(),
        source: match subject::check_binding(None)? {
            Binding::Matches { root } => format!("matches {}", root.display()),
            Binding::SourceNotPresent => "source not present".to_owned(),
            Binding::Stale { root, .. } => {
                format!("stale: {} was changed after this build; build again before a round", root.display())
            }
        },
        machine: look_at_machine(),
        simd,
        devices: devices.iter().map(check).collect(),
        folders: vec![Folder {
            purpose: "reports and ledger",
            path: out.display().to_string(),
            state: state_of_ledger(out),
        }],
    })
}

fn check(name: &DeviceName) -> DeviceCheck {
    match open::open(name, 1, |_| {}) {
        Ok(device) => {
            let info = device.info();
            let gib = info.memory_bytes as f64 / f64::from(1 << 30);
            let detail = format!("{}, {gib:.2} GiB, numeric class {}", info.model, info.numeric_class);
            DeviceCheck { name: name.to_string(), found: true, detail, action: String::new() }
        }
        Err(absent) => DeviceCheck {
            name: name.to_string(),
            found: false,
            detail: absent.reason,
            action: match name {
                DeviceName::Cuda(_) => "use --device cpu, cpu:queued or sim".to_owned(),
                _ => "use another device with --device".to_owned(),
            },
        },
    }
}

fn state_of_ledger(out: &Path) -> String {
    match Ledger::at(out).check() {
        Ok(checked) if checked.lines.is_empty() => "no round yet".to_owned(),
        Ok(checked) => format!("sound, last round N={}", checked.last_n()),
        Err(error) => error.to_string(),
    }
}
