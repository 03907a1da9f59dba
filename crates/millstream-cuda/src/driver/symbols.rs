//! The driver's functions by name: the one list. Types are written from the vendor's header; handles are numbers of the size of a pointer.
#![expect(unsafe_code, reason = "function pointers of a library that is found at run time")]

use std::ffi::{c_char, c_void};

use libloading::Library;

use super::Handle;

macro_rules! symbols {
    ($($field:ident = $name:literal: fn($($argument:ty),*);)*) => {
        /// Functions of the driver.
        #[derive(Clone, Copy, Debug)]
        pub(super) struct Symbols {
            $(pub(super) $field: unsafe extern "C" fn($($argument),*) -> i32,)*
        }

        impl Symbols {
            /// Looks all of them up. Errors: the first that is not there.
            pub(super) fn load(library: &Library) -> Result<Self, &'static str> {
                Ok(Self {
                    $($field: {
                        // SAFETY: asks that the symbol has the type of the field; true because each is written from the vendor's header.
                        *unsafe { library.get(concat!($name, "\0").as_bytes()) }.map_err(|_| $name)?
                    },)*
                })
            }
        }
    };
}

symbols! {
    init = "cuInit": fn(u32);
    version = "cuDriverGetVersion": fn(*mut i32);
    error_name = "cuGetErrorName": fn(i32, *mut *const c_char);
    error_string = "cuGetErrorString": fn(i32, *mut *const c_char);
    device_count = "cuDeviceGetCount": fn(*mut i32);
    device = "cuDeviceGet": fn(*mut i32, i32);
    device_name = "cuDeviceGetName": fn(*mut c_char, i32, i32);
    attribute = "cuDeviceGetAttribute": fn(*mut i32, i32, i32);
    retain_primary = "cuDevicePrimaryCtxRetain": fn(*mut Handle, i32);
    release_primary = "cuDevicePrimaryCtxRelease_v2": fn(i32);
    set_current = "cuCtxSetCurrent": fn(Handle);
    memory = "cuMemGetInfo_v2": fn(*mut usize, *mut usize);
    allocate = "cuMemAlloc_v2": fn(*mut u64, usize);
    free = "cuMemFree_v2": fn(u64);
    allocate_pinned = "cuMemHostAlloc": fn(*mut *mut c_void, usize, u32);
    free_pinned = "cuMemFreeHost": fn(*mut c_void);
    copy_to_device = "cuMemcpyHtoDAsync_v2": fn(u64, *const c_void, usize, Handle);
    copy_to_host = "cuMemcpyDtoHAsync_v2": fn(*mut c_void, u64, usize, Handle);
    can_access_peer = "cuDeviceCanAccessPeer": fn(*mut i32, i32, i32);
    enable_peer = "cuCtxEnablePeerAccess": fn(Handle, u32);
    copy_to_peer = "cuMemcpyPeerAsync": fn(u64, Handle, u64, Handle, usize, Handle);
    set_bytes = "cuMemsetD8Async": fn(u64, u8, usize, Handle);
    create_stream = "cuStreamCreate": fn(*mut Handle, u32);
    destroy_stream = "cuStreamDestroy_v2": fn(Handle);
    synchronize_stream = "cuStreamSynchronize": fn(Handle);
    wait_event = "cuStreamWaitEvent": fn(Handle, Handle, u32);
    create_event = "cuEventCreate": fn(*mut Handle, u32);
    destroy_event = "cuEventDestroy_v2": fn(Handle);
    record_event = "cuEventRecord": fn(Handle, Handle);
    query_event = "cuEventQuery": fn(Handle);
    elapsed = "cuEventElapsedTime": fn(*mut f32, Handle, Handle);
    load_module = "cuModuleLoadData": fn(*mut Handle, *const c_void);
    unload_module = "cuModuleUnload": fn(Handle);
    function = "cuModuleGetFunction": fn(*mut Handle, Handle, *const c_char);
    launch = "cuLaunchKernel": fn(Handle, u32, u32, u32, u32, u32, u32, u32, Handle, *mut *mut c_void, *mut *mut c_void);
    begin_capture = "cuStreamBeginCapture_v2": fn(Handle, i32);
    end_capture = "cuStreamEndCapture": fn(Handle, *mut Handle);
    instantiate = "cuGraphInstantiateWithFlags": fn(*mut Handle, Handle, u64);
    launch_graph = "cuGraphLaunch": fn(Handle, Handle);
    destroy_graph = "cuGraphDestroy": fn(Handle);
    destroy_executable = "cuGraphExecDestroy": fn(Handle);
}
