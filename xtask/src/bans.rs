//! Shows that the bans of `clippy.toml` bite: a scratch crate under the workspace's own configuration, one line a ban.
//!
//! Each line that must be refused says so in a comment; clippy has to refuse exactly those, and nothing of what the house's own
//! macros expand to.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::step;

const SOURCE: &str = r#"//! Scratch.

pub type A = std::sync::Mutex<u8>; // refused
pub type B = std::sync::RwLock<u8>; // refused
pub type C = std::sync::Condvar; // refused
pub type D = std::sync::Barrier; // refused
pub type E = std::sync::atomic::AtomicU64; // refused
pub type F = std::sync::atomic::AtomicBool; // refused
pub type G = std::sync::atomic::AtomicPtr<u8>; // refused
pub type H = std::sync::mpsc::Sender<u8>; // refused

std::thread_local! { static BARE: u8 = const { 0 } } // refused

pub struct Lists(pub Vec<u8>);

impl Drop for Lists {
    fn drop(&mut self) {}
}

millstream_sync::thread_state! {
    /// The house's own: allowed, also with a destructor.
    pub static OURS: std::cell::RefCell<Lists> = std::cell::RefCell::new(Lists(Vec::new()))
}

pub fn touch() -> usize {
    let forced = OURS.with(|lists| lists.borrow().0.len()); // refused
    let asked = OURS.try_with(|lists| lists.borrow().0.len()).unwrap_or(0);
    // ORDER: none; it is refused.
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst); // refused
    std::mem::forget(Lists(Vec::new())); // refused
    let _allowed = millstream_sync::atomic::AtomicU64::new(0);
    forced + asked + usize::from(BARE.try_with(|bare| *bare).unwrap_or(0))
}
"#;

/// Writes the scratch crate below the target folder, runs clippy on it offline, and compares.
pub fn run() -> Result<()> {
    println!("bans ...");
    let folder = step::target("bans");
    write(&folder)?;
    let mut clippy = step::cargo(&["clippy", "--offline", "--quiet", "--message-format", "json"]);
    clippy.current_dir(&folder).env("CARGO_TARGET_DIR", folder.join("target")).env("CLIPPY_CONF_DIR", step::root());
    // Its exit status says only that there were errors, which is what is wanted.
    let output = clippy.output().context("clippy")?;
    let (refused, others) = refused_lines(&String::from_utf8_lossy(&output.stdout));
    let marked = |(number, line): (usize, &str)| line.contains("// refused").then_some(number as u64 + 1);
    let wanted: BTreeSet<u64> = SOURCE.lines().enumerate().filter_map(marked).collect();
    let name = |lines: BTreeSet<u64>| -> Vec<String> {
        lines.iter().map(|n| SOURCE.lines().nth(*n as usize - 1).unwrap_or_default().trim().to_owned()).collect()
    };
    let missed = name(wanted.difference(&refused).copied().collect());
    let surplus = name(refused.difference(&wanted).copied().collect());
    if !(missed.is_empty() && surplus.is_empty() && others.is_empty()) {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("bans: not refused: {missed:#?}; refused though allowed: {surplus:#?}; other: {others:#?} {errors}");
    }
    println!("bans: {} lines refused, and only those", wanted.len());
    Ok(())
}

fn write(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder.join("src"))?;
    let sync = step::root().join("crates/millstream-sync");
    let manifest = format!(
        "[package]\nname = \"scratch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         millstream-sync = {{ path = {:?} }}\n\n[lints.clippy]\ndisallowed_methods = \"deny\"\ndisallowed_types = \"deny\"\nmem_forget = \"allow\"\n",
        sync.display()
    );
    std::fs::write(folder.join("Cargo.toml"), manifest)?;
    std::fs::write(folder.join("src/lib.rs"), SOURCE)?;
    std::fs::copy(step::root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    Ok(())
}

/// Lines of the scratch crate that a ban refused, and errors of any other kind.
fn refused_lines(messages: &str) -> (BTreeSet<u64>, Vec<String>) {
    let (mut refused, mut others) = (BTreeSet::new(), Vec::new());
    for message in messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let message = &message["message"];
        if message["level"] != "error" {
            continue;
        }
        let code = message["code"]["code"].as_str().unwrap_or_default();
        match line_of(message) {
            Some(line) if code.starts_with("clippy::disallowed") => {
                refused.insert(line);
            }
            _ if message["spans"].as_array().is_some_and(Vec::is_empty) => {}
            _ => others.push(message["rendered"].as_str().unwrap_or_default().to_owned()),
        }
    }
    (refused, others)
}

/// The line of the scratch crate that a message is about: for what a macro expands to, the line that calls the macro.
fn line_of(message: &Value) -> Option<u64> {
    let mut span = message["spans"].as_array()?.iter().find(|span| span["is_primary"] == true)?;
    while !span["expansion"].is_null() {
        span = &span["expansion"]["span"];
    }
    (span["file_name"] == "src/lib.rs").then(|| span["line_start"].as_u64())?
}
