//! A finding: something a round saw that must not be.

use serde::{Deserialize, Serialize};

/// One finding. A crash, a hang or a timeout of a probe is a finding too.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Short and stable within the round, such as `F1`.
    pub id: String,
    /// Id of the attempt that saw it.
    pub attempt: String,
    /// What was seen, with the figures.
    pub text: String,
    /// `file:line`, or the name of the probe where there is no line.
    pub location: String,
    /// The command that shows it again.
    pub replay: String,
}
