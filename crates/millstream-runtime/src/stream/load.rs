//! How busy a stream was lately: what `Share` compares.
//!
//! The load is the number of submissions since a mark. Whoever compares loads moves a mark that has become old, so that half of what was counted is forgotten in each window; between two
//! comparisons nobody does anything, and a submission costs nothing. It is a statistic: two threads that move a mark at once make it a little wrong.

use millstream_sync::atomic::{AtomicU64, Ordering};

/// The load of one stream.
#[derive(Debug, Default)]
pub(super) struct Load {
    mark: AtomicU64,
    marked_at: AtomicU64,
}

impl Load {
    /// Recent submissions to a stream whose tail is `published`. `now` is a clock, `window` in its units.
    pub(super) fn recent(&self, published: u64, now: u64, window: u64) -> u64 {
        let recent = published.saturating_sub(self.mark.load(Ordering::Relaxed));
        let since = self.marked_at.load(Ordering::Relaxed);
        if now.saturating_sub(since) < window {
            return recent;
        }
        let kept = if since == 0 { recent } else { recent / 2 };
        self.mark.store(published - kept, Ordering::Relaxed);
        self.marked_at.store(now, Ordering::Relaxed);
        kept
    }
}

/// What a stream would carry with one holder more: its recent submissions, and for each holder as many as a holder makes on the average.
pub(super) fn score(recent: u64, holders: u32, all_recent: u64, all_holders: u32) -> u64 {
    let each = 1 + all_recent / u64::from(all_holders.max(1));
    recent.saturating_add(u64::from(holders).saturating_mul(each))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_submissions_are_forgotten() {
        let load = Load::default();
        assert_eq!(load.recent(1000, 100, 10), 1000, "no mark yet: this makes it");
        assert_eq!(load.recent(1000, 120, 10), 500);
        assert_eq!(load.recent(1010, 125, 10), 510, "within the window nothing is forgotten");
        for window in 1..12 {
            load.recent(1010, 125 + window * 10, 10);
        }
        assert_eq!(load.recent(1010, 1000, 10), 0);
    }

    #[test]
    fn a_quiet_stream_with_many_holders_is_lighter_than_a_busy_one_with_one() {
        // 1,000 submissions by one holder, 30 by five: a holder makes 171 on the average.
        let busy = score(1000, 1, 1030, 6);
        let quiet = score(30, 5, 1030, 6);
        assert!(quiet < busy, "{quiet} and {busy}");
        assert!(score(0, 1, 0, 3) < score(0, 2, 0, 3), "without submissions holders decide");
    }
}
