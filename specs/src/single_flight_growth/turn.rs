//! A thread on its way to a block: the search, the turn, and what the device answers.

use super::{At, Bug, Came, Config, LARGE, SMALL, Segment, State};

impl Config {
    pub(super) fn go(&self, s: &mut State, t: usize) {
        s.at[t] = match s.at[t] {
            At::Away => {
                s.to_go[t] -= 1;
                At::Searching
            }
            At::Searching => Self::search(s, t),
            At::Asking => self.ask(s),
            At::Asleep { .. } if s.growing => At::Asleep { woken: false },
            At::Asleep { .. } => At::Searching,
            At::AtDevice(LARGE) => At::AskingAgain,
            At::AtDevice(blocks) => At::Ending(Came::NoRoom, blocks),
            At::AskingAgain => At::Lessening(0),
            At::Lessening(given) => {
                if !self.has(Bug::RetryKeepsBoth) {
                    s.reserved -= LARGE - SMALL;
                }
                if given > 0 { At::Rounding(given, SMALL) } else { At::Ending(Came::NoRoom, SMALL) }
            }
            At::Rounding(given, reserved) => self.round(s, given, reserved),
            At::Adopting(blocks) if self.has(Bug::EndedFirst) => {
                self.end(s, 0);
                At::LateAdopting(blocks)
            }
            At::Adopting(blocks) => {
                s.put(t, blocks);
                At::Ending(Came::Grown, 0)
            }
            At::LateAdopting(blocks) => {
                s.put(t, blocks);
                At::Searching
            }
            At::GivingBack(given, reserved) => {
                s.given -= given;
                At::Ending(Came::NoRoom, reserved)
            }
            At::Ending(came, blocks) => {
                if came != Came::Failed || !self.has(Bug::TurnKeptOnError) {
                    self.end(s, blocks);
                }
                match came {
                    Came::Grown => At::Searching,
                    Came::NoRoom => At::Stealing,
                    Came::Failed => At::Away,
                }
            }
            At::Stealing => s.take(|segment| segment.home.is_some_and(|home| home != t)).map_or(At::Away, At::Holding),
            At::Holding(segment) => {
                s.segments[segment].iter_mut().for_each(|segment| segment.free += 1);
                At::Away
            }
        };
    }

    /// The own pool, then a segment at rest, which becomes the pool's. Under the pool's lock, with the heap's inside.
    fn search(s: &mut State, t: usize) -> At {
        if let Some(segment) = s.take(|segment| segment.home == Some(t)) {
            return At::Holding(segment);
        }
        let Some(at) = s.take(|segment| segment.home.is_none()) else { return At::Asking };
        s.segments[at].iter_mut().for_each(|segment| segment.home = Some(t));
        At::Holding(at)
    }

    /// Takes the turn with a large segment's bytes, or a small one's; or sleeps until it has ended. Under the heap's lock.
    fn ask(&self, s: &mut State) -> At {
        if s.growing && !self.has(Bug::NoTurn) {
            return At::Asleep { woken: false };
        }
        let Some(blocks) = [LARGE, SMALL].into_iter().find(|blocks| s.reserved + blocks <= self.budget) else {
            return At::Stealing;
        };
        s.reserved += blocks;
        s.growing = true;
        At::AtDevice(blocks)
    }

    /// The device gave what was asked for, and `extra`.
    pub(super) fn given(&self, s: &mut State, t: usize, extra: u8) {
        s.at[t] = match s.at[t] {
            At::AtDevice(blocks) => {
                s.given += blocks + extra;
                At::Rounding(blocks + extra, blocks)
            }
            _ => {
                s.given += SMALL + extra;
                At::Lessening(SMALL + extra)
            }
        };
    }

    pub(super) fn failed(&self, s: &mut State, t: usize) {
        let reserved = if let At::AtDevice(blocks) = s.at[t] { blocks } else { LARGE };
        s.at[t] = At::Ending(Came::Failed, reserved);
    }

    pub(super) fn refused(&self, s: &mut State, t: usize) {
        if let At::Adopting(blocks) | At::LateAdopting(blocks) = s.at[t] {
            s.at[t] = At::GivingBack(blocks, blocks);
        }
    }

    /// What the device gave beyond the request must fit too. Under the heap's lock.
    fn round(&self, s: &mut State, given: u8, reserved: u8) -> At {
        let extra = given - reserved;
        if self.has(Bug::RoundingUnchecked) {
            return At::Adopting(given);
        }
        if s.reserved + extra > self.budget {
            return At::GivingBack(given, reserved);
        }
        s.reserved += extra;
        At::Adopting(given)
    }

    /// The end of a turn: bytes that came to nothing go back to the budget, and all that sleep are woken. Under the heap's lock.
    fn end(&self, s: &mut State, blocks: u8) {
        s.growing = false;
        if !self.has(Bug::FailureKeepsBytes) {
            s.reserved -= blocks;
        }
        let sleeps = |at: &&mut At| **at == At::Asleep { woken: false };
        let woken = match () {
            () if self.has(Bug::NoWakeUp) => 0,
            () if self.has(Bug::WakesOne) => 1,
            () => s.at.len(),
        };
        s.at.iter_mut().filter(sleeps).take(woken).for_each(|at| *at = At::Asleep { woken: true });
    }
}

impl State {
    /// A segment of the device, in the pool of `t`.
    fn put(&mut self, t: usize, blocks: u8) {
        if let Some(place) = self.segments.iter_mut().find(|place| place.is_none()) {
            *place = Some(Segment { blocks, free: blocks, home: Some(t) });
        }
    }
}
