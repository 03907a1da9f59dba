//! How a command ends: its code, and the one line that an error says.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use millstream_verify::round::panics;

use crate::output;

/// Exit codes: the table of `docs/cli.md`.
pub mod code {
    pub const FINDINGS: u8 = 1;
    pub const USAGE: u8 = 64;
    #[cfg(feature = "models")]
    pub const DAMAGED: u8 = 65;
    pub const INTERNAL: u8 = 70;
    pub const ABSENT: u8 = 69;
    pub const UNWRITABLE: u8 = 73;
    pub const INTERRUPTED: u8 = 130;
}

/// Why a command stops before its end.
#[derive(Debug)]
pub enum Stop {
    /// An error: its code and its line.
    Error(u8, String),
    /// Something that clap has to say: help, version, usage.
    Clap(clap::Error),
    /// Nobody reads the output any more.
    ClosedPipe,
}

/// What a command with a model says in a build without them.
#[cfg(not(feature = "models"))]
pub fn no_models() -> Stop {
    Stop::Error(code::ABSENT, "this build has no models: build it with `--features models`".to_owned())
}

/// What a command gives back: its exit code.
pub type Ended = Result<u8, Stop>;

impl From<millstream_verify::Error> for Stop {
    fn from(error: millstream_verify::Error) -> Self {
        let code = error.exit_code();
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(lower) = source {
            // A transparent error has its own text as the source's.
            if !text.ends_with(&lower.to_string()) {
                text.push_str(&format!(": {lower}"));
            }
            source = lower.source();
        }
        if let Some(advice) = advice(&error) {
            text.push_str(&format!("; {advice}"));
        }
        Stop::Error(code, text)
    }
}

impl From<millstream_verify::ledger::LedgerError> for Stop {
    fn from(error: millstream_verify::ledger::LedgerError) -> Self {
        millstream_verify::Error::from(error).into()
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Stop::ClosedPipe,
            _ => Stop::Error(code::UNWRITABLE, format!("cannot write the output: {error}")),
        }
    }
}

/// What to do, where the error does not say it itself.
fn advice(error: &millstream_verify::Error) -> Option<&'static str> {
    use millstream_verify::Error as E;
    match error {
        E::Read { .. } => Some("check the path"),
        E::Absent(_) => Some("`millstream doctor` lists the devices of this machine"),
        E::OtherSubject { .. } => Some("check out and build that source, or run a round of your own"),
        E::NotARound { .. } | E::Schema { .. } => Some("give the round-N<number>.json of a round"),
        E::NotReplayable { .. } => Some("give a file as it was written"),
        E::Write { .. } => Some("choose another folder with --out"),
        _ => match error.exit_code() {
            65 => Some("keep it as evidence and start another with --out"),
            73 => Some("choose another folder with --out"),
            75 => Some("wait for it, or choose another folder with --out"),
            _ => None,
        },
    }
}

/// Runs the command and says how it ended.
pub fn of(command: impl FnOnce() -> Ended) -> ExitCode {
    panics::remember();
    let ended = panics::caught(command).unwrap_or_else(|panic| {
        let text = format!("internal error: {panic}; please report it, RUST_BACKTRACE=1 shows more");
        Err(Stop::Error(code::INTERNAL, text))
    });
    let code = match ended {
        Ok(code) => code,
        Err(Stop::ClosedPipe) => 0,
        Err(Stop::Error(code, text)) => {
            output::complain(&format!("error: {text}"));
            code
        }
        Err(Stop::Clap(error)) => usage(&error),
    };
    ExitCode::from(code)
}

/// Help and version go to standard output with 0; anything else is one line and 64.
fn usage(error: &clap::Error) -> u8 {
    use clap::error::ErrorKind;
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => match output::say(text.trim_end()) {
            Ok(()) | Err(Stop::ClosedPipe) => 0,
            Err(_) => code::UNWRITABLE,
        },
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output::complain(text.trim_end());
            code::USAGE
        }
        _ => {
            let end = text.find("\nUsage:").or_else(|| text.find("\nFor more information")).unwrap_or(text.len());
            let words: Vec<&str> = text[..end].split_whitespace().collect();
            output::complain(&format!("{}; `--help` lists what there is", words.join(" ")));
            code::USAGE
        }
    }
}
