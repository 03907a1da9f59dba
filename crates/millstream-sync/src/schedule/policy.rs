//! Policies: how a seed picks the next thread.
//!
//! PCT is Burckhardt, Kothari, Musuvathi and Nagarakatte, "A randomized scheduler with probabilistic guarantees of finding bugs"
//! (ASPLOS 2010).

/// SplitMix64 (Steele, Lea and Flood, 2014): the numbers behind every choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dice(u64);

impl Dice {
    /// Dice of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is not zero; the bias is below `n / 2^64`.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.word()) * n as u128) >> 64) as usize
    }

    /// True once in `n` throws on average.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// How the next thread is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Each thread that can run is as likely as the others.
    Uniform,
    /// The thread of the highest priority runs; `depth - 1` times in the first `steps` points the running one drops below all others.
    /// Finds a bug that needs `depth` ordered events with probability 1 / (threads * steps^(depth - 1)).
    Pct {
        /// Ordered events that the bug needs.
        depth: u32,
        /// Points that a run is expected to have.
        steps: u64,
    },
}

/// Points in a row after which a thread loses its priority: a loop that only offers the baton must not keep it for ever.
const UNFAIR_AFTER: u32 = 1_000;

/// A policy at work.
#[derive(Debug)]
pub(super) struct Chooser {
    dice: Dice,
    pct: Option<Pct>,
}

#[derive(Debug)]
struct Pct {
    priorities: Vec<i64>,
    changes: Vec<u64>,
    lowest: i64,
    in_a_row: (usize, u32),
}

impl Chooser {
    pub(super) fn new(policy: Policy, seed: u64, threads: usize) -> Self {
        let mut dice = Dice::new(seed);
        let pct = match policy {
            Policy::Uniform => None,
            Policy::Pct { depth, steps } => {
                let mut priorities: Vec<i64> = (1..=threads as i64).collect();
                for i in (1..threads).rev() {
                    priorities.swap(i, dice.below(i + 1));
                }
                let span = steps.max(1) as usize;
                let changes = (1..depth.max(1)).map(|_| dice.below(span) as u64).collect();
                Some(Pct { priorities, changes, lowest: 0, in_a_row: (0, 0) })
            }
        };
        Self { dice, pct }
    }

    /// `thread` has waited for long: those that wait below it get a turn.
    pub(super) fn tire(&mut self, thread: usize) {
        if let Some(pct) = &mut self.pct {
            pct.lowest -= 1;
            pct.priorities[thread] = pct.lowest;
        }
    }

    /// Picks one of `able`, which is not empty and in order. `step` counts the points before this one; `running` reached it.
    pub(super) fn pick(&mut self, able: &[usize], running: usize, step: u64) -> usize {
        let Some(pct) = &mut self.pct else {
            return able[self.dice.below(able.len())];
        };
        pct.in_a_row = if pct.in_a_row.0 == running { (running, pct.in_a_row.1 + 1) } else { (running, 1) };
        if pct.changes.contains(&step) || pct.in_a_row.1 > UNFAIR_AFTER {
            pct.lowest -= 1;
            pct.priorities[running] = pct.lowest;
            pct.in_a_row.1 = 0;
        }
        able.iter().copied().max_by_key(|t| pct.priorities[*t]).unwrap_or(running)
    }
}
