//! What a round comes to, from what its attempts came to.

use super::drive::Driven;
use crate::model::{Attempt, RoundResult, Stress};

/// What else decides.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Circumstances {
    /// Subject, configuration and seed were judged before.
    pub(super) repeat: bool,
    /// The binary has the feature `seeded-bugs` and the round would go to the ledger.
    pub(super) seeded: bool,
}

/// Findings outweigh everything; then what is missing; then whether a clean result may stand.
pub(super) fn judge(driven: &Driven, circumstances: Circumstances) -> RoundResult {
    if !driven.findings.is_empty() {
        return RoundResult::Findings(driven.findings.len());
    }
    if driven.interrupted {
        return RoundResult::Incomplete("interrupted".to_owned());
    }
    if driven.attempts.is_empty() {
        return RoundResult::Incomplete("no attempt ran".to_owned());
    }
    if let Some(reason) = driven.attempts.iter().find_map(missing) {
        return RoundResult::Incomplete(reason);
    }
    if circumstances.seeded {
        return RoundResult::Incomplete("built with seeded-bugs".to_owned());
    }
    if circumstances.repeat { RoundResult::CleanRepeat } else { RoundResult::Clean }
}

/// The stress run of a round.
pub(super) fn stress(attempts: &[Attempt]) -> Option<&Stress> {
    attempts.iter().find_map(|attempt| attempt.stress.as_ref())
}

fn missing(attempt: &Attempt) -> Option<String> {
    match &attempt.result {
        RoundResult::Incomplete(reason) => Some(format!("{}: {reason}", attempt.id)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Finding;

    fn driven(results: &[RoundResult]) -> Driven {
        let attempt = |result: &RoundResult| Attempt { result: result.clone(), ..Attempt::new("a", "A") };
        Driven { attempts: results.iter().map(attempt).collect(), ..Driven::default() }
    }

    #[test]
    fn findings_outweigh_a_stop_and_a_stop_outweighs_what_it_cut() {
        let incomplete = |reason: &str| RoundResult::Incomplete(reason.to_owned());
        let mut round = driven(&[RoundResult::Clean, incomplete("interrupted")]);
        round.interrupted = true;
        assert_eq!(judge(&round, Circumstances::default()), incomplete("interrupted"));
        round.findings = vec![Finding::default()];
        assert_eq!(judge(&round, Circumstances::default()), RoundResult::Findings(1));
        let missing = driven(&[RoundResult::Clean, incomplete("counter at zero: x")]);
        assert_eq!(judge(&missing, Circumstances::default()), incomplete("a: counter at zero: x"));
        assert!(!judge(&driven(&[]), Circumstances::default()).is_clean());
    }

    #[test]
    fn clean_with_bugs_compiled_in_is_never_clean() {
        let round = driven(&[RoundResult::Clean]);
        assert_eq!(judge(&round, Circumstances::default()), RoundResult::Clean);
        assert_eq!(judge(&round, Circumstances { repeat: true, seeded: false }), RoundResult::CleanRepeat);
        for repeat in [false, true] {
            assert_eq!(judge(&round, Circumstances { repeat, seeded: true }).exit_code(), 2);
        }
    }
}
