//! Which attempts are tried on a bug, and in which order.

use std::fmt;

use millstream_sync::seeded::Bug;

use crate::attempts::ATTEMPTS;

/// An attempt on a device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Trial {
    pub(super) attempt: &'static str,
    pub(super) device: String,
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.device.as_str() {
            "cpu" => f.write_str(self.attempt),
            device => write!(f, "{} on {device}", self.attempt),
        }
    }
}

/// Every attempt on the default device, the likely catchers first; then all again where work is late, and where the device is hostile.
pub(super) fn trials(bug: Bug) -> Vec<Trial> {
    let likely = likely(bug);
    let mut ids: Vec<&'static str> = ATTEMPTS.iter().map(|entry| entry.id).collect();
    // Stable: those that are not named stay in their order, after those that are.
    ids.sort_by_key(|id| likely.iter().position(|name| name == id).unwrap_or(likely.len()));
    let devices = ["cpu", "cpu:queued", "sim"];
    let on = |device: &'static str| ids.iter().map(move |attempt| Trial { attempt, device: device.to_owned() });
    devices.into_iter().flat_map(on).collect()
}

/// The attempt that drives what `bug` breaks on whatever device it is given. Errors: where it is driven instead, and why.
pub(super) fn on_any_device(bug: Bug) -> Result<&'static str, &'static str> {
    Ok(match bug {
        Bug::SkippedWait | Bug::LostSecondUser => "hand_over",
        Bug::EarlyReuse => "memory",
        Bug::EventReuse => "events",
        Bug::StrandedInbox => "extended_stress",
        Bug::EarlyDeleter => return Err("imports of host memory, driven on devices that can read it"),
        Bug::SuccessAfterFault | Bug::PoisonLost => return Err("faults, made on the CPU and the simulator"),
        Bug::RevokeBusy
        | Bug::ExitGateOpen
        | Bug::ExitUnwaited
        | Bug::LockOrder
        | Bug::FlushAfterClose
        | Bug::LostWakeup
        | Bug::SwallowedPermit
        | Bug::ClaimUnchecked
        | Bug::DoubleReturn
        | Bug::CountLeftBehind
        | Bug::UnwokenCaller => likely(bug)[0],
    })
}

fn likely(bug: Bug) -> &'static [&'static str] {
    match bug {
        Bug::SkippedWait | Bug::LostSecondUser | Bug::EarlyReuse | Bug::EventReuse => {
            &["simulated_schedules", "extended_stress"]
        }
        Bug::SuccessAfterFault | Bug::PoisonLost => &["faults"],
        Bug::RevokeBusy => &["oversubscription"],
        Bug::ExitGateOpen | Bug::ExitUnwaited => &["shutdown"],
        Bug::EarlyDeleter => &["memory"],
        Bug::LockOrder => &["lock_order"],
        Bug::UnwokenCaller => &["batch_queue"],
        Bug::StrandedInbox
        | Bug::FlushAfterClose
        | Bug::LostWakeup
        | Bug::SwallowedPermit
        | Bug::ClaimUnchecked
        | Bug::DoubleReturn
        | Bug::CountLeftBehind => &["thread_local"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_one_device_every_bug_has_an_attempt_or_a_reason() {
        let here = Bug::ALL.into_iter().filter_map(|bug| on_any_device(bug).ok());
        let known = |id: &str| ATTEMPTS.iter().any(|entry| entry.id == id);
        assert!(here.clone().all(known));
        assert_eq!((here.count(), Bug::ALL.len()), (16, 19));
    }

    #[test]
    fn a_trial_is_called_by_its_device_unless_that_is_the_default() {
        let names = |device: &str| Trial { attempt: "events", device: device.to_owned() }.to_string();
        assert_eq!([names("cpu"), names("cpu:queued")], ["events", "events on cpu:queued"]);
    }

    #[test]
    fn every_bug_meets_every_attempt_and_its_likely_catcher_first() {
        for bug in Bug::ALL {
            let trials = trials(bug);
            assert_eq!(trials.len(), ATTEMPTS.len() * 3, "{}", bug.id());
            let wanted = likely(bug).iter().find(|name| ATTEMPTS.iter().any(|entry| entry.id == **name));
            assert_eq!(Some(&trials[0].attempt), wanted, "{}", bug.id());
        }
    }
}
