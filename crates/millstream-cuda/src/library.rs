//! Where the driver and its compiler are: the one file that knows places.
//!
//! In this order: folders that the caller names, those of `MILLSTREAM_CUDA_PATH`, the system's own search, `CUDA_PATH` and `CUDA_HOME`, the usual
//! folders, and the folders of Python wheels (`site-packages/nvidia/*/lib`) of the environment, of each Python on the path and of the user.
//! It changes when there is another place to look.
#![expect(unsafe_code, reason = "a library that is loaded runs its initialisers")]

use std::fmt::Write as _;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use libloading::Library;

/// A library that was not found: its names, and where it was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFound {
    /// Names that were tried, best first.
    pub names: Vec<String>,
    /// Folders that were looked into.
    pub folders: Vec<PathBuf>,
    /// Files that are there but could not be loaded, with the reason.
    pub unusable: Vec<String>,
}

impl std::fmt::Display for NotFound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = format!("{} was not found; looked in the system's library path", self.names.join(" or "));
        for folder in &self.folders {
            let _ = write!(text, ", {}", folder.display());
        }
        for reason in &self.unusable {
            let _ = write!(text, "; {reason}");
        }
        f.write_str(&text)
    }
}

impl std::error::Error for NotFound {}

/// A library and where it was found: a path, or the name by which the system found it. It is never unloaded: threads that called it keep thread-locals whose destructors are its code.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) library: ManuallyDrop<Library>,
    pub(crate) path: PathBuf,
}

/// The first of `names` that can be loaded, in the order of the places; `wanted_first` are searched before all. `beside` names a file that must be loaded from the same folder
/// before, if it is there. Errors: [`NotFound`].
pub(crate) fn find(names: &[&str], wanted_first: &[PathBuf], beside: Option<&str>) -> Result<Found, NotFound> {
    let mut missing = NotFound {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        folders: Vec::new(),
        unusable: Vec::new(),
    };
    let first: Vec<PathBuf> = wanted_first
        .iter()
        .cloned()
        .chain(from_variable("MILLSTREAM_CUDA_PATH"))
        .flat_map(|root| below(&root))
        .collect();
    if let Some(found) = in_folders(&first, names, beside, &mut missing) {
        return Ok(found);
    }
    for name in names {
        // SAFETY: loading runs the library's initialisers; true to be harmless of the vendor's libraries, which are made to be loaded by anybody.
        if let Ok(library) = unsafe { Library::new(name) } {
            return Ok(Found { library: ManuallyDrop::new(library), path: PathBuf::from(name) });
        }
    }
    let mut later: Vec<PathBuf> =
        ["CUDA_PATH", "CUDA_HOME"].iter().flat_map(|name| from_variable(name)).flat_map(|root| below(&root)).collect();
    later.extend(["/usr/local/cuda/lib64", "/usr/local/nvidia/lib64", "/usr/lib/wsl/lib"].map(PathBuf::from));
    later.extend(wheels());
    in_folders(&later, names, beside, &mut missing).ok_or(missing)
}

fn in_folders(folders: &[PathBuf], names: &[&str], beside: Option<&str>, missing: &mut NotFound) -> Option<Found> {
    for folder in folders {
        for name in names {
            let path = folder.join(name);
            if !path.is_file() {
                continue;
            }
            if let Some(companion) = beside.and_then(|prefix| starting_with(folder, prefix)) {
                // SAFETY: as in `find`. It stays loaded, since what needs it finds it by its name later.
                if let Ok(library) = unsafe { Library::new(companion) } {
                    let _kept = ManuallyDrop::new(library);
                }
            }
            // SAFETY: as in `find`.
            match unsafe { Library::new(&path) } {
                Ok(library) => return Some(Found { library: ManuallyDrop::new(library), path }),
                Err(error) => missing.unusable.push(format!("{}: {error}", path.display())),
            }
        }
        missing.folders.push(folder.clone());
    }
    None
}

/// The file of `folder` whose name begins with `prefix`.
fn starting_with(folder: &Path, prefix: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    entries
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)))
}

/// The folders that a variable lists.
fn from_variable(name: &str) -> Vec<PathBuf> {
    std::env::var_os(name)
        .map(|value| std::env::split_paths(&value).filter(|p| !p.as_os_str().is_empty()).collect())
        .unwrap_or_default()
}

/// Where libraries may lie below a folder that somebody named.
fn below(root: &Path) -> Vec<PathBuf> {
    let mut all = vec![root.to_path_buf()];
    all.extend(["lib64", "lib"].map(|name| root.join(name)).into_iter().filter(|path| path.is_dir()));
    all.extend(nvidia_folders(root));
    all.extend(nvidia_folders(&root.join("nvidia")));
    all
}

/// `root/*/lib`, where it is there.
fn nvidia_folders(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).into_iter().flatten().filter_map(Result::ok);
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.path().join("lib")).filter(|path| path.is_dir()).collect();
    all.sort();
    all
}

/// The `lib` folders of NVIDIA's Python wheels, of every Python that a shell here would find.
fn wheels() -> Vec<PathBuf> {
    let mut prefixes: Vec<PathBuf> = from_variable("VIRTUAL_ENV");
    prefixes.extend(from_variable("CONDA_PREFIX"));
    for folder in from_variable("PATH") {
        let python = folder.join("python3");
        if !python.exists() {
            continue;
        }
        prefixes.extend(folder.parent().map(Path::to_path_buf));
        if let Ok(real) = python.canonicalize() {
            prefixes.extend(real.parent().and_then(Path::parent).map(Path::to_path_buf));
        }
    }
    prefixes.extend(from_variable("HOME").into_iter().map(|home| home.join(".local")));
    let mut all: Vec<PathBuf> = Vec::new();
    for prefix in prefixes {
        let versions = std::fs::read_dir(prefix.join("lib")).into_iter().flatten().filter_map(Result::ok);
        for version in versions.filter(|entry| entry.file_name().to_string_lossy().starts_with("python3")) {
            for packages in ["site-packages", "dist-packages"] {
                all.extend(nvidia_folders(&version.path().join(packages).join("nvidia")));
            }
        }
    }
    let mut seen = std::collections::HashSet::new();
    all.retain(|path| seen.insert(path.clone()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_nowhere_is_named_with_the_places_that_were_searched() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("nvidia/cu13/lib");
        std::fs::create_dir_all(&wheel).unwrap();
        std::fs::write(wheel.join("libmillstream_nowhere.so.2"), "no library").unwrap();
        let names = ["libmillstream_nowhere.so.2", "libmillstream_nowhere.so"];
        let missing = find(&names, &[folder.path().to_path_buf()], None).unwrap_err();
        let text = missing.to_string();
        assert!(missing.folders.contains(&wheel), "{text}");
        assert!(text.starts_with("libmillstream_nowhere.so.2 or libmillstream_nowhere.so was not found"), "{text}");
        assert!(text.contains(&wheel.display().to_string()) && missing.unusable.len() == 1, "{text}");
    }
}
