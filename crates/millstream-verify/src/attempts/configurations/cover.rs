//! A covering table: rows of settings, chosen so that every two values of two factors stand together in a row before long.
//!
//! Faults that need three settings at once are rare; most need two. So each round runs a few rows, and the next row is the one that brings the most pairs that no row had yet. Ties are
//! broken by the seed: rounds of other seeds run other rows. It is plain arithmetic, and knows nothing of what a setting means.
//!
//! **Invariants**
//! - `every-pair`: rows that are chosen one after another, each with the pairs of those before it as covered, cover all pairs.
//! - `seed-decides`: the same factors, covered pairs and seed give the same rows.
//!
//! **Checked by**: the tests below.

use std::collections::BTreeSet;

use crate::model::{Choice, Factor};

/// Rows that are tried for each that is taken.
const CANDIDATES: usize = 24;

/// A value of one factor together with a value of another, by their numbers; the smaller factor first.
type Pair = ((usize, usize), (usize, usize));

/// Pairs that have run together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Covered(BTreeSet<Pair>);

impl Covered {
    /// Adds the pairs of a row. What names no factor or value of `factors` adds nothing: it is of another device.
    pub fn add(&mut self, factors: &[Factor], row: &Choice) {
        let values: Vec<(usize, usize)> = factors
            .iter()
            .enumerate()
            .filter_map(|(at, factor)| {
                let value = row.get(&factor.name)?;
                Some((at, factor.values.iter().position(|known| known == value)?))
            })
            .collect();
        self.0.extend(pairs_of(&values));
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pairs of `factors` that are not among them.
    #[must_use]
    pub fn open(&self, factors: &[Factor]) -> Vec<Choice> {
        let named = |(at, value): (usize, usize)| (factors[at].name.clone(), factors[at].values[value].clone());
        let open = all(factors).into_iter().filter(|pair| !self.0.contains(pair));
        open.map(|(one, other)| Choice::from([named(one), named(other)])).collect()
    }
}

/// Number of pairs of `factors`.
#[must_use]
pub fn pairs(factors: &[Factor]) -> usize {
    all(factors).len()
}

/// The next `count` rows after what is `covered`. Where nothing is open any more, a table begins anew.
#[must_use]
pub fn rows(factors: &[Factor], covered: &Covered, seed: u64, count: usize) -> Vec<Choice> {
    let mut draw = Draw(seed);
    let every = all(factors);
    let mut open: BTreeSet<Pair> = every.difference(&covered.0).copied().collect();
    let mut rows = Vec::new();
    for _ in 0..count {
        if open.is_empty() {
            open.clone_from(&every);
        }
        let candidates = (0..CANDIDATES).map(|_| candidate(factors, &open, &mut draw));
        let Some(row) = candidates.rev().max_by_key(|row| gain(&open, row)) else { break };
        let values: Vec<(usize, usize)> = row.iter().copied().enumerate().collect();
        for pair in pairs_of(&values) {
            open.remove(&pair);
        }
        let named = factors.iter().zip(&row).map(|(factor, at)| (factor.name.clone(), factor.values[*at].clone()));
        rows.push(named.collect());
    }
    rows
}

/// A row that begins with an open pair; each further factor, in a drawn order, takes the value that brings most pairs with those before it.
fn candidate(factors: &[Factor], open: &BTreeSet<Pair>, draw: &mut Draw) -> Vec<usize> {
    let mut row: Vec<Option<usize>> = vec![None; factors.len()];
    if let Some((one, other)) = open.iter().nth(draw.below(open.len())) {
        (row[one.0], row[other.0]) = (Some(one.1), Some(other.1));
    }
    let mut order: Vec<usize> = (0..factors.len()).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, draw.below(last + 1));
    }
    for at in order {
        if row[at].is_some() {
            continue;
        }
        let first = draw.below(factors[at].values.len());
        let brings = |value: usize| {
            let set = row.iter().enumerate().filter_map(|(other, v)| Some((other, (*v)?)));
            set.filter(|other| open.contains(&ordered((at, value), *other))).count()
        };
        let values = factors[at].values.len();
        // The first of the best from a drawn place on.
        let best = (0..values).map(|step| (first + step) % values).rev().max_by_key(|value| brings(*value));
        row[at] = best;
    }
    row.into_iter().map(|value| value.unwrap_or(0)).collect()
}

fn gain(open: &BTreeSet<Pair>, row: &[usize]) -> usize {
    let values: Vec<(usize, usize)> = row.iter().copied().enumerate().collect();
    pairs_of(&values).filter(|pair| open.contains(pair)).count()
}

fn all(factors: &[Factor]) -> BTreeSet<Pair> {
    let mut pairs = BTreeSet::new();
    for (one, first) in factors.iter().enumerate() {
        for (other, second) in factors.iter().enumerate().skip(one + 1) {
            let of = |values: &Factor| 0..values.values.len();
            pairs.extend(of(first).flat_map(|a| of(second).map(move |b| ((one, a), (other, b)))));
        }
    }
    pairs
}

fn pairs_of(values: &[(usize, usize)]) -> impl Iterator<Item = Pair> {
    values.iter().enumerate().flat_map(move |(at, one)| values[at + 1..].iter().map(|other| ordered(*one, *other)))
}

fn ordered(one: (usize, usize), other: (usize, usize)) -> Pair {
    if one.0 < other.0 { (one, other) } else { (other, one) }
}

/// Numbers from a seed (SplitMix64, by Steele, Lea and Flood).
struct Draw(u64);

impl Draw {
    /// A number below `count`; 0 where that is 0.
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % count.max(1) as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors() -> Vec<Factor> {
        let factor = |name: &str, values: usize| Factor {
            name: name.to_owned(),
            values: (0..values).map(|value| value.to_string()).collect(),
        };
        [("a", 2), ("b", 3), ("c", 3), ("d", 4), ("e", 4), ("f", 2)].map(|(name, values)| factor(name, values)).to_vec()
    }

    #[test]
    fn round_after_round_covers_every_pair_in_hardly_more_rows_than_must_be() {
        let factors = factors();
        assert_eq!(pairs(&factors), (18 * 18 - (4 + 9 + 9 + 16 + 16 + 4)) / 2);
        for seed in 0..40 {
            let mut covered = Covered::default();
            let mut rounds = 0;
            while !covered.open(&factors).is_empty() {
                let before = covered.len();
                for row in rows(&factors, &covered, seed + 1000 * rounds, 2) {
                    assert_eq!(row.len(), factors.len(), "a value for each factor");
                    covered.add(&factors, &row);
                }
                assert!(covered.len() > before, "a round that brings nothing while pairs are open");
                rounds += 1;
            }
            // Two factors of four values: 16 rows at least.
            assert!((8..=12).contains(&rounds), "seed {seed}: {rounds} rounds of 2 rows");
            assert_eq!(covered.len(), pairs(&factors));
        }
    }

    #[test]
    fn rows_depend_on_the_seed_and_on_nothing_else() {
        let (factors, none) = (factors(), Covered::default());
        assert_eq!(rows(&factors, &none, 7, 5), rows(&factors, &none, 7, 5));
        assert_ne!(rows(&factors, &none, 7, 5), rows(&factors, &none, 8, 5));
    }

    #[test]
    fn with_nothing_open_a_table_begins_anew() {
        let factors = factors();
        let mut covered = Covered::default();
        rows(&factors, &covered.clone(), 1, 40).iter().for_each(|row| covered.add(&factors, row));
        assert!(covered.open(&factors).is_empty());
        assert_eq!(rows(&factors, &covered, 3, 4), rows(&factors, &Covered::default(), 3, 4));
    }

    #[test]
    fn a_row_of_other_factors_covers_nothing() {
        let mut covered = Covered::default();
        covered.add(&factors(), &Choice::from([("a".to_owned(), "9".to_owned()), ("z".to_owned(), "0".to_owned())]));
        assert!(covered.is_empty());
    }
}
