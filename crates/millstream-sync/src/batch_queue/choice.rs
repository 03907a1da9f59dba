//! Which of the requests that wait make the next batch: arithmetic alone, no lock and no clock.
//!
//! A batch begins with the oldest request of the highest priority, every so often with the oldest of all. It goes on with requests of the same bucket of lengths: rows of a batch are filled up to its
//! longest, and within a bucket that is at most a third of it. Those of at most 16 tokens are one bucket.

use super::Priority;

/// Batches that begin with the highest priority before one that begins with the oldest request.
pub(super) const OLDEST_EVERY: u64 = 4;

/// The greatest length of the bucket of `tokens`: 16, 24, 32, 48, 64, 96 and so on.
fn bucket(tokens: usize) -> usize {
    let double = tokens.next_power_of_two().max(16);
    let between = double / 4 * 3;
    if double > 16 && tokens <= between { between } else { double }
}

/// How large a batch may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Most tokens with the rows filled up.
    pub(super) budget: usize,
    /// Tokens of the requests themselves from which on no more are added.
    pub(super) share: usize,
}

/// Places of the next batch in `waiting` (tokens and priority, oldest first), rising. At least one, whatever its length.
pub(super) fn choose(waiting: &[(usize, Priority)], limits: Limits, oldest: bool) -> Vec<usize> {
    let highest = waiting.iter().map(|(_, priority)| *priority).max();
    let first = match oldest {
        true => Some(0).filter(|_| !waiting.is_empty()),
        false => waiting.iter().position(|(_, priority)| Some(*priority) == highest),
    };
    let Some(first) = first else { return Vec::new() };
    let of_first = bucket(waiting[first].0);
    let mut others: Vec<usize> =
        (0..waiting.len()).filter(|at| *at != first && bucket(waiting[*at].0) == of_first).collect();
    // Stable: of one priority the oldest first.
    others.sort_by_key(|at| std::cmp::Reverse(waiting[*at].1));
    let (mut chosen, mut longest, mut sum) = (vec![first], waiting[first].0, waiting[first].0);
    for at in others {
        let (tokens, with) = (waiting[at].0, longest.max(waiting[at].0));
        if sum < limits.share && (chosen.len() + 1) * with <= limits.budget {
            chosen.push(at);
            (longest, sum) = (with, sum + tokens);
        }
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(all(test, not(any(millstream_loom, millstream_shuttle))))]
mod tests {
    use super::Priority::{High, Low, Normal};
    use super::*;

    /// The places of a batch of `budget` tokens that takes all it can.
    fn chosen(waiting: &[(usize, Priority)], budget: usize, oldest: bool) -> Vec<usize> {
        choose(waiting, Limits { budget, share: usize::MAX }, oldest)
    }

    #[test]
    fn within_a_bucket_at_most_a_third_is_filled_up() {
        for tokens in 17..2_000 {
            let top = bucket(tokens);
            assert!(top >= tokens && tokens * 3 > top * 2 - 3, "{tokens} in {top}");
            assert_eq!(bucket(top), top);
        }
        assert_eq!([1, 16, 17, 24, 25, 33, 49].map(bucket), [16, 16, 24, 24, 32, 48, 64]);
    }

    #[test]
    fn a_batch_keeps_its_budget_with_filled_up_rows_and_its_bucket() {
        let waiting = [40, 48, 10, 44, 33, 48].map(|tokens| (tokens, Normal));
        assert_eq!(chosen(&waiting, 1_000, false), [0, 1, 3, 4, 5], "10 is of another bucket");
        assert_eq!(chosen(&waiting, 144, false), [0, 1, 3], "three rows of 48");
        assert_eq!(chosen(&waiting, 1, false), [0], "one that is too long goes alone");
        assert_eq!(chosen(&[], 100, false), [0; 0]);
        assert_eq!(chosen(&[], 100, true), [0; 0]);
    }

    #[test]
    fn a_batch_ends_where_the_share_of_a_worker_is_reached() {
        let waiting = [16; 6].map(|tokens| (tokens, Normal));
        let places = |share| choose(&waiting, Limits { budget: 1_000, share }, false).len();
        assert_eq!([1, 16, 17, 48, 49, 1_000].map(places), [1, 1, 2, 3, 4, 6]);
    }

    #[test]
    fn high_goes_before_low_but_not_when_it_is_the_turn_of_the_oldest() {
        let waiting = [(8, Low), (8, Normal), (8, High), (8, High)];
        assert_eq!(chosen(&waiting, 16, false), [2, 3]);
        assert_eq!(chosen(&waiting, 24, false), [1, 2, 3]);
        assert_eq!(chosen(&waiting, 16, true), [0, 2], "the oldest, then by priority");
    }
}
