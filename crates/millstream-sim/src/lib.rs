//! A deterministic adversarial backend: any legal completion order, injected failures, a vector-clock checker.
//!
//! The sim is a device that lives inside its caller. An enqueue only queues; at each call a seed decides how many operations run and
//! which of those that are legally next. So work completes as late, as early and in as strange an order as the contract allows, and
//! under a scheduled run ([`millstream_sync::schedule`]) all of it is a function of the seed. Its memory has addresses that
//! mean nothing to the host, its values come from the interpreter of millstream-conformance, and it never tells
//! [`completed`](millstream_hal::Backend::completed), so the runtime has to use events. It measures no performance and has no threads.
//!
//! **Invariants**
//! * `legal-order`: an operation runs after all earlier ones of its stream and after the marks that its stream waited for.
//! * `sim-deterministic`: same seed, options and order of calls give the same trace, byte for byte.
//! * `no-false-alarm`: a program that keeps the contract of millstream-hal causes no finding.
//!
//! **Locks** none: the engine lies behind an owner word; who does not get it yields and tries again.
//!
//! **Checked by** the conformance suite, tests/checker (each rule fires on its misuse), tests/determinism.
#![forbid(unsafe_code)]

mod backend;
mod checker;
mod clock;
mod engine;
mod finding;
mod marks;
mod memory;
mod options;
mod shadow;
mod staging;

pub use backend::SimBackend;
pub use finding::{Access, Finding, Race};
pub use options::{Injections, SimOptions};
