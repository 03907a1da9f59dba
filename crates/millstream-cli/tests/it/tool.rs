//! Running the binary in a folder of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Settings that end at once.
pub const SMALL: [&str; 8] = ["--threads", "4", "--iterations", "10", "--size", "16", "--duration", "0"];
/// Settings whose threads overlap also on a busy machine: a round without overlap is incomplete.
pub const STEADY: [&str; 8] = ["--threads", "8", "--iterations", "100", "--size", "64", "--duration", "0"];
/// Settings that last until somebody stops them.
pub const LONG: [&str; 8] = ["--threads", "4", "--iterations", "10", "--size", "16", "--duration", "10m"];

/// A fresh folder, and the binary started in it.
pub struct Tool {
    pub folder: tempfile::TempDir,
}

/// What a run of it gave.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Tool {
    pub fn new() -> Self {
        Tool { folder: tempfile::tempdir().unwrap() }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_millstream"));
        command.current_dir(self.folder.path()).args(arguments).stdin(Stdio::null());
        command.env_remove("RUST_BACKTRACE");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().map(Ran::from).unwrap()
    }

    /// `verify` with steady settings.
    pub fn verify(&self, arguments: &[&str]) -> Ran {
        self.run(&[&["verify"], &STEADY[..], arguments].concat())
    }

    /// A run in the background, after its round has taken its number.
    pub fn start_round(&self, arguments: &[&str]) -> Child {
        let before = self.ledger().len();
        let mut command = self.command(&[&["verify"], arguments].concat());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let begin = Instant::now();
        while self.ledger().len() == before {
            assert!(begin.elapsed() < Duration::from_secs(60), "the round does not start");
            thread::sleep(Duration::from_millis(10));
        }
        child
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("verification").join(name)
    }

    pub fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// The lines of the ledger that are whole.
    pub fn ledger(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("ledger.jsonl")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.path(name)).unwrap()).unwrap()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Ended with this code.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        let begin: String = self.out.chars().take(2000).collect();
        assert_eq!(self.code, Some(code), "stdout:\n{begin}\nstderr:\n{}", self.err);
        self
    }

    /// Failed with this code, nothing on standard output, and one line that holds these words.
    #[track_caller]
    pub fn refuses(self, code: i32, words: &[&str]) {
        let ran = self.ends(code);
        assert_eq!(ran.out, "");
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
        assert!(ran.err.starts_with("error: "), "{}", ran.err);
        for word in words {
            assert!(ran.err.contains(word), "{word:?} is not in: {}", ran.err);
        }
    }

    /// Standard output as objects, one a line.
    pub fn objects(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Sends ^C.
pub fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}
