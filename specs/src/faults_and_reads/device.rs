//! The device: it runs, fails or skips, and carries the poison from stream to stream.

use super::{Bug, Config, Item, State, Stream, Value};

impl Config {
    pub(super) fn poison(&self, stream: &mut Stream, position: u8) {
        if stream.poisoned.is_none_or(|from| position < from || self.has(Bug::MovedOn)) {
            stream.poisoned = Some(position);
        }
    }

    pub(super) fn can_run(&self, s: &State, stream: usize) -> bool {
        match s.streams[stream].queue.first() {
            None => false,
            Some(Item::Wait(mark)) => s.is_reached(*mark),
            Some(Item::Launch(position)) => {
                !(s.streams[stream].is_poisoned(*position) && self.has(Bug::LostNeverReached))
                    || s.streams[stream].failing > 0
            }
        }
    }

    pub(super) fn run(&self, s: &mut State, stream: usize) {
        match s.streams[stream].queue[0] {
            Item::Wait(mark) => {
                let at = if self.has(Bug::WaitForTheWorst) { u8::MAX } else { mark.1 };
                if s.streams[mark.0].is_poisoned(at) && !self.has(Bug::WaitWithoutPoison) {
                    let to = &mut s.streams[stream];
                    let next = if self.has(Bug::MarkedBehind) { to.position } else { to.position + 1 };
                    self.poison(to, next);
                }
            }
            Item::Launch(position) if s.streams[stream].failing > 0 => {
                if !self.goes_on_failing(s, stream, position) {
                    return;
                }
            }
            Item::Launch(position) => {
                let operation = s.operation((stream, position));
                let good = operation.input.is_none_or(|input| s.operation(input).value == Value::Right);
                let to = &mut s.streams[stream];
                let ran = good && !to.is_poisoned(position);
                to.operations[usize::from(position) - 1].value = if ran { Value::Right } else { Value::Wrong };
                to.position = position;
            }
        }
        s.streams[stream].queue.remove(0);
    }

    pub(super) fn fail(&self, s: &mut State, stream: usize, position: u8) {
        s.failed.push((stream, position));
        s.streams[stream].operations[usize::from(position) - 1].value = Value::Wrong;
        self.goes_on_failing(s, stream, position);
    }

    /// The fault, then the poison, then the position. Says whether that was all.
    pub(super) fn goes_on_failing(&self, s: &mut State, stream: usize, position: u8) -> bool {
        let order = match self.bug {
            Some(Bug::PositionFirst) => [0, 2, 1],
            Some(Bug::FaultLast) => [1, 2, 0],
            _ => [0, 1, 2],
        };
        let to = &mut s.streams[stream];
        match order[to.failing] {
            0 => s.fault = true,
            1 => self.poison(to, position),
            _ => to.position = position,
        }
        to.failing = (to.failing + 1) % order.len();
        to.failing == 0
    }
}
