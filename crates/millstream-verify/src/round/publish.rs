//! The reports of a round on disk: all four complete under temporary names, then each under its own.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::model::Round;
use crate::{Error, Result, report};

/// Reports that are complete and not yet visible. Dropping them removes them.
#[derive(Debug)]
pub(super) struct Staged {
    /// Temporary and final path.
    files: Vec<(PathBuf, PathBuf)>,
}

/// Writes the reports of `round` into `folder` under temporary names. Errors: [`Error::Write`], also where a final name is taken by a folder.
pub(super) fn stage(folder: &Path, stem: &str, round: &Round) -> Result<Staged> {
    fs::create_dir_all(folder).map_err(|source| Error::Write { path: folder.to_path_buf(), source })?;
    let reports = [
        ("md", report::markdown(round)),
        ("json", report::json(round)?),
        ("html", report::html(round)),
        ("junit.xml", report::junit(round)?),
    ];
    let mut staged = Staged { files: Vec::new() };
    for (extension, text) in reports {
        let path = folder.join(format!("{stem}.{extension}"));
        let temporary = folder.join(format!(".{stem}.{extension}.new"));
        staged.files.push((temporary.clone(), path.clone()));
        write(&temporary, &path, &text).map_err(|source| Error::Write { path, source })?;
    }
    Ok(staged)
}

impl Staged {
    /// Gives each report its name; the paths, Markdown first. Errors: [`Error::Write`].
    pub(super) fn publish(mut self) -> Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for (temporary, path) in &self.files {
            if let Err(source) = fs::rename(temporary, path) {
                withdraw(&paths);
                return Err(Error::Write { path: path.clone(), source });
            }
            paths.push(path.clone());
        }
        self.files.clear();
        Ok(paths)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        for (temporary, _) in &self.files {
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Removes reports whose result did not reach the ledger.
pub(super) fn withdraw(paths: &[PathBuf]) {
    for path in paths {
        let _ = fs::remove_file(path);
    }
}

fn write(temporary: &Path, path: &Path, text: &str) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut file = File::create(temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
