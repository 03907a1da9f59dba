//! Reports of a round: Markdown in the shape of the first report, JSON, JUnit, and one self-contained HTML page.
//!
//! Each is a function of one [`Round`] and says the same: sentences that appear in more than one of them are made in
//! `wording.rs`. This folder changes when the shape of a report does. It takes no decision about a result and reads
//! nothing but the round.
//!
//! **Invariants**
//! - `nothing-hidden`: what was not reached, not covered or not counted is printed as such in every report for people.
//! - `self-contained`: the page asks for nothing from outside.
//!
//! **Checked by**: `tests/report.rs` (headings against the outline of the first report, round trip, JUnit counts).

mod html;
mod json;
mod junit;
mod markdown;
mod pictures;
mod tables;
mod wording;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use html::html;
pub use json::{from_json, json, json_line};
pub use junit::junit;
pub use markdown::markdown;
pub use wording::result_sentence;

use crate::model::Round;
use crate::{Error, Result};

/// The beginning of the file names of round `n`: `round-N3`.
pub fn stem(n: u64) -> String {
    format!("round-N{n}")
}

/// Writes the four reports as `<stem>.md`, `.json`, `.html` and `.junit.xml` into `folder`, which is created where
/// needed. Each file is complete or absent. Gives the paths in this order.
///
/// # Errors
/// [`Error::Write`].
pub fn write_all(folder: &Path, stem: &str, round: &Round) -> Result<Vec<PathBuf>> {
    let failed = |path: &Path, source| Error::Write { path: path.to_path_buf(), source };
    fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
    let reports =
        [("md", markdown(round)), ("json", json(round)?), ("html", html(round)), ("junit.xml", junit(round)?)];
    let mut paths = Vec::new();
    for (extension, text) in reports {
        let path = folder.join(format!("{stem}.{extension}"));
        replace(&path, &text).map_err(|source| failed(&path, source))?;
        paths.push(path);
    }
    Ok(paths)
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(&new, path)
}
