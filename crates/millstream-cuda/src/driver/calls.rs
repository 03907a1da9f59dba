//! How often the driver was called, by kind.
//!
//! Twenty threads launch at once, so the counts lie in stripes, each on lines of its own: a launch counts in that of its stream, and no two threads write to one line but by a collision.

use millstream_hal::DriverCalls;
use millstream_sync::Count;

use super::Handle;

const STRIPES_LOG2: u32 = 7;

#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe {
    enqueues: Count,
    questions: Count,
    others: Count,
}

/// The counts.
#[derive(Debug)]
pub(crate) struct Calls(Box<[Stripe]>);

impl Calls {
    pub(super) fn new() -> Self {
        Self((0..1 << STRIPES_LOG2).map(|_| Stripe::default()).collect())
    }

    /// The upper bits of a product: handles are addresses, whose lower bits are alike.
    #[inline]
    fn of(&self, handle: Handle) -> &Stripe {
        let mixed = (handle as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        &self.0[(mixed >> (u64::BITS - STRIPES_LOG2)) as usize]
    }

    /// An enqueue on `stream`.
    #[inline]
    pub(super) fn enqueue(&self, stream: Handle) {
        self.of(stream).enqueues.hit();
    }

    /// A question about `event`.
    #[inline]
    pub(super) fn question(&self, event: Handle) {
        self.of(event).questions.hit();
    }

    pub(super) fn other(&self) {
        self.0[0].others.hit();
    }

    pub(crate) fn read(&self) -> DriverCalls {
        self.0.iter().fold(DriverCalls::default(), |mut sum, stripe| {
            sum.enqueues += stripe.enqueues.get();
            sum.questions += stripe.questions.get();
            sum.others += stripe.others.get();
            sum
        })
    }
}
