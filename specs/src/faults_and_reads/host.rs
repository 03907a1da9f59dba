//! The host: one thread that launches, and one that asks what it may believe.

use super::{Bug, Config, Item, Operation, Stamp, State, Value};

/// Where the host is with a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Host {
    /// Without one.
    Idle,
    /// About to make the stream wait for this position.
    Waiting(usize, Stamp, u8),
    /// About to ask the backend whether it takes a launch.
    Checking(usize, Option<Stamp>),
    /// May launch, about to.
    Pushing(usize, Option<Stamp>),
    /// Was refused, as every later launch will be.
    Refused,
}

/// Why the poison is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// A read.
    Read,
    /// A query of an event, before it looks at the position.
    Early,
    /// A query of an event that has seen the position reached.
    Late,
}

/// Where the question is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Question {
    /// There is none.
    None,
    /// A read waits for the position.
    Awaiting(Stamp),
    /// A query is about to look at the position.
    Looking(Stamp),
    /// About to look for a fault.
    Asking(Stamp, Why),
    /// There is a fault, about to look at the poison.
    Judging(Stamp, Why),
}

impl State {
    /// Orders what the stream gets next after the position.
    fn order(&mut self, stream: usize, after: Stamp) {
        let clock = self.operation(after).clock.clone();
        self.streams[stream].seen[after.0] = after.1;
        self.streams[stream].join(&clock);
    }
}

impl Config {
    /// The stream of a launch is ordered after its input already, or the input is complete, or a wait is needed.
    pub(super) fn launch(&self, s: &mut State, stream: usize, input: Option<(Stamp, u8)>) {
        s.launches -= 1;
        s.host = Host::Checking(stream, input.map(|(stamp, _)| stamp));
        let Some((stamp, at)) = input else { return };
        if s.streams[stream].seen[stamp.0] >= stamp.1 {
            return;
        }
        if s.is_reached(stamp) {
            s.order(stream, (stamp.0, s.streams[stamp.0].position));
        } else {
            s.host = Host::Waiting(stream, stamp, at);
        }
    }

    pub(super) fn host_goes(&self, s: &mut State) {
        s.host = match s.host {
            Host::Waiting(stream, input, at) => {
                let mark = (input.0, at);
                // The backend makes no wait for what is complete and right.
                if !s.is_reached(mark) || s.streams[mark.0].is_poisoned(at) {
                    s.streams[stream].queue.push(Item::Wait(mark));
                }
                s.order(stream, mark);
                Host::Checking(stream, Some(input))
            }
            Host::Checking(..) if s.fault && !self.has(Bug::NotRefused) => Host::Refused,
            Host::Checking(stream, input) => Host::Pushing(stream, input),
            Host::Pushing(stream, input) => {
                let to = &mut s.streams[stream];
                let position = to.tail() + 1;
                to.clock[stream] = position;
                to.operations.push(Operation { input, clock: to.clock.clone(), value: Value::Nothing });
                to.queue.push(Item::Launch(position));
                Host::Idle
            }
            host @ (Host::Idle | Host::Refused) => host,
        };
    }

    pub(super) fn can_ask(&self, s: &State) -> bool {
        match s.question {
            Question::None => false,
            Question::Awaiting(stamp) => s.is_reached(stamp),
            Question::Looking(_) | Question::Asking(..) | Question::Judging(..) => true,
        }
    }

    pub(super) fn ask(&self, s: &mut State) {
        match s.question {
            Question::None => {}
            Question::Awaiting(stamp) if self.has(Bug::SuccessAfterFault) || self.has(Bug::AskedFirst) => {
                self.answer(s, stamp, Why::Read, false);
            }
            Question::Awaiting(stamp) => s.question = Question::Asking(stamp, Why::Read),
            Question::Looking(stamp) if !s.is_reached(stamp) => s.question = Question::None,
            Question::Looking(stamp) if self.has(Bug::EventByPosition) => self.answer(s, stamp, Why::Late, false),
            Question::Looking(stamp) => s.question = Question::Asking(stamp, Why::Late),
            Question::Asking(stamp, why) if s.fault => s.question = Question::Judging(stamp, why),
            Question::Asking(stamp, why) => self.stands(s, stamp, why),
            Question::Judging(stamp, why) => {
                let all = why == Why::Read && self.has(Bug::AllRefused);
                if s.streams[stamp.0].is_poisoned(stamp.1) || all {
                    self.answer(s, stamp, why, true);
                } else {
                    self.stands(s, stamp, why);
                }
            }
        }
    }

    /// Nothing is known against the position: final where it was seen reached.
    pub(super) fn stands(&self, s: &mut State, stamp: Stamp, why: Why) {
        match why {
            Why::Early => s.question = Question::Looking(stamp),
            Why::Read if self.has(Bug::AskedFirst) => s.question = Question::Awaiting(stamp),
            Why::Read | Why::Late => self.answer(s, stamp, why, false),
        }
    }

    pub(super) fn answer(&self, s: &mut State, stamp: Stamp, why: Why, refused: bool) {
        s.question = Question::None;
        let lost = s.is_lost(stamp);
        match why {
            Why::Read if refused => s.kept_back |= !lost,
            Why::Read => s.lost_read |= lost || s.operation(stamp).value != Value::Right,
            Why::Early | Why::Late => s.event_lied |= refused != lost,
        }
    }
}
