//! What a device has not, and what is therefore not driven on it.
//!
//! **The rule** A probe is left out only by a row of this table, and only for a lack that the device itself states. Then the report has the probe as not reached, with the reason; *Not Covered* names it; the
//! properties that it supports are not said; and the steps that nothing else drives are not claimed. Whatever else is at zero leaves the round incomplete, and a probe that is refused what it needs has failed.

use millstream::DeviceInfo;
use millstream::evidence::Step;

use crate::open;
use crate::plan::Plan;

/// A lack and what it costs.
pub struct Limit {
    /// The attempt.
    pub attempt: &'static str,
    /// The row whose probes are not driven.
    pub pattern: &'static str,
    /// Steps that only they drive.
    pub steps: &'static [Step],
    /// The properties that they support, as the attempt says them.
    pub properties: &'static [&'static str],
    /// Whether the device has the lack.
    lacks: fn(&DeviceInfo) -> bool,
    /// The lack, in words.
    pub reason: &'static str,
}

/// All of them.
pub static LIMITS: [Limit; 2] = [
    Limit {
        attempt: "memory",
        pattern: "Imports",
        steps: &[Step::Imported, Step::ImportWaited, Step::ImportDeleted, Step::DeleterPanicked],
        properties: &["The deleter of every import ran exactly once, after its last user"],
        lacks: |info| !info.host_addressable,
        reason: "kernels of this device cannot read host memory, so nothing can be imported",
    },
    Limit {
        attempt: "fork",
        pattern: "Forked child's own device",
        steps: &[],
        properties: &["A device that a forked child opened itself computed the right values"],
        lacks: |info| !info.opens_after_fork,
        reason: "a process that was forked from one that has used this device cannot use it",
    },
];

/// Those that hold for an attempt on the plan's device. Opens the device where the table has a row for the attempt.
#[must_use]
pub fn of(attempt: &str, plan: &Plan) -> Vec<&'static Limit> {
    let rows: Vec<&Limit> = LIMITS.iter().filter(|limit| limit.attempt == attempt).collect();
    if rows.is_empty() {
        return rows;
    }
    // A device that cannot be opened has no lack: its probes run, and say why they cannot.
    let Ok(device) = open::open(&plan.device, plan.seed, |_| {}) else { return Vec::new() };
    rows.into_iter().filter(|limit| (limit.lacks)(device.info())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempts::{SHEETS, named};
    use crate::plan::DeviceName;

    #[test]
    fn a_limit_names_rows_steps_and_properties_that_exist() {
        for limit in &LIMITS {
            let sheet = SHEETS.iter().find(|sheet| sheet.id == limit.attempt).expect("an attempt of probes");
            assert!(sheet.rows.iter().any(|row| row.pattern == limit.pattern), "{}", limit.pattern);
            let claims = named(limit.attempt).expect("in the list").claims;
            assert!(limit.steps.iter().all(|step| claims.contains(step)), "{}: steps", limit.pattern);
            assert!(limit.properties.iter().all(|text| sheet.properties.contains(text)), "{}: text", limit.pattern);
        }
    }

    #[test]
    fn a_device_without_the_lack_is_driven_in_full() {
        let limits = |device| of("memory", &Plan::new(device, 1)).len();
        assert_eq!((limits(DeviceName::Cpu), limits(DeviceName::CpuQueued), limits(DeviceName::Sim)), (0, 0, 1));
    }
}
