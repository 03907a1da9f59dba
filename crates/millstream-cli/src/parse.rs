//! Values of arguments: durations, seeds, devices, attempts, bugs.

use std::time::Duration;

use millstream_sync::seeded::Bug;
use millstream_verify::attempts::{ATTEMPTS, named};
use millstream_verify::plan::DeviceName;

const LONGEST_S: f64 = 24.0 * 3600.0;

/// `5s`, `500ms`, `2m`, `0`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration: give 5s, 500ms, 2m, or 0 for one block, 24h at most");
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let scale = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "" if number == 0.0 => 1.0,
        _ => return Err(wrong()),
    };
    let seconds = number * scale;
    if seconds > LONGEST_S {
        return Err(wrong());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// A 64-bit number, decimal or after `0x`.
pub fn seed(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(&hex.replace('_', ""), 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("{text:?} is not in 0..=18446744073709551615, decimal or 0x"))
}

/// A device of the contract.
pub fn device(text: &str) -> Result<DeviceName, String> {
    text.parse()
}

/// The id of an attempt.
pub fn attempt(text: &str) -> Result<String, String> {
    let known: Vec<&str> = ATTEMPTS.iter().map(|entry| entry.id).collect();
    named(text).map(|entry| entry.id.to_owned()).ok_or_else(|| format!("the attempts are {}", known.join(", ")))
}

/// A seeded bug.
pub fn bug(text: &str) -> Result<Bug, String> {
    let known: Vec<&str> = Bug::ALL.into_iter().map(Bug::id).collect();
    Bug::named(text).ok_or_else(|| format!("the bugs are {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_unless_they_are_zero() {
        for (text, millis) in [("5s", 5000), ("500ms", 500), ("0", 0), ("0s", 0), ("1.5s", 1500), ("2m", 120_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "s", "-1s", "1e9s", "25h", "5 s", "NaNs", "1.2.3s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn seeds_are_decimal_or_hexadecimal() {
        for (text, value) in [("7", 7), ("0x10", 16), ("0xffffffffffffffff", u64::MAX), ("0", 0)] {
            assert_eq!(seed(text), Ok(value), "{text}");
        }
        for text in ["", "0x", "-1", "18446744073709551616", "0x1ffffffffffffffff", "ten"] {
            assert!(seed(text).is_err(), "{text}");
        }
    }
}
