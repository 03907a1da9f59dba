//! Compiled kernels on disk: one file for each source, named by everything that decides its bytes.
//!
//! A file is written beside its place and moved there, so that a reader sees all of it or nothing. It begins with the hash of its
//! payload: an entry that was cut or changed is not believed, and is made again. A cache that cannot be written is none.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

const HASH: usize = 32;

/// The folder for an option, or the user's.
pub(crate) fn folder(option: Option<&Path>) -> Option<PathBuf> {
    if let Some(folder) = option {
        return Some(folder.to_path_buf());
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    cache.map(|cache| cache.join("millstream").join("cuda"))
}

/// The name of an entry: a hash over all `parts`, each with its length.
pub(crate) fn key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The payload of entry `key`, if it is whole.
pub(crate) fn read(folder: &Path, key: &str) -> Option<Vec<u8>> {
    let bytes = std::fs::read(folder.join(key)).ok()?;
    let (hash, payload) = bytes.split_at_checked(HASH)?;
    (Sha256::digest(payload).as_slice() == hash && !payload.is_empty()).then(|| payload.to_vec())
}

/// Keeps `payload` as entry `key`. Failure is silent: the next opening compiles again.
pub(crate) fn write(folder: &Path, key: &str, payload: &[u8]) {
    let mut bytes = Sha256::digest(payload).to_vec();
    bytes.extend_from_slice(payload);
    let thread = format!("{:?}", std::thread::current().id());
    let scratch = folder.join(format!("{key}.{}.{}", std::process::id(), hex(&Sha256::digest(thread)[..4])));
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&scratch, bytes));
    if written.and_then(|()| std::fs::rename(&scratch, folder.join(key))).is_err() {
        let _ = std::fs::remove_file(scratch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_back_and_a_damaged_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("a/b");
        assert_eq!(read(&folder, "k"), None);
        write(&folder, "k", b"machine code");
        assert_eq!(read(&folder, "k").as_deref(), Some(&b"machine code"[..]));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "no scratch file is left");
        for damage in [&b"short"[..], &[0; 60]] {
            std::fs::write(folder.join("k"), damage).unwrap();
            assert_eq!(read(&folder, "k"), None);
        }
        write(&folder, "k", b"again");
        assert_eq!(read(&folder, "k").as_deref(), Some(&b"again"[..]));
    }

    #[test]
    fn keys_differ_where_any_part_differs() {
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_ne!(key(&["ab", "c"]), key(&["ab", "d"]));
        assert_eq!(key(&["x"]).len(), 64);
    }
}
