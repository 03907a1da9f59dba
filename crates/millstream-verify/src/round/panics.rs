//! Panics that must not reach the user: each is caught, and its place is remembered for whoever caught it.

use std::any::Any;
use std::cell::Cell;
use std::env;
use std::panic::{self, AssertUnwindSafe};

/// Bytes kept of a panic's text.
const KEPT: usize = 240;

millstream_sync::thread_state! {
    /// Mechanism: plain bytes and their number, set and taken whole through `try_with`; no destructor.
    static LAST: Cell<([u8; KEPT], usize)> = Cell::new(([0; KEPT], 0))
}

fn keep(text: &str) {
    let mut bytes = [0; KEPT];
    let length = text.len().min(KEPT);
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    // A thread on its way out has no state any more, and nobody who would ask.
    let _ = LAST.try_with(|last| last.set((bytes, length)));
}

fn take() -> String {
    let (bytes, length) = LAST.try_with(|last| last.replace(([0; KEPT], 0))).unwrap_or(([0; KEPT], 0));
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

/// Replaces the process's panic hook: a panic is remembered by its thread and not printed, unless `RUST_BACKTRACE` asks for it. Threads of
/// probes panic on purpose, and what they did is in the report.
pub fn remember() {
    let before = panic::take_hook();
    let loud = env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map(|place| format!(" at {}:{}", place.file(), place.line()));
        let text = format!("{}{}", text_of(info.payload()), place.unwrap_or_default());
        keep(&text);
        if loud {
            before(info);
        }
    }));
}

/// Runs `body`. Errors: the text of its panic, with the place where [`remember`] is on.
pub fn caught<T>(body: impl FnOnce() -> T) -> Result<T, String> {
    take();
    panic::catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        let remembered = take();
        if remembered.is_empty() { text_of(&*payload) } else { remembered }
    })
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a text").replace('\n', " ")
}
