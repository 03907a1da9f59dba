//! Names and lengths of files.

use super::Findings;
use crate::step::File;

const BANNED: [&str; 8] = ["base", "utils", "common", "core", "helpers", "misc", "manager", "types"];
const LONG: usize = 400;
const TOO_LONG: usize = 500;

/// A source file whose name says nothing.
pub fn banned(file: &File) -> Findings {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let is_banned = |part: &str| BANNED.contains(&part.strip_suffix(".rs").unwrap_or(part));
    let folder = file.path.ends_with(".rs") && file.path.split('/').any(|part| BANNED.contains(&part));
    if folder || (name.ends_with(".rs") && is_banned(name)) {
        return vec![format!("{}: a name that says nothing", file.path)];
    }
    Findings::new()
}

/// A source file that should be split soon.
pub fn long(file: &File) -> Option<String> {
    let lines = file.text.lines().count();
    (file.path.ends_with(".rs") && lines > LONG).then(|| format!("{} ({lines})", file.path))
}

/// A source file that must be split now.
pub fn too_long(file: &File) -> Findings {
    let lines = file.text.lines().count();
    if file.path.ends_with(".rs") && lines > TOO_LONG {
        return vec![format!("{}: {lines} lines, at most {TOO_LONG}", file.path)];
    }
    Findings::new()
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn a_file_or_folder_named_utils_is_found() {
        assert_eq!(banned(&file("crates/a/src/utils.rs", "")).len(), 1);
        assert_eq!(banned(&file("crates/a/src/common/x.rs", "")).len(), 1);
        assert!(banned(&file("crates/a/src/core_count.rs", "")).is_empty());
    }

    #[test]
    fn a_file_of_501_lines_is_found_and_one_of_401_is_listed() {
        assert_eq!(too_long(&file("a.rs", &"x\n".repeat(501))).len(), 1);
        assert!(too_long(&file("a.rs", &"x\n".repeat(500))).is_empty());
        assert!(long(&file("a.rs", &"x\n".repeat(401))).is_some());
        assert!(long(&file("a.md", &"x\n".repeat(900))).is_none());
    }
}
