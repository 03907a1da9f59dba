//! Vector clocks (Fidge 1988, Mattern 1989): one counter per stream.

/// How far each stream is known to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct VectorClock(Vec<u64>);

impl VectorClock {
    pub(crate) fn at(&self, stream: usize) -> u64 {
        self.0.get(stream).copied().unwrap_or(0)
    }

    /// Counts one operation of `stream` and returns its number.
    pub(crate) fn tick(&mut self, stream: usize) -> u64 {
        self.set(stream, self.at(stream) + 1);
        self.at(stream)
    }

    pub(crate) fn set(&mut self, stream: usize, tick: u64) {
        if self.0.len() <= stream {
            self.0.resize(stream + 1, 0);
        }
        self.0[stream] = tick;
    }

    /// Knows afterwards what either knew.
    pub(crate) fn join(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = (*mine).max(*theirs);
        }
    }

    /// Whether `other` knows all that this one knows.
    pub(crate) fn is_known_to(&self, other: &Self) -> bool {
        self.0.iter().enumerate().all(|(stream, tick)| *tick <= other.at(stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_knows_both_and_neither_knew_the_other() {
        let (mut a, mut b) = (VectorClock::default(), VectorClock::default());
        a.tick(0);
        b.tick(2);
        assert!(!a.is_known_to(&b) && !b.is_known_to(&a));
        b.join(&a);
        assert!(a.is_known_to(&b));
        assert_eq!((b.at(0), b.at(1), b.at(2), b.at(9)), (1, 0, 1, 0));
    }
}
