//! The settings that vary, their values, and what a value means.

use std::time::Duration;

use millstream::{DeviceOptions, StreamPolicy};

use crate::attempts::probes::queued_name;
use crate::model::{Choice, Factor};
use crate::plan::DeviceName;

/// Longer than anybody has to wait for a stream on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// What a thread does at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Waits for its work and drops everything first.
    Waits,
    /// Waits, leaves the device, then ends.
    Leaves,
    /// Ends with work in flight; others read its values when it has gone.
    InFlight,
    /// Unwinds with work in flight and tensors on its stack.
    Panics,
}

/// What becomes of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HandOver {
    /// Its maker drops it.
    None,
    /// The next thread uses it and drops it.
    Next,
    /// The next thread uses it, the one after that drops it.
    Third,
}

/// A row, understood.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) threads: usize,
    pub(super) streams: usize,
    pub(super) policy: StreamPolicy,
    pub(super) device: DeviceName,
    pub(super) size: usize,
    /// Iterations between two waits; `None`: at the end only.
    pub(super) sync_every: Option<u64>,
    pub(super) exit: Exit,
    pub(super) hand_over: HandOver,
    /// Most bytes of a thread's cache.
    pub(super) cache_bytes_max: usize,
    pub(super) lease_idle_window: Duration,
}

/// The factors of `device`, by name. A CPU can compute inline or queued; for any other device there is no choice.
#[must_use]
pub fn factors(device: &DeviceName) -> Vec<Factor> {
    let work: &[&str] = if *device == DeviceName::Cpu { &["inline", "queued"] } else { &["as named"] };
    let all: [(&str, &[&str]); 10] = [
        ("cache", &["64 MiB", "none"]),
        ("exit", &["in flight", "leaves", "panics", "waits"]),
        ("hand-over", &["next", "none", "third"]),
        ("idle window", &["1 ms", "50 ms"]),
        ("policy", &["fail", "share", "wait"]),
        ("size", &["1", "7", "33", "96"]),
        ("streams", &["1", "3", "8"]),
        ("sync", &["1", "5", "end"]),
        ("threads", &["2", "5", "16"]),
        ("work", work),
    ];
    let factor = |(name, values): (&str, &[&str])| Factor {
        name: name.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    all.into_iter().map(factor).collect()
}

impl Settings {
    /// What `row` says for `device`. Errors: a factor that is missing, a value that is none of it.
    pub(super) fn of(row: &Choice, device: &DeviceName) -> Result<Self, String> {
        for Factor { name, values } in factors(device) {
            match row.get(&name) {
                Some(value) if values.contains(value) => {}
                Some(value) => return Err(format!("{name} is {value:?}, not one of {}", values.join(", "))),
                None => return Err(format!("no value for {name}")),
            }
        }
        let of = |name: &str| row.get(name).map_or("", String::as_str);
        let number = |name: &str| of(name).parse::<usize>().map_err(|error| format!("{name}: {error}"));
        Ok(Self {
            threads: number("threads")?,
            streams: number("streams")?,
            policy: match of("policy") {
                "fail" => StreamPolicy::Fail,
                "wait" => StreamPolicy::Wait(PATIENCE),
                _ => StreamPolicy::Share,
            },
            device: if of("work") == "queued" { queued_name(device) } else { device.clone() },
            size: number("size")?,
            sync_every: of("sync").parse().ok(),
            exit: match of("exit") {
                "in flight" => Exit::InFlight,
                "leaves" => Exit::Leaves,
                "panics" => Exit::Panics,
                _ => Exit::Waits,
            },
            hand_over: match of("hand-over") {
                "next" => HandOver::Next,
                "third" => HandOver::Third,
                _ => HandOver::None,
            },
            cache_bytes_max: if of("cache") == "none" { 0 } else { 64 << 20 },
            lease_idle_window: Duration::from_millis(if of("idle window") == "1 ms" { 1 } else { 50 }),
        })
    }

    /// Sets the options of the device.
    pub(super) fn adjust(&self, options: &mut DeviceOptions) {
        options.streams = self.streams;
        options.policy = self.policy;
        options.cache_bytes_max = self.cache_bytes_max;
        options.lease_idle_window = self.lease_idle_window;
    }

    /// Whether a thread that keeps its stream keeps others from working.
    pub(super) fn is_crowded(&self) -> bool {
        self.threads > self.streams && self.policy != StreamPolicy::Share
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempts::configurations::cover::{Covered, rows};

    #[test]
    fn no_two_values_of_a_factor_mean_the_same() {
        for device in [DeviceName::Cpu, DeviceName::Sim] {
            let factors = factors(&device);
            let base: Choice = factors.iter().map(|f| (f.name.clone(), f.values[0].clone())).collect();
            for factor in &factors {
                let meant: Vec<Settings> = (factor.values.iter())
                    .map(|value| {
                        let mut row = base.clone();
                        row.insert(factor.name.clone(), value.clone());
                        Settings::of(&row, &device).expect("a row of the table")
                    })
                    .collect();
                for (at, one) in meant.iter().enumerate() {
                    assert!(!meant[at + 1..].contains(one), "{}: two values mean {one:?}", factor.name);
                }
            }
        }
    }

    #[test]
    fn a_value_that_is_none_is_refused_and_a_row_of_another_device_too() {
        let mut row = rows(&factors(&DeviceName::Cpu), &Covered::default(), 1, 1).remove(0);
        assert!(Settings::of(&row, &DeviceName::Cpu).is_ok());
        assert!(Settings::of(&row, &DeviceName::Sim).is_err());
        row.insert("threads".to_owned(), "17".to_owned());
        assert_eq!(Settings::of(&row, &DeviceName::Cpu), Err("threads is \"17\", not one of 2, 5, 16".to_owned()));
        row.remove("threads");
        assert_eq!(Settings::of(&row, &DeviceName::Cpu), Err("no value for threads".to_owned()));
    }
}
