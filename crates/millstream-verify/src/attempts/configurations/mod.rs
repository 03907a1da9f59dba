//! A further attempt: configurations. One small program with other settings each time: threads, streams, policy, size, waits, ends of threads, hand-overs, caches.
//!
//! The rows come from a covering table, so that after some rounds every two values have run together. The third attempt of each round runs the first rows, this one the next; the report says
//! which pairs are still open. Rows depend on the seed and on what earlier rounds have covered; a replay takes those of its file.

mod cover;
mod crowd;
mod settings;

use std::time::Instant;

pub use cover::{Covered, pairs, rows};
use millstream::evidence::Step;
use settings::Settings;
pub use settings::factors;

use super::{Context, Outcome};
use crate::model::{Attempt, Choice, Configuration, Finding, ProbeStatus, RoundResult};
use crate::plan::DeviceName;

/// Steps that the attempt claims to drive.
pub const CLAIMS: [Step; 4] = [Step::LeaseClaimed, Step::LeaseReturned, Step::Flush, Step::Growth];

/// Rows of the third attempt, and of this one.
const IN_STRESS: usize = 4;
const HERE: usize = 16;

/// The rows of one round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Those that the third attempt runs.
    pub in_stress: Vec<Choice>,
    /// Those of this attempt.
    pub here: Vec<Choice>,
}

impl Rows {
    /// The rows that bring most after what is `covered`, for a round with `seed`.
    #[must_use]
    pub fn next(device: &DeviceName, covered: &Covered, seed: u64) -> Self {
        let mut in_stress = rows(&factors(device), covered, seed, IN_STRESS + HERE);
        let here = in_stress.split_off(IN_STRESS.min(in_stress.len()));
        Self { in_stress, here }
    }

    /// The rows that `attempts` ran. Errors: one that is no row of `device`.
    pub fn of(attempts: &[Attempt], device: &DeviceName) -> Result<Self, String> {
        let of = |own: bool| {
            let chosen = attempts.iter().filter(|attempt| (attempt.id == ID) == own);
            chosen.flat_map(|attempt| &attempt.configurations).map(|row| row.choice.clone()).collect::<Vec<Choice>>()
        };
        let rows = Self { in_stress: of(false), here: of(true) };
        for row in rows.in_stress.iter().chain(&rows.here) {
            Settings::of(row, device)?;
        }
        Ok(rows)
    }
}

const ID: &str = "configurations";

/// Runs `rows` for the attempt `id`. Fewer come back when the user stops it.
pub(super) fn drive(context: &Context<'_>, id: &str, rows: &[Choice]) -> (Vec<Configuration>, Vec<Finding>) {
    let (mut ran, mut findings) = (Vec::new(), Vec::new());
    for (done, row) in rows.iter().enumerate() {
        if context.progress.interrupted() {
            break;
        }
        context.progress.advance(done as u64, rows.len() as u64);
        let begun = Instant::now();
        let seed = context.plan.seed.wrapping_add(done as u64);
        let outcome = Settings::of(row, &context.plan.device)
            .and_then(|settings| crowd::run(&settings, &context.plan.device, seed));
        let seconds = begun.elapsed().as_secs_f64();
        let (status, detail, values_compared) = match outcome {
            Ok(compared) => (ProbeStatus::Passed, String::new(), compared),
            Err(detail) => (ProbeStatus::Failed, detail, 0),
        };
        if status == ProbeStatus::Failed {
            let settings: Vec<String> = row.iter().map(|(name, value)| format!("{name} {value}")).collect();
            findings.push(Finding {
                attempt: id.to_owned(),
                text: format!("configuration {} ({}): {detail}", done + 1, settings.join(", ")),
                location: "crates/millstream-verify/src/attempts/configurations/crowd.rs".to_owned(),
                ..Finding::default()
            });
        }
        ran.push(Configuration { choice: row.clone(), status, detail, values_compared, seconds });
    }
    (ran, findings)
}

/// Runs the attempt.
#[must_use]
pub fn run(context: &Context<'_>) -> Outcome {
    let begun = Instant::now();
    let mut attempt = Attempt::new(ID, "Configurations");
    let count = context.rows.here.len();
    attempt.methods = vec![
        format!("{count} rows of a covering table over 10 settings; each row is taken for the pairs of values that have not run together yet"),
        "In each the threads start from one barrier, multiply, hand over, wait and end as the row says; every sum is compared with the sequential run, and whole products at every wait".to_owned(),
        "At the end of each the device must be at rest: nothing live, in limbo, cached, claimed or stranded".to_owned(),
    ];
    let (ran, findings) = drive(context, ID, &context.rows.here);
    let compared: u64 = ran.iter().map(|row| row.values_compared).sum();
    attempt.result = if !findings.is_empty() {
        RoundResult::Findings(findings.len())
    } else if ran.len() < count {
        RoundResult::Incomplete("interrupted".to_owned())
    } else if count == 0 {
        RoundResult::Incomplete("no configuration ran".to_owned())
    } else {
        attempt.safety_properties = vec![format!(
            "{compared} values equal the sequential run bit for bit in {count} configurations, and each left its device at rest"
        )];
        RoundResult::Clean
    };
    attempt.configurations = ran;
    attempt.seconds = begun.elapsed().as_secs_f64();
    Outcome { attempt, findings }
}
