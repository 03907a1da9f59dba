//! Captured sequences: an executable graph, with scratch of its own, since it may be launched on any stream.

use millstream_hal::{Error, RawGraph, Result};
use millstream_sync::BoundedQueue;
use millstream_sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::driver::Handle;
use crate::stream::Scratch;

/// Most graphs at once.
const GRAPHS_MAX: usize = 1 << 10;

#[derive(Debug, Default)]
struct Cell {
    executable: AtomicUsize,
    scratch: AtomicU64,
}

/// All graphs of a device.
#[derive(Debug)]
pub(crate) struct Graphs {
    cells: Box<[Cell]>,
    free: BoundedQueue<u32>,
    made: AtomicUsize,
}

impl Graphs {
    pub(crate) fn new() -> Self {
        Self {
            cells: (0..GRAPHS_MAX).map(|_| Cell::default()).collect(),
            free: BoundedQueue::with_capacity(GRAPHS_MAX),
            made: AtomicUsize::new(0),
        }
    }

    /// Keeps a graph. Errors: [`Error::Exhausted`].
    pub(crate) fn keep(&self, executable: Handle, scratch: Scratch) -> Result<RawGraph> {
        let index = self.free.try_pop().map_or_else(|| self.made.fetch_add(1, Ordering::Relaxed), |free| free as usize);
        let Some(cell) = self.cells.get(index) else {
            self.made.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::Exhausted { what: "graphs", limit: GRAPHS_MAX });
        };
        // ORDER: Relaxed; the caller hands the graph to other threads in an order of its own.
        cell.executable.store(executable, Ordering::Relaxed);
        cell.scratch.store(scratch.0, Ordering::Relaxed);
        Ok(RawGraph(index as u32))
    }

    pub(crate) fn executable(&self, graph: RawGraph) -> Handle {
        // ORDER: Relaxed; as in `keep`.
        self.cells[graph.0 as usize].executable.load(Ordering::Relaxed)
    }

    /// Takes a graph out: nobody uses it any more.
    pub(crate) fn take(&self, graph: RawGraph) -> (Handle, Scratch) {
        let cell = &self.cells[graph.0 as usize];
        // ORDER: Relaxed; as in `keep`.
        let taken = (cell.executable.swap(0, Ordering::Relaxed), Scratch(cell.scratch.load(Ordering::Relaxed)));
        let _ = self.free.try_push(graph.0);
        taken
    }
}
