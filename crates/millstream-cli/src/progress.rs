//! What a long run tells while it runs, on standard error: a bar on a terminal, plain lines elsewhere; and whether ^C was pressed.

use std::io::{self, IsTerminal};
use std::process;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use millstream_sync::OnceLock;
use millstream_sync::atomic::{AtomicBool, AtomicU64, Ordering};
use millstream_verify::plan::Progress;

use crate::exit::code;
use crate::output;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The one bar of the process, also for the line that ^C prints above it.
static BAR: OnceLock<ProgressBar> = OnceLock::new();

/// Between two plain lines of one stage.
const EVERY: Duration = Duration::from_secs(5);

/// Listens for ^C. The first asks the run to end, so that its ledger line is written; the second ends the process.
pub fn listen() {
    // Where it cannot be set, ^C ends the process and the ledger says "started, no result": true as well.
    let _ = ctrlc::set_handler(|| {
        // ORDER: Relaxed: a flag alone, nothing is published with it.
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            process::exit(i32::from(code::INTERRUPTED));
        }
        let text = "interrupted: ending what runs, then the ledger line (^C again: at once)";
        match BAR.get().filter(|bar| !bar.is_finished()) {
            Some(bar) => bar.println(text),
            None => output::complain(text),
        }
    });
}

/// Whether ^C was pressed.
pub fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Tells a person how far a run is.
pub struct Teller {
    bar: Option<&'static ProgressBar>,
    begun: Instant,
    /// Milliseconds from `begun` to the last plain line.
    last_ms: AtomicU64,
}

impl Teller {
    /// A bar where standard error is a terminal, lines where it is not.
    pub fn new() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = BAR.get_or_init(|| ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(8)));
            bar.reset();
            // Two shapes of one line: without a length there is nothing to fill.
            bar.set_style(spinner());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Teller { bar, begun: Instant::now(), last_ms: AtomicU64::new(0) }
    }

    /// Takes the bar away before results are printed.
    pub fn clear(&self) {
        if let Some(bar) = self.bar {
            bar.disable_steady_tick();
            bar.finish_and_clear();
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.clear();
    }
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {elapsed:>4} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn filling() -> ProgressStyle {
    let template = "{spinner} {elapsed:>4} [{bar:20}] {pos}/{len} {msg}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ")
}

impl Progress for Teller {
    fn stage(&self, text: &str) {
        match self.bar {
            Some(bar) => {
                bar.set_style(spinner());
                bar.reset_elapsed();
                bar.set_position(0);
                bar.set_message(text.to_owned());
            }
            None => output::complain(text),
        }
        self.last_ms.store(milliseconds(self.begun), Ordering::Relaxed);
    }

    fn advance(&self, done: u64, of: u64) {
        if let Some(bar) = self.bar {
            if bar.length() != Some(of) || bar.position() == 0 {
                bar.set_style(filling());
                bar.set_length(of);
            }
            bar.set_position(done);
            return;
        }
        let now = milliseconds(self.begun);
        let last = self.last_ms.load(Ordering::Relaxed);
        // ORDER: Relaxed: whoever moves the time on prints, nothing is read through it.
        let due = now.saturating_sub(last) >= EVERY.as_millis() as u64
            && self.last_ms.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if due {
            output::complain(&format!("  {done} of {of}, {} s", now / 1000));
        }
    }

    fn interrupted(&self) -> bool {
        is_interrupted()
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
