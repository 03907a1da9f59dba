//! The functions of the driver that the backend uses, by their names.

use std::ffi::{c_char, c_void};

use crate::state::{State, call};

const INVALID_VALUE: i32 = 1;
const OUT_OF_MEMORY: i32 = 2;
const INVALID_CONTEXT: i32 = 201;
const INVALID_HANDLE: i32 = 400;
const NOT_READY: i32 = 600;

/// Memory of the device.
const MEMORY: usize = 1 << 28;

/// Writes what a call gives back.
///
/// # Safety
/// `to` is a place to write to, as the vendor's function asks.
unsafe fn give<T>(to: *mut T, value: T) -> i32 {
    // SAFETY: asked of the caller.
    unsafe { to.write(value) };
    0
}

/// Whether the calling thread has the context; without it the call is a mistake.
fn here(state: &mut State, work: impl FnOnce(&mut State) -> i32) -> i32 {
    if state.context() != 0 { work(state) } else { state.mistake("a call without a context", INVALID_CONTEXT) }
}

macro_rules! functions {
    ($($name:ident($($argument:ident: $type:ty),*) |$state:ident| $body:block)*) => {$(
        /// # Safety
        /// As the vendor's function of this name.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $type),*) -> i32 {
            call(stringify!($name), |$state| $body)
        }
    )*};
}

functions! {
    cuInit(_flags: u32) |s| { if s.devices == 0 { 100 } else { 0 } }
    // SAFETY: asked of the caller, here and below.
    cuDriverGetVersion(to: *mut i32) |s| { unsafe { give(to, s.version) } }
    // SAFETY: asked of the caller.
    cuDeviceGetCount(to: *mut i32) |s| { unsafe { give(to, s.devices) } }
    // SAFETY: asked of the caller.
    cuDeviceGet(to: *mut i32, index: i32) |_s| { unsafe { give(to, index) } }
    // SAFETY: asked of the caller: room for the name.
    cuDeviceGetName(to: *mut c_char, _room: i32, _device: i32) |_s| { unsafe { give(to.cast(), *b"Mock\0") } }
    cuDeviceGetAttribute(to: *mut i32, attribute: i32, _device: i32) |_s| {
        let value = match attribute {
            16 => 4,
            75 => 9,
            _ => 0,
        };
        // SAFETY: asked of the caller.
        unsafe { give(to, value) }
    }
    cuDevicePrimaryCtxRetain(to: *mut usize, device: i32) |s| {
        s.contexts += 1;
        // SAFETY: asked of the caller.
        unsafe { give(to, context_of(device)) }
    }
    cuDevicePrimaryCtxRelease_v2(_device: i32) |s| {
        s.contexts -= 1;
        0
    }
    cuCtxSetCurrent(context: usize) |s| {
        s.bind(context);
        0
    }
    cuMemGetInfo_v2(free: *mut usize, all: *mut usize) |s| {
        let used: usize = s.memory.values().map(Vec::len).sum();
        // SAFETY: asked of the caller.
        unsafe { give(free, MEMORY - used) };
        // SAFETY: asked of the caller.
        unsafe { give(all, MEMORY) }
    }
    cuMemAlloc_v2(to: *mut u64, bytes: usize) |s| { here(s, |s| {
        let used: usize = s.memory.values().map(Vec::len).sum();
        if bytes == 0 {
            return s.mistake("an allocation of nothing", INVALID_VALUE);
        }
        if used + bytes > MEMORY {
            return OUT_OF_MEMORY;
        }
        take(s, to.cast(), bytes)
    }) }
    cuMemFree_v2(address: u64) |s| { let busy = s.is_busy(); free(s, address, busy) }
    cuMemHostAlloc(to: *mut *mut c_void, bytes: usize, _flags: u32) |s| { here(s, |s| take(s, to.cast(), bytes)) }
    cuMemFreeHost(address: *mut c_void) |s| { let busy = s.is_busy(); free(s, address as u64, busy) }
    cuMemcpyHtoDAsync_v2(to: u64, from: *const c_void, bytes: usize, stream: usize) |s| { here(s, |s| copy(s, to, from as u64, bytes, stream)) }
    cuMemcpyDtoHAsync_v2(to: *mut c_void, from: u64, bytes: usize, stream: usize) |s| { here(s, |s| copy(s, to as u64, from, bytes, stream)) }
    // SAFETY: asked of the caller.
    cuDeviceCanAccessPeer(to: *mut i32, device: i32, peer: i32) |_s| { unsafe { give(to, i32::from(device != peer)) } }
    cuCtxEnablePeerAccess(peer: usize, _flags: u32) |s| { here(s, |s| if s.context() == peer { INVALID_VALUE } else { 0 }) }
    cuMemcpyPeerAsync(to: u64, to_context: usize, from: u64, from_context: usize, bytes: usize, stream: usize) |s| { here(s, |s| {
        if s.context() != from_context || to_context == 0 {
            return s.mistake("a copy between devices from elsewhere", INVALID_VALUE);
        }
        copy(s, to, from, bytes, stream)
    }) }
    cuMemsetD8Async(_address: u64, _byte: u8, _bytes: usize, stream: usize) |s| { here(s, |s| s.operate(stream)) }
    cuStreamCreate(to: *mut usize, flags: u32) |s| { here(s, |s| {
        if flags != 1 {
            s.mistake("a stream that blocks with the legacy one", INVALID_VALUE);
        }
        let handle = s.handle();
        let context = s.context();
        s.streams.insert(handle, crate::state::Stream { context, ..Default::default() });
        // SAFETY: asked of the caller.
        unsafe { give(to, handle) }
    }) }
    cuStreamDestroy_v2(stream: usize) |s| {
        match s.streams.remove(&stream) {
            Some(stream) if stream.completed < stream.enqueued => s.mistake("a stream ended with work", 0),
            Some(_) => 0,
            None => s.mistake("a stream ended twice", INVALID_HANDLE),
        }
    }
    cuStreamSynchronize(stream: usize) |s| { if s.streams.contains_key(&stream) { 0 } else { INVALID_HANDLE } }
    cuStreamWaitEvent(stream: usize, event: usize, _flags: u32) |s| { here(s, |s| {
        if !matches!(s.events.get(&event), Some(Some(_))) {
            return s.mistake("a wait for an event without a record", INVALID_HANDLE);
        }
        s.operate(stream)
    }) }
    cuEventCreate(to: *mut usize, _flags: u32) |s| { here(s, |s| {
        let handle = s.handle();
        s.events.insert(handle, None);
        let context = s.context();
        s.of_events.insert(handle, context);
        // SAFETY: asked of the caller.
        unsafe { give(to, handle) }
    }) }
    cuEventDestroy_v2(event: usize) |s| {
        if s.events.remove(&event).is_some() { 0 } else { s.mistake("an event ended twice", INVALID_HANDLE) }
    }
    cuEventRecord(event: usize, stream: usize) |s| { here(s, |s| {
        let code = s.operate(stream);
        let position = s.streams.get(&stream).map_or(0, |stream| stream.enqueued);
        match s.events.get_mut(&event) {
            Some(mark) => *mark = Some((stream, position)),
            None => return s.mistake("a record of an event that does not live", INVALID_HANDLE),
        }
        code
    }) }
    cuEventQuery(event: usize) |s| { here(s, |s| {
        if let Some(code) = s.of_events.get(&event).and_then(|context| s.failed.get(context)) {
            return *code;
        }
        let (stream, position) = match s.events.get(&event) {
            Some(Some(mark)) => *mark,
            // As the vendor's: nothing is outstanding.
            Some(None) => return 0,
            None => return s.mistake("a question for an event that does not live", INVALID_HANDLE),
        };
        let done = s.streams.get(&stream).is_none_or(|stream| stream.completed >= position);
        if done { 0 } else { NOT_READY }
    }) }
    // SAFETY: asked of the caller.
    cuEventElapsedTime(to: *mut f32, _start: usize, _end: usize) |_s| { unsafe { give(to, 1.5) } }
    cuModuleLoadData(to: *mut usize, _image: *const c_void) |s| { here(s, |s| {
        let handle = s.handle();
        s.others.insert(handle);
        // SAFETY: asked of the caller.
        unsafe { give(to, handle) }
    }) }
    cuModuleUnload(module: usize) |s| { if s.others.remove(&module) { 0 } else { INVALID_HANDLE } }
    cuModuleGetFunction(to: *mut usize, _module: usize, _name: *const c_char) |s| {
        let handle = s.handle();
        // SAFETY: asked of the caller.
        unsafe { give(to, handle) }
    }
    cuLaunchKernel(function: usize, x: u32, _y: u32, _z: u32, threads: u32, _ty: u32, _tz: u32, _shared: u32, stream: usize, _parameters: *mut *mut c_void, _extra: *mut *mut c_void) |s| { here(s, |s| {
        if function == 0 || x == 0 || threads == 0 {
            return s.mistake("a launch of nothing", INVALID_VALUE);
        }
        s.operate(stream)
    }) }
    cuStreamBeginCapture_v2(_stream: usize, _mode: i32) |_s| { 0 }
    cuStreamEndCapture(_stream: usize, to: *mut usize) |s| {
        let handle = s.handle();
        s.others.insert(handle);
        // SAFETY: asked of the caller.
        unsafe { give(to, handle) }
    }
    cuGraphInstantiateWithFlags(to: *mut usize, _graph: usize, _flags: u64) |s| {
        let handle = s.handle();
        s.others.insert(handle);
        // SAFETY: asked of the caller.
        unsafe { give(to, handle) }
    }
    cuGraphLaunch(_graph: usize, stream: usize) |s| { s.operate(stream) }
    cuGraphDestroy(graph: usize) |s| { if s.others.remove(&graph) { 0 } else { INVALID_HANDLE } }
    cuGraphExecDestroy(graph: usize) |s| { if s.others.remove(&graph) { 0 } else { INVALID_HANDLE } }
}

/// # Safety
/// As the vendor's function of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorName(code: i32, to: *mut *const c_char) -> i32 {
    let name = match code {
        OUT_OF_MEMORY => c"CUDA_ERROR_OUT_OF_MEMORY",
        700 => c"CUDA_ERROR_ILLEGAL_ADDRESS",
        _ => c"CUDA_ERROR_OF_THE_MOCK",
    };
    // SAFETY: asked of the caller.
    unsafe { give(to, name.as_ptr()) }
}

/// # Safety
/// As the vendor's function of this name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorString(_code: i32, to: *mut *const c_char) -> i32 {
    // SAFETY: asked of the caller.
    unsafe { give(to, c"a sentence of the mock".as_ptr()) }
}

/// The primary context of a device.
pub(crate) fn context_of(device: i32) -> usize {
    8 + device as usize
}

fn take(state: &mut State, to: *mut u64, bytes: usize) -> i32 {
    // Addresses are aligned to 256, as the vendor's are: so much more is taken.
    let piece = vec![0u8; bytes + 256];
    let address = (piece.as_ptr() as u64).next_multiple_of(256);
    state.memory.insert(address, piece);
    // SAFETY: asked of the caller of the function that takes.
    unsafe { give(to, address) }
}

fn free(state: &mut State, address: u64, busy: bool) -> i32 {
    if busy {
        state.mistake("memory freed while a stream has work", 0);
    }
    if state.memory.remove(&address).is_some() { 0 } else { state.mistake("memory freed twice", INVALID_VALUE) }
}

fn copy(state: &mut State, to: u64, from: u64, bytes: usize, stream: usize) -> i32 {
    let inside = |address: u64| {
        state.memory.range(..=address).next_back().is_some_and(|(_, piece)| {
            let end = piece.as_ptr() as u64 + piece.len() as u64;
            address + bytes as u64 <= end
        })
    };
    if !(inside(to) && inside(from)) {
        return state.mistake("a copy outside of memory", INVALID_VALUE);
    }
    let (to, from): (*mut u8, *const u8) =
        (std::ptr::with_exposed_provenance_mut(to as usize), std::ptr::with_exposed_provenance(from as usize));
    // SAFETY: asks for living ranges that do not overlap; both were found in pieces that live, and host and device are different ones.
    unsafe { std::ptr::copy_nonoverlapping(from, to, bytes) };
    state.operate(stream)
}
