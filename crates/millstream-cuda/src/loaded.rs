//! What all devices of one number share in a process: the retained context, and the kernels loaded into it.
//!
//! Taking the context and loading modules costs most of an opening, and the end of a context waits for the device. So both are made once and kept until the process ends,
//! however many devices are opened and closed ([why](../../../docs/decisions/0009-a-context-is-kept.md)). One that has failed is forgotten: it ends with its last device, and the next
//! opening asks the driver for another.
//!
//! **Life** retained and loaded by the first opening -> in the table -> forgotten after a fault -> ended by the last device that has it.
//!
//! **Invariants**
//! * `first-wins`: of two openings at once one context is kept; the other one's own is given back to the driver, which counts.
//!
//! **Locks** none: the table is taken by its owner word for as long as a look takes.

use std::path::PathBuf;

use millstream_sync::{Arc, OnceLock, OwnedCell, thread};

use crate::context::Context;
use crate::functions::Functions;
use crate::unheard;

/// A context with its kernels.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) functions: Functions,
    pub(crate) multiprocessors: u32,
    pub(crate) model: String,
    pub(crate) numeric_class: String,
    /// Last: the drop of what stands above needs it.
    pub(crate) context: Context,
}

impl Drop for Loaded {
    fn drop(&mut self) {
        match self.context.bound() {
            Ok(driver) => self.functions.end(driver),
            Err(code) => unheard::keep(&self.context.driver, "the context was bound", Err(code)),
        }
    }
}

/// A driver by its place, and the number of a device.
pub(crate) type Key = (PathBuf, u32);

/// What is kept for a key.
type Entry = (Key, Arc<Loaded>);

static TABLE: OnceLock<OwnedCell<Vec<Entry>>> = OnceLock::new();

fn with<R>(mut work: impl FnMut(&mut Vec<Entry>) -> R) -> R {
    let table = TABLE.get_or_init(|| OwnedCell::new(Vec::new()));
    loop {
        if let Some(result) = table.try_with(&mut work) {
            return result;
        }
        thread::yield_now();
    }
}

/// What an earlier opening left.
pub(crate) fn find(key: &Key) -> Option<Arc<Loaded>> {
    with(|table| table.iter().find(|(of, _)| of == key).map(|(_, loaded)| Arc::clone(loaded)))
}

/// Keeps `fresh`, unless somebody was faster; gives what is kept.
pub(crate) fn keep(key: &Key, fresh: Arc<Loaded>) -> Arc<Loaded> {
    with(|table| {
        if let Some((_, kept)) = table.iter().find(|(of, _)| of == key) {
            return Arc::clone(kept);
        }
        table.push((key.clone(), Arc::clone(&fresh)));
        Arc::clone(&fresh)
    })
}

/// Its context has failed: no later device gets it.
pub(crate) fn forget(failed: &Arc<Loaded>) {
    // Dropped outside: its end calls the driver.
    let _gone = with(|table| {
        let at = table.iter().position(|(_, loaded)| Arc::ptr_eq(loaded, failed))?;
        Some(table.swap_remove(at))
    });
}
