//! What the windows of a soak must be like, and what is said where they are not.
//!
//! The first quarter settles: what the allocators keep is made there. The second quarter is the measure, and the last is held against it; so a growth must go on for half of the soak to be
//! seen, and a busy moment is not one. Latency of another load on the machine is no finding: its bound is wide, and it is judged only where a fixed loop took the same time before and after.
//! Processor time for an operation does not depend on others so much, and has the narrower bound.
//!
//! **Invariants**
//! - `flat`: a figure that grows from window to window by enough to matter is a finding.

use crate::model::{Calibration, Soak, SoakWindow};

/// Windows of a soak.
pub(super) const WINDOWS: usize = 20;
/// What the device's reserved bytes may grow by after the first half: two segments, for threads that meet otherwise than before.
pub(super) const RESERVED_GROWTH_MAX: u64 = 4 << 20;
/// What the process may grow by from the second quarter to the last.
pub(super) const RESIDENT_GROWTH_MAX: u64 = 8 << 20;
/// What the median processor time of an operation may grow to. It is a finding only where every window of the last quarter is above every one of the second, too: two threads of one core
/// take each other a part of it.
pub(super) const CPU_RISE_MAX: f64 = 2.0;
/// What every p99 of the last quarter must be above, times every one of the second, to be a drift.
pub(super) const P99_RISE_MAX: f64 = 3.0;

/// What must not be, one line each.
pub(super) fn judge(soak: &Soak, calibration: Calibration) -> Vec<String> {
    let mut found = Vec::new();
    if soak.mismatches > 0 {
        found.push(format!("{} of {} values differ from the sequential run", soak.mismatches, soak.values_compared));
    }
    if let Some(window) = soak.windows.iter().find(|window| window.live_bytes > 0) {
        found.push(format!(
            "{} bytes are live at {:.1} s with all threads gone, must be 0",
            window.live_bytes, window.end_s
        ));
    }
    let quarter = soak.windows.len() / 4;
    if quarter == 0 {
        return found;
    }
    let (second, last) = (&soak.windows[quarter..2 * quarter], &soak.windows[soak.windows.len() - quarter..]);
    let most = |windows: &[SoakWindow]| windows.iter().map(|window| window.reserved_bytes).max().unwrap_or(0);
    let (before, after) = (most(&soak.windows[..2 * quarter]), most(last));
    if after > before + RESERVED_GROWTH_MAX {
        found.push(format!("reserved bytes grew from {before} to {after}, {RESERVED_GROWTH_MAX} more are allowed"));
    }
    let resident = |windows: &[SoakWindow]| {
        median(windows.iter().filter_map(|window| Some(window.resident_bytes? as f64)).collect())
            .map(|bytes| bytes as u64)
    };
    if let (Some(before), Some(after)) = (resident(second), resident(last))
        && after > before + RESIDENT_GROWTH_MAX
    {
        found.push(format!("the process grew from {before} to {after} bytes, {RESIDENT_GROWTH_MAX} more are allowed"));
    }
    let cpu_of = |window: &SoakWindow| window.cpu_us;
    let cpu = |windows: &[SoakWindow]| median(windows.iter().map(cpu_of).collect());
    if let (Some(before), Some(after)) = (cpu(second), cpu(last))
        && after > before * CPU_RISE_MAX
        && least(last, cpu_of) > most_of(second, cpu_of)
    {
        found.push(format!("an operation took {before:.1} us of processor time, at the end {after:.1}"));
    }
    let p99 = |window: &SoakWindow| window.p99_us;
    let (before, after) = (most_of(second, p99), least(last, p99));
    if calibration.is_steady() && after > before * P99_RISE_MAX {
        found.push(format!("p99 drifted from {before:.0} us at most to {after:.0} at least"));
    }
    found
}

fn most_of(windows: &[SoakWindow], figure: impl Fn(&SoakWindow) -> f64) -> f64 {
    windows.iter().map(figure).fold(0.0, f64::max)
}

fn least(windows: &[SoakWindow], figure: impl Fn(&SoakWindow) -> f64) -> f64 {
    windows.iter().map(figure).fold(f64::INFINITY, f64::min)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEADY: Calibration = Calibration { before_s: 1.0, after_s: 1.01 };

    /// A soak whose windows are changed by `f`.
    fn soak(f: impl Fn(u64, &mut SoakWindow)) -> Soak {
        let window = |at: u64| {
            let mut window = SoakWindow {
                end_s: at as f64,
                operations: 1000,
                p50_us: 100.0,
                // A busy moment.
                p99_us: if at == 17 { 9000.0 } else { 900.0 },
                cpu_us: 90.0,
                live_bytes: 0,
                reserved_bytes: (2 + at % 2) << 20,
                resident_bytes: Some((200 << 20) + at * 4096),
            };
            f(at, &mut window);
            window
        };
        let windows = (0..WINDOWS as u64).map(window).collect();
        Soak { values_compared: 5000, windows, ..Soak::default() }
    }

    fn found(f: impl Fn(u64, &mut SoakWindow)) -> String {
        judge(&soak(f), STEADY).join("; ")
    }

    #[test]
    fn what_grows_is_found_and_a_busy_moment_is_not() {
        assert_eq!(found(|_, _| {}), "");
        let live = found(|at, window| window.live_bytes = if at == 12 { 512 } else { 0 });
        assert_eq!(live, "512 bytes are live at 12.0 s with all threads gone, must be 0");
        let reserved = found(|at, window| window.reserved_bytes += at << 20);
        assert!(reserved.starts_with("reserved bytes grew from"), "{reserved}");
        let resident = found(|at, window| window.resident_bytes = Some((200 + at) << 20));
        assert!(resident.starts_with("the process grew from 217055232 to 227540992 bytes"), "{resident}");
        assert_eq!(found(|_, window| window.resident_bytes = None), "");
        let cpu = found(|at, window| window.cpu_us *= 1.0 + at as f64 / 2.0);
        assert_eq!(cpu, "an operation took 405.0 us of processor time, at the end 855.0");
        assert_eq!(found(|at, window| window.cpu_us *= 1.0 + at as f64 / 100.0), "");
    }

    #[test]
    fn a_drift_of_the_tail_is_found_on_a_steady_machine_only() {
        let drift = |at: u64, window: &mut SoakWindow| window.p99_us = 500.0 * (1.0 + at as f64);
        assert_eq!(judge(&soak(drift), STEADY), Vec::<String>::new(), "the bound is wide");
        let drift = |at: u64, window: &mut SoakWindow| window.p99_us = 10.0 * (at * at) as f64;
        // 15 x 15 is less than three times 9 x 9; a steeper one is not.
        assert_eq!(judge(&soak(drift), STEADY), Vec::<String>::new());
        let drift = |at: u64, window: &mut SoakWindow| window.p99_us = (at * at * at) as f64;
        assert_eq!(judge(&soak(drift), STEADY), ["p99 drifted from 729 us at most to 3375 at least"]);
        assert!(judge(&soak(drift), Calibration { before_s: 1.0, after_s: 1.2 }).is_empty());
    }

    #[test]
    fn a_value_that_differs_is_found_in_a_soak_of_any_length() {
        let soak = Soak { mismatches: 2, values_compared: 9, ..Soak::default() };
        assert_eq!(judge(&soak, STEADY), ["2 of 9 values differ from the sequential run"]);
    }
}
