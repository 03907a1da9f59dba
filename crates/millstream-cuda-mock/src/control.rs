//! What a test asks and orders, by functions of the library itself.

use std::ffi::{CStr, c_char};

use crate::driver::context_of;
use crate::state;

/// How often the function `name` was called; all calls for an empty name.
///
/// # Safety
/// `name` ends in zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mock_count(name: *const c_char) -> u64 {
    // SAFETY: asked of the caller.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
    state::with(|s| {
        if name.is_empty() { s.counts.values().sum() } else { s.counts.get(name.as_str()).copied().unwrap_or(0) }
    })
}

/// The next call of `name` fails with `code`.
///
/// # Safety
/// `name` ends in zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mock_fail(name: *const c_char, code: i32) {
    // SAFETY: asked of the caller.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
    state::with(|s| s.failing.insert(name, code));
}

/// From now on every call fails with `code`: a failed device.
#[unsafe(no_mangle)]
pub extern "C" fn mock_break(code: i32) {
    state::with(|s| s.broken = code);
}

/// From now on every call in the context of `device`, and every question for an event of it, gives `code`.
#[unsafe(no_mangle)]
pub extern "C" fn mock_break_device(device: i32, code: i32) {
    state::with(|s| s.failed.insert(context_of(device), code));
}

/// Work stays unfinished (1), or goes on and completes (0).
#[unsafe(no_mangle)]
pub extern "C" fn mock_hold(held: i32) {
    state::with(|s| if held != 0 { s.held = true } else { s.release() });
}

/// Version that the driver tells, and devices that it has.
#[unsafe(no_mangle)]
pub extern "C" fn mock_machine(version: i32, devices: i32) {
    state::with(|s| (s.version, s.devices) = (version, devices));
}

/// What lives: 0 streams, 1 events, 2 pieces of memory, 3 contexts, 4 modules and graphs, 5 threads that bound the context, 6 mistakes.
#[unsafe(no_mangle)]
pub extern "C" fn mock_living(what: i32) -> i64 {
    state::with(|s| match what {
        0 => s.streams.len() as i64,
        1 => s.events.len() as i64,
        2 => s.memory.len() as i64,
        3 => s.contexts,
        4 => s.others.len() as i64,
        5 => s.bound.len() as i64,
        _ => {
            s.mistakes.iter().for_each(|mistake| eprintln!("mock driver: {mistake}"));
            s.mistakes.len() as i64
        }
    })
}
