//! The folder of a model that a round verifies too: where it is, and the hash of what was in it.

use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::{Error, Result, subject};

/// A model of the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFolder {
    /// As given.
    pub path: PathBuf,
    /// SHA-256 over the names and contents of all files below it, in lower-case hex.
    pub sha256: String,
}

impl ModelFolder {
    /// Reads every file below `path`, links followed. Blocks on the file system. Errors: [`Error::Read`].
    pub fn read(path: &Path) -> Result<Self> {
        let read = |path: &Path, source: std::io::Error| Error::Read { path: path.to_path_buf(), source };
        let mut parts = Vec::new();
        for entry in WalkDir::new(path).follow_links(true).min_depth(1).sort_by_file_name() {
            let entry = entry.map_err(|error| {
                let at = error.path().unwrap_or(path).to_path_buf();
                read(&at, error.into())
            })?;
            if entry.file_type().is_dir() {
                continue;
            }
            let name = entry.path().strip_prefix(path).unwrap_or(entry.path()).display().to_string();
            let file = std::fs::File::open(entry.path()).map_err(|source| read(entry.path(), source))?;
            parts.push((name, subject::sha256_of_file(file).map_err(|source| read(entry.path(), source))?));
        }
        Ok(Self { path: path.to_path_buf(), sha256: subject::sha256_of_json(&parts)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_a_byte_changes_the_hash_and_the_place_does_not() {
        let make = |files: &[(&str, &str)]| {
            let folder = tempfile::tempdir().unwrap();
            for (name, text) in files {
                let path = folder.path().join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            ModelFolder::read(folder.path()).unwrap().sha256
        };
        let files = [("config.json", "{}"), ("1_Pooling/config.json", "{}")];
        assert_eq!(make(&files), make(&files));
        assert_ne!(make(&files), make(&[("config.json", "{} "), ("1_Pooling/config.json", "{}")]));
        assert_ne!(make(&files), make(&[("config.json", "{}"), ("2_Pooling/config.json", "{}")]));
        assert_ne!(make(&files), make(&files[..1]));
    }

    #[test]
    fn a_folder_that_is_not_there_is_bad_input() {
        let error = ModelFolder::read(Path::new("no/such/folder")).unwrap_err();
        assert_eq!(error.exit_code(), 64, "{error}");
    }
}
