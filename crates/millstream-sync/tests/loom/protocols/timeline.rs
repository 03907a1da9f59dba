//! A stream whose work fails, and who looks at it meanwhile.

use millstream_sync::timeline::Timeline;
use millstream_sync::{Arc, thread};

use super::watched::Watched;
use crate::checks::Case;

pub fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "timeline/who_sees_a_position_knows_whether_it_is_lost",
            bound: 3,
            pinned: 68,
            bugs: &[],
            body: lost_or_not,
        },
        Case {
            name: "timeline/who_sees_a_position_sees_its_value_and_the_cause_of_a_loss",
            bound: 3,
            pinned: 17,
            bugs: &[],
            body: value_and_cause,
        },
        Case { name: "timeline/a_loss_goes_on_through_a_wait", bound: 3, pinned: 199, bugs: &[], body: through_a_wait },
    ]
}

struct Stream {
    timeline: Timeline,
    /// What the first operation writes.
    value: Watched,
    /// The failure of the device.
    fault: Watched,
}

impl Stream {
    fn new() -> Arc<Self> {
        Arc::new(Self { timeline: Timeline::new(), value: Watched::new(0), fault: Watched::new(0) })
    }

    fn succeed(&self, position: u64) {
        self.value.write(1);
        self.timeline.reach(position);
    }

    /// As a driver does whose kernel panics: the cause is told before.
    fn fail(&self, position: u64) {
        self.fault.write(7);
        self.timeline.fail(position);
    }
}

// The driver is the first thread: see `ring`.

fn lost_or_not() {
    let timeline = Arc::new(Timeline::new());
    let other = Arc::clone(&timeline);
    let reader = thread::spawn(move || {
        let reached = other.reached();
        for position in 2..=reached {
            assert!(other.is_lost(position), "a lost position passes for a good one");
            assert_eq!(other.lost_from(), Some(2), "it is lost from elsewhere on");
        }
        assert!(!other.is_lost(1), "it came before the failure");
    });
    timeline.reach(1);
    timeline.fail(2);
    timeline.lose_rest();
    timeline.reach(3);
    reader.join().expect("reading does not panic");
}

fn value_and_cause() {
    let stream = Stream::new();
    let other = Arc::clone(&stream);
    let reader = thread::spawn(move || {
        let reached = other.timeline.reached();
        if reached >= 1 {
            assert_eq!(other.value.read(), 1, "the value of a reached position is not there");
        }
        if reached >= 2 {
            assert_eq!(other.fault.read(), 7, "the cause is not there");
        }
    });
    stream.succeed(1);
    stream.fail(2);
    reader.join().expect("reading does not panic");
}

fn through_a_wait() {
    let (first, second) = (Stream::new(), Stream::new());
    let (waited_for, waiting) = (Arc::clone(&first), Arc::clone(&second));
    let driver = thread::spawn(move || {
        if waited_for.timeline.reached() < 1 {
            return;
        }
        if waited_for.timeline.is_lost(1) {
            waiting.timeline.lose_rest();
        }
        waiting.timeline.reach(1);
    });
    let (cause, looked_at) = (Arc::clone(&first), Arc::clone(&second));
    let reader = thread::spawn(move || {
        if looked_at.timeline.reached() == 1 {
            assert!(looked_at.timeline.is_lost(1), "the loss ended at the wait");
            assert_eq!(cause.fault.read(), 7, "the cause is not there");
        }
    });
    first.fail(1);
    driver.join().expect("driving does not panic");
    reader.join().expect("reading does not panic");
}
