//! Failures of driver calls that have nobody to tell: of a drop, and of undoing after another failure. Counted for the process, since their device may be gone; the first one is kept.

use millstream_sync::OnceLock;
use millstream_sync::atomic::{AtomicU64, Ordering};

use crate::driver::{Answer, Driver};

static COUNT: AtomicU64 = AtomicU64::new(0);
static FIRST: OnceLock<String> = OnceLock::new();

/// Driver calls of this process that failed where nobody could be told: when a backend was dropped, or when something was undone after another failure. What fails while a
/// device lives is told by its calls.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnheardErrors {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: Option<String>,
}

/// The failures so far.
#[must_use]
pub fn unheard_errors() -> UnheardErrors {
    UnheardErrors { count: COUNT.load(Ordering::Relaxed), first: FIRST.get().cloned() }
}

/// Keeps the failure of `answer`, if it is one.
pub(crate) fn keep(driver: &Driver, when: &str, answer: Answer) {
    if let Err(code) = answer {
        FIRST.get_or_init(|| format!("{}, reported when {when}", driver.describe(code)));
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
}
