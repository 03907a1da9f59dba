//! The hole between two looks: a thread is held there while the device closes.

use std::time::Duration;

use millstream::evidence::{PausePoint, Step};

use super::{Verdict, opened, queued, text, work, zero};
use crate::plan::Plan;

const LONG: Duration = Duration::from_secs(10);

/// A thread has claimed a stream and not looked again; the device closes; the claim must be undone.
pub(super) fn claim_between_looks(plan: &Plan, run: u64) -> Verdict {
    let device = opened(&plan.device, plan.seed ^ run, 4)?;
    device.evidence().arm(PausePoint::ClaimBetweenChecks);
    let claiming = {
        let device = device.clone();
        std::thread::spawn(move || device.current_stream().map(|stream| stream.id()))
    };
    let reached = device.evidence().wait_reached(PausePoint::ClaimBetweenChecks, LONG);
    let report = device.shutdown(LONG);
    device.evidence().resume(PausePoint::ClaimBetweenChecks);
    let claimed = claiming.join().map_err(|_| "the claiming thread panicked".to_owned())?;
    if !reached {
        return Err("no claim came to its second look".to_owned());
    }
    if let Ok((slot, _)) = claimed {
        return Err(format!(
            "a claim of stream {slot} outlived the close (shutdown saw {} leases)",
            report.leases_left
        ));
    }
    if device.evidence().count(Step::ClaimUndone) != 1 {
        return Err("the claim was not undone".to_owned());
    }
    zero("streams claimed after the close", device.leases() as u64)
}

/// A thread exits; its flush has looked once; the device closes; the flush must do nothing more.
pub(super) fn flush_between_looks(plan: &Plan, run: u64) -> Verdict {
    let device = opened(&queued(plan), plan.seed ^ run, 4)?;
    let exiting = {
        let device = device.clone();
        std::thread::spawn(move || {
            let value = work(&device, 1)?.item::<f32>()?;
            device.evidence().arm(PausePoint::FlushBetweenChecks);
            Ok::<_, millstream::Error>(value)
        })
    };
    let reached = device.evidence().wait_reached(PausePoint::FlushBetweenChecks, LONG);
    let report = device.shutdown(LONG);
    let before = device.evidence().count(Step::Flush);
    device.evidence().resume(PausePoint::FlushBetweenChecks);
    exiting.join().map_err(|_| "the exiting thread panicked".to_owned())?.map_err(text)?;
    if !reached {
        return Err("no flush came to its second look".to_owned());
    }
    if !report.complete {
        return Err(format!("the shutdown waited for a flush that was not counted: {report:?}"));
    }
    zero("flushes after the close", device.evidence().count(Step::Flush) - before)?;
    zero("blocks put into a closed pool", device.evidence().count(Step::PutAfterClose))?;
    zero("flushes in progress", u64::from(device.flushes_in_progress()))
}
