//! Errors of a drop, a give-back or a thread's exit, which have no caller to return to: counted, the first one kept.
//!
//! A device keeps its own; the process keeps those of all devices, since some come when a device's record ends and nobody can ask it any more.

use std::any::Any;
use std::error::Error;
use std::fmt;

use millstream_sync::OnceLock;

use super::{Evidence, Step, totals};

/// An error that came where nobody could be told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DropError {
    /// What was tried.
    pub doing: &'static str,
    /// What went wrong.
    pub reason: String,
}

/// Errors that came where nobody could be told: how many, and the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DropErrors {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: Option<DropError>,
}

impl fmt::Display for DropErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.first {
            None => f.write_str("none"),
            Some(DropError { doing, reason }) => write!(f, "{}, the first while {doing}: {reason}", self.count),
        }
    }
}

/// The first of all devices of this process.
static FIRST: OnceLock<DropError> = OnceLock::new();

/// Errors of drops on all devices of this process, ended ones too.
#[must_use]
pub fn drop_errors() -> DropErrors {
    DropErrors { count: totals()[Step::DropFailed as usize], first: FIRST.get().cloned() }
}

impl Evidence {
    /// Errors of drops on this device, so far. The text of the first may come a moment after its count.
    #[must_use]
    pub fn drop_errors(&self) -> DropErrors {
        DropErrors { count: self.count(Step::DropFailed), first: self.first_drop_error.get().cloned() }
    }

    /// Keeps the error of a call whose caller has nobody to tell.
    pub(crate) fn keep<E: Error>(&self, doing: &'static str, result: Result<(), E>) {
        if let Err(error) = result {
            self.keep_reason(doing, || in_words(&error));
        }
    }

    /// Keeps what a caught panic said.
    pub(crate) fn keep_panic(&self, doing: &'static str, panic: &(dyn Any + Send)) {
        let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref().map(String::as_str));
        self.keep_reason(doing, || format!("a panic: {}", text.unwrap_or("without words")));
    }

    #[cold]
    fn keep_reason(&self, doing: &'static str, reason: impl FnOnce() -> String) {
        let first = self.first_drop_error.get_or_init(|| DropError { doing, reason: reason() });
        FIRST.get_or_init(|| first.clone());
        self.hit(Step::DropFailed);
    }
}

/// An error with those below it, in one line.
fn in_words(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        words = format!("{words}: {error}");
        below = error.source();
    }
    words
}
