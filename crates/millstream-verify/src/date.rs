//! The date of a round, in the one spelling of reports and ledger.

use jiff::{Timestamp, Unit};

/// Now, in UTC, to the second: `2025-12-22T09:30:00Z`.
pub fn now() -> String {
    let now = Timestamp::now();
    now.round(Unit::Second).unwrap_or(now).to_string()
}

/// The day of a date: `2025-12-22`.
pub fn day(date: &str) -> &str {
    date.split_once('T').map_or(date, |(day, _)| day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_of_now_has_ten_characters() {
        let now = now();
        assert_eq!((day(&now).len(), now.len()), (10, 20), "{now}");
        assert_eq!(day("2025-12-22"), "2025-12-22");
    }
}
