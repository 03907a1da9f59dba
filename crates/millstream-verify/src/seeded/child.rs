//! One attempt in a child process, with a bug or without.

use std::fmt;
use std::fs;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use millstream_sync::seeded::Bug;

use super::Request;
use super::order::Trial;
use crate::plan::Progress;
use crate::{Error, Result, report};

const POLL: Duration = Duration::from_millis(20);

/// Settings of every child: small, but long enough that the threads overlap; a run without overlap is incomplete.
const SETTINGS: [&str; 12] =
    ["--threads", "8", "--iterations", "100", "--sync-every", "10", "--size", "64", "--duration", "0", "--soak", "3s"];

/// How a child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Clean,
    /// The text of its first finding.
    Findings(String),
    Incomplete(String),
    Crashed(String),
    Hung,
    /// The user stopped the run.
    Stopped,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Clean => f.write_str("clean"),
            End::Findings(text) => write!(f, "findings without a bug: {text}"),
            End::Incomplete(text) => write!(f, "incomplete: {text}"),
            End::Crashed(how) => f.write_str(how),
            End::Hung => f.write_str("hung"),
            End::Stopped => f.write_str("stopped"),
        }
    }
}

/// A child that ended.
pub(super) struct Ran {
    pub(super) end: End,
    pub(super) seconds: f64,
}

/// Runs `trial` with `bug` planted. Errors: [`Error::Write`] when the child cannot be started.
pub(super) fn run(request: &Request, bug: Option<Bug>, trial: &Trial, progress: &dyn Progress) -> Result<Ran> {
    let folder = request.out.join(bug.map_or("none", Bug::id)).join(trial.device.replace(':', "-")).join(trial.attempt);
    let mut command = Command::new(&request.program);
    if let Some(bug) = bug {
        command.args(["--plant", bug.id()]);
    }
    command
        .args(["verify", "--json", "--first-finding", "--attempt", trial.attempt, "--device", &trial.device])
        .args(SETTINGS);
    command.arg("--seed").arg(request.seed.to_string()).arg("--out").arg(&folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let started = command.spawn().map_err(|source| Error::Write { path: request.program.clone(), source })?;
    let waited = wait(started, request.timeout, progress);
    let end = match waited {
        Waited::Hung => End::Hung,
        Waited::Stopped => End::Stopped,
        Waited::Ended(status) => {
            let path = folder.join(format!("attempt-{}.json", trial.attempt));
            judge(status, &fs::read_to_string(path).unwrap_or_default())
        }
    };
    Ok(Ran { end, seconds: begun.elapsed().as_secs_f64() })
}

/// What a status means, with the text from the report of the child.
fn judge(status: ExitStatus, json: &str) -> End {
    let round = report::from_json(json).ok();
    match status.code() {
        Some(0) => End::Clean,
        Some(1) => {
            let first = round.as_ref().and_then(|round| round.findings.first());
            End::Findings(first.map_or_else(|| "findings".to_owned(), |finding| finding.text.clone()))
        }
        Some(2) => End::Incomplete(round.map_or_else(String::new, |round| round.result.to_string())),
        Some(64 | 65 | 69 | 73 | 75) => End::Incomplete(format!("{status}")),
        Some(130) => End::Stopped,
        _ => End::Crashed(format!("crashed: {status}")),
    }
}

enum Waited {
    Ended(ExitStatus),
    Hung,
    Stopped,
}

fn wait(mut child: Child, timeout: Duration, progress: &dyn Progress) -> Waited {
    let begun = Instant::now();
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Waited::Ended(status);
        }
        let (stopped, late) = (progress.interrupted(), begun.elapsed() >= timeout);
        if stopped || late {
            let _ = child.kill();
            let _ = child.wait();
            return if stopped { Waited::Stopped } else { Waited::Hung };
        }
        thread::sleep(POLL);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::plan::Silent;

    fn shell(text: &str) -> Waited {
        let child = Command::new("sh").args(["-c", text]).spawn().expect("sh starts");
        wait(child, Duration::from_millis(500), &Silent)
    }

    #[test]
    fn exit_signal_and_hang_are_told_apart() {
        let end = |text: &str| match shell(text) {
            Waited::Ended(status) => judge(status, ""),
            Waited::Hung => End::Hung,
            Waited::Stopped => End::Stopped,
        };
        assert_eq!(end("exit 0"), End::Clean);
        assert_eq!(end("exit 1"), End::Findings("findings".to_owned()));
        assert!(matches!(end("exit 2"), End::Incomplete(_)));
        assert!(matches!(end("exit 69"), End::Incomplete(_)));
        assert!(matches!(end("exit 70"), End::Crashed(_)));
        assert!(matches!(end("kill -SEGV $$"), End::Crashed(_)));
        assert_eq!(end("exec sleep 20"), End::Hung);
    }
}
