//! Fork detection: a child has the memory of its parent but none of its threads, so every call there is an error.
//!
//! The child handler only counts; it takes no lock and calls nothing. A device remembers the count at which it was opened.
//!
//! **Invariants**
//! * `child-refuses`: in a forked child every call on a device of the parent returns `Error::ForkedChild`, and drops do nothing.
//! * `child-opens`: a child that was forked while another thread opened the first device of all opens one of its own. So nobody waits for who does something once for
//!   the process: two threads at once may both register a handler, here and in `exit`, and `profile/clock` does without.
//!
//! **Checked by** specs/fork, the fork attempt, the probe `forked-child` of the thread-local attempt, `fork_first.rs` of the tests of `millstream`.
#![expect(unsafe_code, reason = "registers a handler with the C library")]

use millstream_sync::atomic::{AtomicBool, AtomicU32, Ordering};

static GENERATION: AtomicU32 = AtomicU32::new(0);
static REGISTERED: AtomicBool = AtomicBool::new(false);

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// How often this process was forked off, counted from the first device on.
#[inline]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Registers the handler, once per process or a few times: one that runs twice in a child counts twice, which is as good.
pub(crate) fn watch() {
    // ORDER: Acquire so that who finds it registered opens its device after that; pairs with the store.
    if REGISTERED.load(Ordering::Acquire) {
        return;
    }
    // SAFETY: pthread_atfork asks for handlers that may run in a forked child; true because `in_child` only adds to an atomic.
    let failed = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    debug_assert_eq!(failed, 0, "pthread_atfork can only fail for want of memory");
    // ORDER: Release so that the handler is there for who reads it; pairs with the load.
    REGISTERED.store(true, Ordering::Release);
}

/// Runs `f` in a forked child, which ends with its answer as exit status and runs nothing else. `None`: no fork, or the child was killed.
pub(crate) fn in_child_process(f: impl FnOnce() -> u8) -> Option<u8> {
    // SAFETY: fork asks that the child of a process with several threads call only what is safe with locks held for ever by threads that are gone; `f` is a probe that
    // is there to show that our own calls are: they look at an atomic first and return.
    match unsafe { libc::fork() } {
        -1 => None,
        0 => {
            let answer = f();
            // SAFETY: _exit asks for nothing; it ends the child without destructors or exit hooks.
            unsafe { libc::_exit(i32::from(answer)) }
        }
        child => {
            let mut status = 0;
            // SAFETY: waitpid asks for a valid pointer to the status; true because it is a local, and `child` is a child of ours.
            let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
            (waited == child && libc::WIFEXITED(status)).then(|| libc::WEXITSTATUS(status) as u8)
        }
    }
}
