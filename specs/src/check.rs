//! The runner of one case: explores a model exhaustively and compares what it finds with what the case's table says.
//!
//! It exists so that the models share one idea of "holds", "fails" and "cannot move"; it changes when what a case
//! reports changes. It knows no protocol. It checks safety only: every property is a predicate over one reachable
//! state. What has to happen in the end is put as a predicate over the states in which nothing moves any more.
//!
//! **Invariants**
//! - `counts-are-pinned`: a case that holds was explored completely and reached exactly the number of states in its table.
//! - `witnesses-are-reached`: a case that holds reached every situation that its model names with `sometimes`.
//!
//! **Checked by** `tests/cases.rs`.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::time::Instant;

use serde::Serialize;
use stateright::{Checker, Expectation, HasDiscoveries, Model};

/// A model with its table of configurations; the configuration is the model.
pub trait Protocol:
    Model<State: Clone + Debug + Hash + PartialEq + Send + Sync, Action: Clone + Debug + PartialEq>
where
    Self: Copy + Send + Sync + 'static,
{
    /// The file name of the model without its ending.
    const SPEC: &'static str;
    /// Every configuration that is checked, with what must come out.
    const CASES: &'static [Case<Self>];
    /// The bug that this configuration carries, by name.
    fn bug(&self) -> Option<String>;
}

/// What every model's `Config` has: a name, a table, and a place for one of the model's `Bug`s.
macro_rules! protocol {
    ($spec:literal) => {
        impl Config {
            /// The same configuration with this bug planted.
            const fn with(self, bug: Bug) -> Self {
                Self { bug: Some(bug), ..self }
            }

            fn has(&self, bug: Bug) -> bool {
                self.bug == Some(bug)
            }
        }

        impl $crate::check::Protocol for Config {
            const SPEC: &'static str = $spec;
            const CASES: &'static [Case<Self>] = CASES;

            fn bug(&self) -> Option<String> {
                self.bug.map(|bug| format!("{bug:?}"))
            }
        }
    };
}
pub(crate) use protocol;

/// One row of a model's table.
#[derive(Debug, Clone, Copy)]
pub struct Case<M> {
    /// What the row is about, unique within its model.
    pub name: &'static str,
    /// The model to explore.
    pub config: M,
    /// What must come out.
    pub expected: Expected,
}

impl<M: Copy> Case<M> {
    /// A row whose model keeps all its properties over exactly this many states.
    pub const fn holds(name: &'static str, config: M, states: usize) -> Self {
        Self { name, config, expected: Expected::Holds { states } }
    }

    /// A row whose model breaks this property.
    pub const fn fails(name: &'static str, config: M, property: &'static str) -> Self {
        Self { name, config, expected: Expected::Fails { property } }
    }
}

/// What a row of the table promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Expected {
    /// No property is broken, and exactly this many different states are reachable.
    Holds {
        /// The pinned count.
        states: usize,
    },
    /// This property is broken in some reachable state.
    Fails {
        /// Its short name.
        property: &'static str,
    },
}

/// What exploring the model found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    /// Explored completely, nothing broken.
    Holds,
    /// At least one property is broken.
    Fails {
        /// Short names of the properties seen broken before the exploration stopped.
        properties: Vec<String>,
        /// The steps that lead to the first of them.
        trace: Vec<String>,
    },
}

/// The result of one case.
#[derive(Debug, Clone, Serialize)]
pub struct CaseReport {
    /// The model.
    pub spec: String,
    /// The row of its table.
    pub case: String,
    /// The bug that was planted, if any.
    pub bug: Option<String>,
    /// Different states reached; for a case that fails, up to the point where the exploration stopped.
    pub states: usize,
    /// Wall-clock time of the exploration.
    pub seconds: f64,
    /// What the table says.
    pub expected: Expected,
    /// What was found.
    pub outcome: Outcome,
    /// Whether the two agree.
    pub ok: bool,
}

/// Whether the model has any step to take in this state.
pub fn can_move<M: Model>(model: &M, state: &M::State) -> bool {
    let mut actions = Vec::new();
    model.actions(state, &mut actions);
    actions.into_iter().any(|action| model.next_state(state, action).is_some())
}

/// Explores one case: completely if it is expected to hold, else until the expected property is broken.
pub fn check<M: Protocol>(case: &Case<M>) -> CaseReport {
    let start = Instant::now();
    let builder = case.config.checker().threads(1);
    let builder = match case.expected {
        Expected::Holds { .. } => builder.finish_when(HasDiscoveries::AnyFailures),
        Expected::Fails { property } => builder.finish_when(HasDiscoveries::AllOf(BTreeSet::from([property]))),
    };
    let checker = builder.spawn_bfs().join();
    let states = checker.unique_state_count();
    let outcome = outcome(&case.config, case.expected, checker.discoveries());
    let ok = match (case.expected, &outcome) {
        (Expected::Holds { states: pinned }, Outcome::Holds) => pinned == states,
        (Expected::Fails { property }, Outcome::Fails { properties, .. }) => {
            properties.iter().any(|name| name == property)
        }
        (Expected::Holds { .. }, Outcome::Fails { .. }) | (Expected::Fails { .. }, Outcome::Holds) => false,
    };
    CaseReport {
        spec: M::SPEC.to_owned(),
        case: case.name.to_owned(),
        bug: case.config.bug(),
        states,
        seconds: start.elapsed().as_secs_f64(),
        expected: case.expected,
        outcome,
        ok,
    }
}

type Discoveries<M> =
    std::collections::HashMap<&'static str, stateright::Path<<M as Model>::State, <M as Model>::Action>>;

/// Names what is broken: an `always` with a counterexample, or, where the exploration was complete, a `sometimes` without
/// an example. The expected property comes first and gives the trace.
fn outcome<M: Protocol>(model: &M, expected: Expected, discoveries: Discoveries<M>) -> Outcome {
    let mut broken: Vec<&'static str> = Vec::new();
    for property in model.properties() {
        if property.expectation == Expectation::Always && discoveries.contains_key(property.name) {
            broken.push(property.name);
        }
    }
    if let (true, Expected::Holds { .. }) = (broken.is_empty(), expected) {
        let witnesses =
            model.properties().into_iter().filter(|property| property.expectation == Expectation::Sometimes);
        broken.extend(witnesses.map(|property| property.name).filter(|name| !discoveries.contains_key(name)));
    }
    if let Expected::Fails { property } = expected {
        broken.sort_by_key(|name| *name != property);
    }
    let Some(first) = broken.first() else {
        return Outcome::Holds;
    };
    let trace = discoveries.get(first).map(|path| path.clone().into_actions()).unwrap_or_default();
    Outcome::Fails {
        properties: broken.iter().map(|name| (*name).to_owned()).collect(),
        trace: trace.iter().map(|action| format!("{action:?}")).collect(),
    }
}
