//! A copy of the mock driver for one test, and a device opened over it.
#![expect(unsafe_code, reason = "functions of a library that is loaded at run time")]

use std::ffi::CString;
use std::mem::ManuallyDrop;
use std::path::PathBuf;

use libloading::Library;
use millstream_cuda::{CudaBackend, CudaOptions, OpenError};
use millstream_hal::{Access, Backend, DType, DevicePtr, Kernel, Launch, Operand, RawSegment, RawStream};
use millstream_runtime::{Device, DeviceOptions};
use millstream_sync::Arc;
use tempfile::TempDir;

/// A machine whose driver is the mock.
pub(crate) struct Machine {
    pub(crate) folder: TempDir,
    /// Never unloaded: this thread keeps thread-locals of it.
    driver: ManuallyDrop<Library>,
}

/// What the mock counts as living.
#[derive(Clone, Copy)]
pub(crate) enum Living {
    Streams = 0,
    Events = 1,
    Memory = 2,
    Contexts = 3,
    Threads = 5,
    Mistakes = 6,
}

/// The library that cargo built beside this test.
pub(crate) fn built() -> PathBuf {
    let beside = std::env::current_exe().unwrap().parent().unwrap().to_path_buf();
    let name = format!("{}millstream_cuda_mock{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let place = [beside.join(&name), beside.join("..").join(&name)].into_iter().find(|path| path.is_file());
    place.unwrap_or_else(|| panic!("{name} is not beside {}", beside.display()))
}

impl Machine {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["libcuda.so.1", "libnvrtc.so.13"] {
            std::fs::copy(built(), folder.path().join(name)).unwrap();
        }
        // SAFETY: loading runs initialisers; the mock has none of its own.
        let driver = unsafe { Library::new(folder.path().join("libcuda.so.1")) }.unwrap();
        Self { folder, driver: ManuallyDrop::new(driver) }
    }

    /// The same machine as another process finds it: the cache is there, nothing is loaded.
    pub(crate) fn again(&self) -> Self {
        let again = Self::new();
        let cache = |machine: &Self| machine.folder.path().join("cache");
        std::fs::create_dir(cache(&again)).unwrap();
        for entry in std::fs::read_dir(cache(self)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), cache(&again).join(entry.file_name())).unwrap();
        }
        again
    }

    pub(crate) fn options(&self) -> CudaOptions {
        CudaOptions {
            search_folders: vec![self.folder.path().to_path_buf()],
            cache_folder: Some(self.folder.path().join("cache")),
            ..CudaOptions::default()
        }
    }

    pub(crate) fn open(&self) -> Result<CudaBackend, OpenError> {
        CudaBackend::open(&self.options())
    }

    /// Calls of the driver's function `name` so far; of all for an empty name.
    pub(crate) fn count(&self, name: &str) -> u64 {
        let name = CString::new(name).unwrap();
        // SAFETY: asks that the symbol has this type; `control.rs` of the mock.
        let count: libloading::Symbol<'_, unsafe extern "C" fn(*const i8) -> u64> =
            unsafe { self.driver.get(b"mock_count\0") }.unwrap();
        // SAFETY: asks for a name that ends in zero.
        unsafe { count(name.as_ptr().cast()) }
    }

    pub(crate) fn fail(&self, name: &str, code: i32) {
        let name = CString::new(name).unwrap();
        // SAFETY: as in `count`.
        let fail: libloading::Symbol<'_, unsafe extern "C" fn(*const i8, i32)> =
            unsafe { self.driver.get(b"mock_fail\0") }.unwrap();
        // SAFETY: asks for a name that ends in zero.
        unsafe { fail(name.as_ptr().cast(), code) };
    }

    pub(crate) fn break_down(&self, code: i32) {
        self.order(b"mock_break\0", code);
    }

    pub(crate) fn break_device(&self, device: i32, code: i32) {
        // SAFETY: as in `count`.
        let order: libloading::Symbol<'_, extern "C" fn(i32, i32)> =
            unsafe { self.driver.get(b"mock_break_device\0") }.unwrap();
        order(device, code);
    }

    /// The device of that number as the runtime has it.
    pub(crate) fn device(&self, index: u32) -> Device {
        let backend = CudaBackend::open(&CudaOptions { index, ..self.options() }).unwrap();
        let options = DeviceOptions::of(backend.info());
        Device::open_with(Arc::new(backend), options)
    }

    pub(crate) fn hold(&self, held: bool) {
        self.order(b"mock_hold\0", i32::from(held));
    }

    pub(crate) fn machine(&self, version: i32, devices: i32) {
        // SAFETY: as in `count`.
        let machine: libloading::Symbol<'_, extern "C" fn(i32, i32)> =
            unsafe { self.driver.get(b"mock_machine\0") }.unwrap();
        machine(version, devices);
    }

    pub(crate) fn living(&self, what: Living) -> i64 {
        // SAFETY: as in `count`.
        let living: libloading::Symbol<'_, extern "C" fn(i32) -> i64> =
            unsafe { self.driver.get(b"mock_living\0") }.unwrap();
        living(what as i32)
    }

    fn order(&self, name: &[u8], value: i32) {
        // SAFETY: as in `count`.
        let order: libloading::Symbol<'_, extern "C" fn(i32)> = unsafe { self.driver.get(name) }.unwrap();
        order(value);
    }

    /// Calls of the driver while `work` runs.
    pub(crate) fn calls(&self, work: impl FnOnce()) -> u64 {
        let before = self.count("");
        work();
        self.count("") - before
    }
}

/// A launch that fills 64 floats at the start of `segment`.
pub(crate) fn fill(segment: &RawSegment, seq: u64) -> Launch {
    let out = Operand { ptr: segment.base, bytes: 256, access: Access::Write, staging: false };
    Launch::new(Kernel::Fill { elements: 64, dtype: DType::F32, value: 1.5.into() }, seq, &[out])
}

/// A launch without operands.
pub(crate) fn spin(seq: u64) -> Launch {
    Launch::new(Kernel::Spin { micros: 1 }, seq, &[])
}

/// Uploads `bytes` and downloads them again; returns what came back.
pub(crate) fn there_and_back(device: &CudaBackend, stream: RawStream, sent: &[u8]) -> Vec<u8> {
    let segment = device.allocate_segment(sent.len()).unwrap();
    let staging = device.allocate_staging(sent.len()).unwrap();
    let host: *mut u8 = std::ptr::with_exposed_provenance_mut(staging.host as usize);
    // SAFETY: asks for room; the staging memory has it, and no work names it yet.
    unsafe { std::ptr::copy_nonoverlapping(sent.as_ptr(), host, sent.len()) };
    let there = Operand { ptr: DevicePtr(staging.host), bytes: sent.len(), access: Access::Read, staging: true };
    let block = Operand { ptr: segment.base, bytes: sent.len(), access: Access::Write, staging: false };
    device.launch(stream, &Launch::new(Kernel::Upload { bytes: sent.len() }, 1, &[block, there])).unwrap();
    // SAFETY: as above; the mock has copied.
    unsafe { host.write_bytes(0, sent.len()) };
    let download = Kernel::Download { bytes: sent.len(), from: 0, to: 0 };
    device.launch(stream, &Launch::new(download, 2, &[there, block])).unwrap();
    let mut back = vec![0; sent.len()];
    // SAFETY: as above.
    unsafe { std::ptr::copy_nonoverlapping(host, back.as_mut_ptr(), back.len()) };
    device.release_segment(segment).unwrap();
    device.release_staging(staging).unwrap();
    back
}
