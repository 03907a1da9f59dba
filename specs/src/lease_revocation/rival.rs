//! A thread that wants the stream: it revokes the lease, empties the cache of its owner and frees the slot.

use super::{Bug, Config, State, Word};

/// Where a rival is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rival {
    /// Wants a stream.
    Wanting,
    /// Has the bins, about to exchange the word.
    Revoking,
    /// `LookThenRevoke`: saw the word idle, about to write it.
    Writing,
    /// Let the bins go in vain, about to look whether the owner has closed the lease.
    LookingBack,
    /// Revoked the lease, about to empty the cache and let the bins go.
    Emptying,
    /// About to free the slot.
    Freeing,
    /// Holds the slot.
    Using,
    /// Gave it back.
    Done,
}

impl Config {
    pub(super) fn revoked(&self, s: &mut State, rival: usize) {
        s.word = Word::Revoked;
        s.rivals[rival] = if self.has(Bug::FreedFirst) { Rival::Freeing } else { Rival::Emptying };
    }

    pub(super) fn wants(&self, s: &mut State, rival: usize) {
        match s.rivals[rival] {
            Rival::Wanting if s.claims == 0 => {
                s.claims += 1;
                s.rivals[rival] = Rival::Using;
            }
            Rival::Wanting => {
                s.bins = Some(rival);
                s.rivals[rival] = Rival::Revoking;
            }
            Rival::Revoking if s.word == Word::Idle && self.has(Bug::LookThenRevoke) => {
                s.rivals[rival] = Rival::Writing;
            }
            Rival::Revoking if s.word == Word::Idle => self.revoked(s, rival),
            Rival::Revoking if s.word == Word::Busy && self.has(Bug::RevokeBusy) => self.revoked(s, rival),
            Rival::Revoking => {
                s.bins = None;
                s.rivals[rival] = if self.has(Bug::LeftBehind) { Rival::Wanting } else { Rival::LookingBack };
            }
            Rival::LookingBack => {
                if s.word == Word::Closed && s.bins.is_none() {
                    s.home += std::mem::take(&mut s.cached);
                }
                s.rivals[rival] = Rival::Wanting;
            }
            Rival::Writing => self.revoked(s, rival),
            Rival::Emptying => {
                let taken = std::mem::take(&mut s.cached);
                s.home += if self.has(Bug::CacheDropped) { 0 } else { taken };
                s.bins = None;
                s.rivals[rival] = if self.has(Bug::FreedFirst) { Rival::Wanting } else { Rival::Freeing };
            }
            Rival::Freeing => {
                s.claims -= 1;
                s.rivals[rival] = if self.has(Bug::FreedFirst) { Rival::Emptying } else { Rival::Wanting };
            }
            Rival::Using => {
                s.claims -= 1;
                s.rivals[rival] = Rival::Done;
            }
            Rival::Done => {}
        }
    }

    pub(super) fn can_want(&self, s: &State, rival: usize) -> bool {
        match s.rivals[rival] {
            // Looking again and again at a lease that cannot be had is no step.
            Rival::Wanting => {
                let to_be_had = s.word == Word::Idle || (s.word == Word::Busy && self.has(Bug::RevokeBusy));
                s.claims == 0 || (s.bins.is_none() && to_be_had)
            }
            Rival::Done => false,
            _ => true,
        }
    }
}
