//! Memory of others in buffers: a pointer with a deleter, or a mapped file.
//!
//! An imported block belongs to no pool and no stream, so every use of it is in its use set. When the last handle drops, the block waits until all of its
//! users have completed; then its deleter runs. Kernels only read imported memory.
//!
//! **Life** a number of the slab, live, dropped (in the inbox, then waiting for its stamps), deleted. What is left at the record's end is waited for by a thread of
//! its own, since a drop may not wait.
//!
//! **Invariants**
//! * `deleted-once`: a deleter runs exactly once, after every stamp of its block has completed; in a forked child it does not run and is not dropped either.
//! * `deleter-alone`: a deleter is called with no lock and no token held.
//!
//! **Locks** `Limbo` guards the table, taken alone.
#![expect(unsafe_code, reason = "a mapped file is a promise of the system's")]

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::ptr::NonNull;
use std::time::Duration;

use millstream_hal::{DevicePtr, SEGMENT_ALIGN};
use millstream_sync::atomic::{AtomicUsize, Ordering};
use millstream_sync::lock::levels::{self, Nothing};
use millstream_sync::lock::{Held, Lock, try_enter};
use millstream_sync::seeded::{self, Bug};
use millstream_sync::{Arc, Inbox, thread};

use super::limbo::Waiting;
use super::{Buffer, Pin};
use crate::device::Shared;
use crate::error::{Error, Result};
use crate::evidence::Step;
use crate::stamp::Stamp;

/// What is called when nobody uses the memory any more. Not run on drop: a forked child must leave it alone.
struct Deleter(ManuallyDrop<Box<dyn FnOnce() + Send>>);

impl Deleter {
    /// Calls it. Returns whether it panicked: the caller may be a drop.
    fn run(self) -> bool {
        catch_unwind(AssertUnwindSafe(ManuallyDrop::into_inner(self.0))).is_err()
    }
}

#[derive(Default)]
struct Table {
    live: HashMap<u32, (usize, Deleter)>,
    waiting: Vec<Waiting>,
    spare: Vec<u32>,
}

/// Imported memory of a device.
pub(crate) struct Imports {
    table: Lock<levels::Limbo, Table>,
    /// Without handles, and nobody has looked at their stamps yet.
    dropped: Inbox,
    /// Without handles and not deleted.
    pending: AtomicUsize,
    bytes: AtomicUsize,
    bytes_max: AtomicUsize,
    count: AtomicUsize,
}

impl std::fmt::Debug for Imports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Imports({} bytes)", self.bytes())
    }
}

impl Imports {
    pub(super) fn new() -> Self {
        let zero = || AtomicUsize::new(0);
        let table = Lock::new(Table::default());
        Self { table, dropped: Inbox::new(), pending: zero(), bytes: zero(), bytes_max: zero(), count: zero() }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max.load(Ordering::Relaxed)
    }

    /// Numbers of all imports whose deleters have not run.
    pub(super) fn numbers(&self, held: &mut Held<'_, Nothing>) -> Vec<u32> {
        held.lock(&self.table).live.keys().copied().collect()
    }

    pub(super) fn reset_peak(&self) {
        self.bytes_max.store(self.bytes(), Ordering::Relaxed);
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

/// What the system said about a file.
fn failed(path: &Path) -> impl Fn(std::io::Error) -> Error {
    |source| Error::File { path: path.to_owned(), source: Arc::new(source) }
}

/// A file that has `bytes` bytes from `offset` on. Errors: `File`, `FileTooShort`.
fn opened(path: &Path, offset: u64, bytes: usize) -> Result<File> {
    let file = File::open(path).map_err(failed(path))?;
    let found = file.metadata().map_err(failed(path))?.len();
    let needed = offset.checked_add(bytes as u64);
    if needed.is_none_or(|needed| needed > found) {
        let needed = needed.unwrap_or(u64::MAX);
        return Err(Error::FileTooShort { path: path.to_owned(), needed, found });
    }
    Ok(file)
}

/// `bytes` bytes of a file from `offset` on. Errors: `File`, `FileTooShort`.
pub(crate) fn read_file(path: &Path, offset: u64, bytes: usize) -> Result<Vec<u8>> {
    let mut file = opened(path, offset, bytes)?;
    let mut all = vec![0; bytes];
    file.seek(SeekFrom::Start(offset)).map_err(failed(path))?;
    file.read_exact(&mut all).map_err(failed(path))?;
    Ok(all)
}

impl Shared {
    /// Errors: `Unsupported` where the host's addresses mean nothing to the device.
    pub(crate) fn check_host_addressable(&self, what: &'static str) -> Result<()> {
        match self.backend.info().host_addressable {
            true => Ok(()),
            false => Err(Error::Unsupported { what, device: self.name() }),
        }
    }

    /// A buffer of `bytes` bytes at `start`, which the caller promises to be readable and unchanged until `deleter` is called.
    /// Errors: `Unsupported`, `Closed`, `Fault`, `ForkedChild`, `OutOfMemory` (no more block records), `Reentered`; the deleter is then dropped without a call.
    pub(crate) fn import(
        self: &Arc<Self>,
        start: NonNull<u8>,
        bytes: usize,
        deleter: Box<dyn FnOnce() + Send>,
    ) -> Result<Buffer> {
        self.check_host_addressable("importing host memory")?;
        self.check()?;
        self.settle_imports();
        let imports = &self.memory.imports;
        let number = try_enter(|held| {
            let mut table = held.lock(&imports.table);
            let number = match table.spare.pop() {
                Some(number) => number,
                None => self.memory.slab.fresh(1)?.start,
            };
            table.live.insert(number, (bytes, Deleter(ManuallyDrop::new(deleter))));
            Some(number)
        })
        .ok_or(Error::Reentered)?
        .ok_or_else(|| self.refuse(bytes, super::Ladder::default()))?;
        let address = DevicePtr(start.as_ptr().expose_provenance() as u64);
        self.memory.slab.block(number).import(address, bytes);
        imports.count.fetch_add(1, Ordering::Relaxed);
        let now = imports.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        imports.bytes_max.fetch_max(now, Ordering::Relaxed);
        self.evidence.hit(Step::Imported);
        let block = self.memory.slab.block(number);
        Ok(Buffer::first(
            Arc::new(Pin { shared: self.clone() }),
            block,
            number,
            bytes,
            Stamp { device: self.id, stream: 0, generation: 0, seq: 0 },
        ))
    }

    /// Maps `bytes` bytes of a file from `offset` on. Errors: `File`, `FileTooShort`, and those of [`Shared::import`].
    pub(crate) fn map_file(self: &Arc<Self>, path: &Path, offset: u64, bytes: usize) -> Result<Buffer> {
        self.check_host_addressable("mapping a file")?;
        let (file, failed) = (opened(path, offset, bytes)?, failed(path));
        if bytes == 0 {
            return self.import(NonNull::without_provenance(NOTHING_AT), 0, Box::new(|| {}));
        }
        // SAFETY: asks that nobody cuts or changes the file while it is mapped; said in the documentation of `Device::map_file`, since no system offers more.
        let map = unsafe { memmap2::MmapOptions::new().offset(offset).len(bytes).map(&file) }.map_err(failed)?;
        let start = NonNull::from(map.as_ref()).cast();
        self.import(start, bytes, Box::new(move || drop(map)))
    }

    /// An imported block without handles. Takes no lock by force, never waits for the device.
    #[cold]
    pub(super) fn drop_import(&self, number: u32) {
        let imports = &self.memory.imports;
        imports.dropped.push(number, &self.memory.slab.block(number).link);
        // ORDER: Release so that who sees the count finds the block in the inbox; pairs with the Acquire in `settle_imports`.
        imports.pending.fetch_add(1, Ordering::Release);
        self.settle_imports();
    }

    /// Runs the deleters of imported memory that nobody uses any more. Costs a load when there is none. Call it with nothing held.
    pub(crate) fn settle_imports(&self) {
        // ORDER: Acquire so that the inbox has what was counted; pairs with the Release in `drop_import`.
        if self.memory.imports.pending.load(Ordering::Acquire) == 0 {
            return;
        }
        match try_enter(|held| self.collect_imports(held)) {
            Some(done) => done.into_iter().for_each(|deleter| self.delete(deleter)),
            None => self.evidence.hit(Step::DropDeferred),
        }
    }

    fn delete(&self, deleter: Deleter) {
        self.evidence.hit(Step::ImportDeleted);
        if deleter.run() {
            self.evidence.hit(Step::DeleterPanicked);
        }
    }

    /// Takes out what was dropped and is in use by nobody. Nothing is held, and the deleters are for the caller to run when it has left.
    fn collect_imports(&self, held: &mut Held<'_, Nothing>) -> Vec<Deleter> {
        let (imports, slab) = (&self.memory.imports, &self.memory.slab);
        let mut waiting = std::mem::take(&mut held.lock(&imports.table).waiting);
        imports.dropped.take_all(
            |number| &slab.block(number).link,
            |number| waiting.push(Waiting::new(0, number, self.stamps_of(number), None)),
        );
        let mut done = Vec::new();
        waiting.retain_mut(|w| {
            w.stamps.retain(|(stream, seq)| !seeded::is(Bug::EarlyDeleter) && !self.reached(held, *stream, *seq));
            if w.stamps.is_empty() {
                done.push(w.number);
            }
            !w.stamps.is_empty()
        });
        let mut table = held.lock(&imports.table);
        if !waiting.is_empty() {
            self.evidence.hit(Step::ImportWaited);
            table.waiting.append(&mut waiting);
        }
        let take = |number| {
            let (bytes, deleter) = table.live.remove(&number)?;
            slab.block(number).uses.clear();
            table.spare.push(number);
            imports.bytes.fetch_sub(bytes, Ordering::Relaxed);
            imports.count.fetch_sub(1, Ordering::Relaxed);
            imports.pending.fetch_sub(1, Ordering::Relaxed);
            Some(deleter)
        };
        done.into_iter().filter_map(take).collect()
    }

    /// The record's end: what is still in use is waited for by a thread of its own. A device that has failed uses nothing any more.
    pub(crate) fn end_imports(&self) {
        self.settle_imports();
        let mut left = Vec::new();
        let _ = try_enter(|held| {
            let waiting = std::mem::take(&mut held.lock(&self.memory.imports.table).waiting);
            for w in waiting {
                let events = w.stamps.iter().filter_map(|(stream, seq)| {
                    let raw = self.streams.slot(*stream).raw()?;
                    let covered = self.keep_unless_fault("ending imports", self.cover(held, *stream, *seq));
                    Some((raw, *seq, covered.map(|(_, event)| event)))
                });
                let events: Vec<_> = events.collect();
                let deleter = held.lock(&self.memory.imports.table).live.remove(&w.number);
                left.extend(deleter.map(|(_, deleter)| (events, deleter)));
            }
        });
        if left.is_empty() {
            return;
        }
        let backend = self.backend.clone();
        // Without a thread the memory is kept for ever rather than taken from under the device.
        let _ = thread::Builder::new().name("millstream-deleter".to_owned()).spawn(move || {
            for (events, deleter) in left {
                for (raw, seq, event) in events {
                    while backend.completed(raw).is_some_and(|at| at < seq) {
                        thread::sleep(Duration::from_micros(200));
                    }
                    if let (None, Some(event)) = (backend.completed(raw), event) {
                        let _ = backend.synchronize(event.raw(), None);
                    }
                }
                deleter.run();
            }
        });
    }
}

/// Where an import without bytes lies: aligned, and not null.
pub(super) const NOTHING_AT: std::num::NonZero<usize> = std::num::NonZero::new(SEGMENT_ALIGN).expect("not zero");
