//! In work.

use super::{Context, Outcome};
use crate::model::Attempt;

/// Runs the attempt.
pub fn run(_context: &Context<'_>) -> Outcome {
    Outcome { attempt: Attempt::new("thread_local", "Thread-Local Storage Analysis"), findings: Vec::new() }
}
