//! The driver: its functions, found by name, and one safe method for each.
//!
//! Handles and device addresses are plain numbers: what they name lives in the driver, which refuses a wrong one or fails the device. A method does one call
//! and counts it; it keeps nothing.
//!
//! **Invariants**
//! * `one-call`: a method makes one driver call, so that counting methods counts calls.
#![expect(unsafe_code, reason = "calls into a library that is found at run time")]

mod calls;
mod code;
mod symbols;

use std::ffi::{CStr, c_char, c_void};
use std::path::{Path, PathBuf};

use millstream_hal::DriverCalls;

use calls::Calls;
pub(crate) use code::Code;
use symbols::Symbols;

use crate::error::{OpenError, Result};
use crate::library::{self, Found};

/// What a call gives back.
pub(crate) type Answer<T = ()> = std::result::Result<T, Code>;

/// A context, stream, event, module, function or graph of the driver.
pub(crate) type Handle = usize;

/// Oldest driver that the backend works with: CUDA 12.0.
pub(crate) const VERSION_MIN: i32 = 12_000;

/// The driver.
#[derive(Debug)]
pub(crate) struct Driver {
    symbols: Symbols,
    path: PathBuf,
    calls: Calls,
}

/// Attributes of a device that are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Attribute {
    Multiprocessors = 16,
    ComputeMajor = 75,
    ComputeMinor = 76,
}

fn made<T>(code: i32, value: T) -> Answer<T> {
    if code == 0 { Ok(value) } else { Err(Code(code)) }
}

impl Driver {
    /// Finds and loads it; calls nothing. Errors: [`OpenError::LibraryNotFound`], [`OpenError::SymbolMissing`].
    pub(crate) fn load(folders: &[PathBuf]) -> Result<Self> {
        let Found { library, path } = library::find(&["libcuda.so.1", "libcuda.so"], folders, None)?;
        let missing = |symbol| OpenError::SymbolMissing { symbol, path: path.display().to_string() };
        let symbols = Symbols::load(&library).map_err(missing)?;
        Ok(Self { symbols, path, calls: Calls::new() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How often it was called.
    pub(crate) fn calls(&self) -> DriverCalls {
        self.calls.read()
    }

    /// An enqueue on `stream` answered `code`.
    #[inline]
    fn enqueued(&self, stream: Handle, code: i32) -> Answer {
        self.calls.enqueue(stream);
        made(code, ())
    }

    /// Any other call answered `code`.
    fn called<T>(&self, code: i32, value: T) -> Answer<T> {
        self.calls.other();
        made(code, value)
    }

    pub(crate) fn init(&self) -> Answer {
        // SAFETY: asks for flags of zero.
        self.called(unsafe { (self.symbols.init)(0) }, ())
    }

    /// The newest CUDA that it supports: 13000 for 13.0.
    pub(crate) fn version(&self) -> Answer<i32> {
        let mut version = 0;
        // SAFETY: asks for a place to write to; it lives.
        self.called(unsafe { (self.symbols.version)(&mut version) }, ()).map(|()| version)
    }

    pub(crate) fn device_count(&self) -> Answer<u32> {
        let mut count = 0;
        // SAFETY: asks for a place to write to; it lives.
        self.called(unsafe { (self.symbols.device_count)(&mut count) }, ()).map(|()| u32::try_from(count).unwrap_or(0))
    }

    pub(crate) fn device(&self, index: u32) -> Answer<i32> {
        let mut device = 0;
        // SAFETY: asks for a place to write to; it lives.
        self.called(unsafe { (self.symbols.device)(&mut device, index as i32) }, ()).map(|()| device)
    }

    pub(crate) fn device_name(&self, device: i32) -> Answer<String> {
        let mut name = [0u8; 256];
        let (room, bytes) = (name.as_mut_ptr().cast(), name.len() as i32 - 1);
        // SAFETY: asks for room for so many bytes; the array has it.
        self.called(unsafe { (self.symbols.device_name)(room, bytes, device) }, ())?;
        Ok(CStr::from_bytes_until_nul(&name).map(|n| n.to_string_lossy().into_owned()).unwrap_or_default())
    }

    pub(crate) fn attribute(&self, device: i32, attribute: Attribute) -> Answer<i32> {
        let mut value = 0;
        // SAFETY: asks for a place to write to; it lives.
        self.called(unsafe { (self.symbols.attribute)(&mut value, attribute as i32, device) }, ()).map(|()| value)
    }

    pub(crate) fn retain_primary(&self, device: i32) -> Answer<Handle> {
        let mut context = 0;
        // SAFETY: asks for a place to write to; it lives.
        self.called(unsafe { (self.symbols.retain_primary)(&mut context, device) }, ()).map(|()| context)
    }

    pub(crate) fn release_primary(&self, device: i32) -> Answer {
        // SAFETY: asks for a device that was retained; each release follows one retain (`Context`).
        self.called(unsafe { (self.symbols.release_primary)(device) }, ())
    }

    pub(crate) fn set_current(&self, context: Handle) -> Answer {
        // SAFETY: asks for a context that lives; it is the retained one (`Context`).
        self.called(unsafe { (self.symbols.set_current)(context) }, ())
    }

    /// Free and all memory, in bytes.
    pub(crate) fn memory(&self) -> Answer<(usize, usize)> {
        let (mut free, mut all) = (0, 0);
        // SAFETY: asks for two places to write to; both live.
        self.called(unsafe { (self.symbols.memory)(&mut free, &mut all) }, ()).map(|()| (free, all))
    }

    pub(crate) fn allocate(&self, bytes: usize) -> Answer<u64> {
        let mut address = 0;
        // SAFETY: asks for a place to write to; it lives.
        self.called(unsafe { (self.symbols.allocate)(&mut address, bytes) }, ()).map(|()| address)
    }

    pub(crate) fn free(&self, address: u64) -> Answer {
        // SAFETY: asks for an address of `allocate` that no work uses; the runtime's promise (`memory-outlives-work`).
        self.called(unsafe { (self.symbols.free)(address) }, ())
    }

    pub(crate) fn allocate_pinned(&self, bytes: usize) -> Answer<u64> {
        let mut address: *mut c_void = std::ptr::null_mut();
        // SAFETY: asks for a place to write to; it lives. Portable: usable from every context.
        self.called(unsafe { (self.symbols.allocate_pinned)(&mut address, bytes, PORTABLE) }, ())
            .map(|()| address as u64)
    }

    pub(crate) fn free_pinned(&self, address: u64) -> Answer {
        // SAFETY: asks for an address of `allocate_pinned` that no work uses; the runtime's promise (`memory-outlives-work`).
        self.called(unsafe { (self.symbols.free_pinned)(address as *mut c_void) }, ())
    }

    pub(crate) fn copy_to_device(&self, to: u64, from: u64, bytes: usize, stream: Handle) -> Answer {
        // SAFETY: asks for ranges that live until the copy is done; operands of a launch, whose sizes were checked (`memory-outlives-work`).
        self.enqueued(stream, unsafe { (self.symbols.copy_to_device)(to, from as *const c_void, bytes, stream) })
    }

    pub(crate) fn copy_to_host(&self, to: u64, from: u64, bytes: usize, stream: Handle) -> Answer {
        // SAFETY: as in `copy_to_device`.
        self.enqueued(stream, unsafe { (self.symbols.copy_to_host)(to as *mut c_void, from, bytes, stream) })
    }

    pub(crate) fn can_access_peer(&self, device: i32, peer: i32) -> Answer<bool> {
        let mut can = 0;
        // SAFETY: asks for a place to write to; it lives.
        self.called(unsafe { (self.symbols.can_access_peer)(&mut can, device, peer) }, ()).map(|()| can != 0)
    }

    /// Lets the current context reach the memory of `peer`.
    pub(crate) fn enable_peer(&self, peer: Handle) -> Answer {
        // SAFETY: asks for a context that lives; it is a retained one (`Context`).
        self.called(unsafe { (self.symbols.enable_peer)(peer, 0) }, ())
    }

    /// `to` and `from` are an address and its context.
    pub(crate) fn copy_to_peer(&self, to: (u64, Handle), from: (u64, Handle), bytes: usize, stream: Handle) -> Answer {
        // SAFETY: asks for ranges that live until the copy is done, each in its context; the runtime's promise (`memory-outlives-work`).
        self.enqueued(stream, unsafe { (self.symbols.copy_to_peer)(to.0, to.1, from.0, from.1, bytes, stream) })
    }

    pub(crate) fn zero(&self, address: u64, bytes: usize, stream: Handle) -> Answer {
        // SAFETY: asks for a range that lives until it is done; scratch of the backend's own (`Scratch`).
        self.enqueued(stream, unsafe { (self.symbols.set_bytes)(address, 0, bytes, stream) })
    }

    pub(crate) fn create_stream(&self) -> Answer<Handle> {
        let mut stream = 0;
        // SAFETY: asks for a place to write to; it lives. The flag keeps it apart from the legacy stream.
        self.called(unsafe { (self.symbols.create_stream)(&mut stream, NON_BLOCKING) }, ()).map(|()| stream)
    }

    pub(crate) fn destroy_stream(&self, stream: Handle) -> Answer {
        // SAFETY: asks for a stream that nobody uses afterwards; kept by `Slot::close`.
        self.called(unsafe { (self.symbols.destroy_stream)(stream) }, ())
    }

    pub(crate) fn synchronize_stream(&self, stream: Handle) -> Answer {
        // SAFETY: asks for a living stream; kept by `Slot`.
        self.called(unsafe { (self.symbols.synchronize_stream)(stream) }, ())
    }

    pub(crate) fn wait_event(&self, stream: Handle, event: Handle) -> Answer {
        // SAFETY: asks for a living stream and event; kept by `Slot` and `Events`.
        self.enqueued(stream, unsafe { (self.symbols.wait_event)(stream, event, 0) })
    }

    pub(crate) fn create_event(&self, timing: bool) -> Answer<Handle> {
        let mut event = 0;
        // SAFETY: asks for a place to write to; it lives.
        self.called(unsafe { (self.symbols.create_event)(&mut event, if timing { 0 } else { NO_TIMING }) }, ())
            .map(|()| event)
    }

    pub(crate) fn destroy_event(&self, event: Handle) -> Answer {
        // SAFETY: asks for an event that nobody uses afterwards; kept by `Events`.
        self.called(unsafe { (self.symbols.destroy_event)(event) }, ())
    }

    pub(crate) fn record_event(&self, event: Handle, stream: Handle) -> Answer {
        // SAFETY: asks for a living stream and event; kept by `Slot` and `Events`.
        self.enqueued(stream, unsafe { (self.symbols.record_event)(event, stream) })
    }

    /// Whether the event's mark was reached.
    pub(crate) fn query_event(&self, event: Handle) -> Answer<bool> {
        self.calls.question(event);
        // SAFETY: asks for a living event; kept by `Events`.
        match made(unsafe { (self.symbols.query_event)(event) }, true) {
            Err(Code::NOT_READY) => Ok(false),
            answer => answer,
        }
    }

    pub(crate) fn elapsed_ms(&self, start: Handle, end: Handle) -> Answer<f32> {
        let mut milliseconds = 0.0;
        // SAFETY: asks for two living events and a place to write to.
        self.called(unsafe { (self.symbols.elapsed)(&mut milliseconds, start, end) }, ()).map(|()| milliseconds)
    }

    /// Loads machine code, or text in the driver's language, which ends in a zero byte.
    pub(crate) fn load_module(&self, image: &[u8]) -> Answer<Handle> {
        let mut module = 0;
        // SAFETY: asks for a whole image; true because NVRTC made it and the cache compares its hash.
        self.called(unsafe { (self.symbols.load_module)(&mut module, image.as_ptr().cast()) }, ()).map(|()| module)
    }

    pub(crate) fn unload_module(&self, module: Handle) -> Answer {
        // SAFETY: asks for a module of which nothing runs; the backend ends after its streams.
        self.called(unsafe { (self.symbols.unload_module)(module) }, ())
    }

    pub(crate) fn function(&self, module: Handle, name: &CStr) -> Answer<Handle> {
        let mut function = 0;
        // SAFETY: asks for a living module, a name that ends in zero and a place to write to.
        self.called(unsafe { (self.symbols.function)(&mut function, module, name.as_ptr()) }, ()).map(|()| function)
    }

    /// Enqueues a kernel of one parameter.
    #[inline]
    pub(crate) fn launch<A>(
        &self,
        function: Handle,
        grid: [u32; 2],
        threads: u32,
        stream: Handle,
        argument: &A,
    ) -> Answer {
        let mut parameters = [std::ptr::from_ref(argument).cast_mut().cast::<c_void>()];
        let [x, y] = grid;
        let (first, none) = (parameters.as_mut_ptr(), std::ptr::null_mut());
        // SAFETY: asks for a living function and stream, and for one parameter of the kernel's size, which is copied before the call returns; the launch
        // files pair each function with its argument, and compare their sizes.
        self.enqueued(stream, unsafe {
            (self.symbols.launch)(function, x, y, 1, threads, 1, 1, 0, stream, first, none)
        })
    }

    pub(crate) fn begin_capture(&self, stream: Handle) -> Answer {
        // SAFETY: asks for a living stream. Only this thread's calls are watched.
        self.called(unsafe { (self.symbols.begin_capture)(stream, THREAD_LOCAL) }, ())
    }

    pub(crate) fn end_capture(&self, stream: Handle) -> Answer<Handle> {
        let mut graph = 0;
        // SAFETY: asks for a living stream and a place to write to.
        self.called(unsafe { (self.symbols.end_capture)(stream, &mut graph) }, ()).map(|()| graph)
    }

    pub(crate) fn instantiate(&self, graph: Handle) -> Answer<Handle> {
        let mut executable = 0;
        // SAFETY: asks for a living graph and a place to write to.
        self.called(unsafe { (self.symbols.instantiate)(&mut executable, graph, 0) }, ()).map(|()| executable)
    }

    pub(crate) fn launch_graph(&self, executable: Handle, stream: Handle) -> Answer {
        // SAFETY: asks for a living graph and stream.
        self.enqueued(stream, unsafe { (self.symbols.launch_graph)(executable, stream) })
    }

    pub(crate) fn destroy_graph(&self, graph: Handle) -> Answer {
        // SAFETY: asks for a graph that nobody uses afterwards.
        self.called(unsafe { (self.symbols.destroy_graph)(graph) }, ())
    }

    pub(crate) fn destroy_executable(&self, executable: Handle) -> Answer {
        // SAFETY: asks for an executable graph whose launches are done.
        self.called(unsafe { (self.symbols.destroy_executable)(executable) }, ())
    }

    /// What a code means: the driver's sentence, its name and its number.
    pub(crate) fn describe(&self, code: Code) -> String {
        let ask = |f: unsafe extern "C" fn(i32, *mut *const c_char) -> i32| {
            let mut text: *const c_char = std::ptr::null();
            // SAFETY: asks for a place to write to; it lives.
            let known = unsafe { f(code.0, &mut text) } == 0 && !text.is_null();
            // SAFETY: asks for a string that ends in zero and is never freed; the driver's are constants.
            known.then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
        };
        let (sentence, name) = (ask(self.symbols.error_string), ask(self.symbols.error_name));
        let unknown = || "an error that the driver does not know".to_owned();
        format!("{} ({}, {})", sentence.unwrap_or_else(unknown), name.unwrap_or_else(|| "no name".to_owned()), code.0)
    }
}

const PORTABLE: u32 = 1;
const NON_BLOCKING: u32 = 1;
const NO_TIMING: u32 = 2;
const THREAD_LOCAL: i32 = 1;
