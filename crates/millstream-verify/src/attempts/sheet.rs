//! The sheet of an attempt that is made of probes: its rows, the probes that drive them, and the one way to run it.
//!
//! A row names a pattern, what keeps it safe and where that stands in the sources: a file and words that are on a line of it, so that a test can see whether the place is
//! still there.

use std::time::Instant;

use super::probes::{Driven, Driving, drive};
use super::{Context, Outcome};
use crate::model::{Attempt, Pattern, RoundResult};

/// A pattern of an attempt.
pub struct Row {
    /// Name of the row; the probes refer to it.
    pub pattern: &'static str,
    /// File, and words of the line that it is about.
    pub place: (&'static str, &'static str),
    /// What keeps it safe.
    pub mechanism: &'static str,
}

/// An attempt made of probes.
pub struct Sheet {
    /// As on the command line.
    pub id: &'static str,
    /// As in the heading.
    pub title: &'static str,
    /// What is done, one line each.
    pub methods: &'static [&'static str],
    /// What is driven.
    pub rows: &'static [Row],
    /// By what.
    pub probes: &'static [Driven],
    /// What the probes support when all have passed.
    pub properties: &'static [&'static str],
}

impl Sheet {
    /// Where a pattern stands: `crates/x/src/y.rs (fn z)`.
    fn place(&self, pattern: &str) -> String {
        let row = self.rows.iter().find(|row| row.pattern == pattern);
        row.map(|row| format!("{} ({})", row.place.0, row.place.1)).unwrap_or_default()
    }

    /// Runs all probes in order.
    #[must_use]
    pub fn run(&self, context: &Context<'_>) -> Outcome {
        let begun = Instant::now();
        let mut attempt = Attempt::new(self.id, self.title);
        attempt.methods = self.methods.iter().map(|text| (*text).to_owned()).collect();
        let Driving { probes, findings, limits, interrupted } =
            drive(context, self.id, self.probes, |name| self.place(name));
        let of = |pattern: &str| probes.iter().filter(|(p, _)| *p == pattern).map(|(_, probe)| probe.clone()).collect();
        attempt.patterns = self
            .rows
            .iter()
            .map(|row| Pattern {
                pattern: row.pattern.to_owned(),
                location: self.place(row.pattern),
                mechanism: row.mechanism.to_owned(),
                probes: of(row.pattern),
            })
            .collect();
        attempt.result = if !findings.is_empty() {
            RoundResult::Findings(findings.len())
        } else if interrupted {
            RoundResult::Incomplete("interrupted".to_owned())
        } else {
            // What was not shown is not said.
            let shown = |text: &&&str| !limits.iter().any(|limit| limit.properties.contains(*text));
            attempt.safety_properties = self.properties.iter().filter(shown).map(|text| (*text).to_owned()).collect();
            RoundResult::Clean
        };
        attempt.seconds = begun.elapsed().as_secs_f64();
        Outcome { attempt, findings }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::attempts::SHEETS;

    #[test]
    fn the_place_of_every_row_is_in_the_sources_and_every_probe_has_its_row() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        #[cfg(feature = "models")]
        let of_model = Some(&crate::attempts::own_model::SHEET);
        #[cfg(not(feature = "models"))]
        let of_model = None;
        for sheet in SHEETS.into_iter().chain(of_model) {
            for row in sheet.rows {
                let text = std::fs::read_to_string(root.join(row.place.0)).unwrap_or_default();
                assert!(text.contains(row.place.1), "{}: {} has no {:?}", sheet.id, row.place.0, row.place.1);
                assert!(sheet.probes.iter().any(|probe| probe.pattern == row.pattern), "{} is not driven", row.pattern);
            }
            for probe in sheet.probes {
                let known = sheet.rows.iter().any(|row| row.pattern == probe.pattern);
                assert!(known, "{}: {:?} drives no row", sheet.id, probe.name);
            }
        }
    }
}
