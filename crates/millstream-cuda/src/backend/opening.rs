//! Opening a device, step by step, with a typed error for each.

use millstream_hal::DeviceInfo;
use millstream_sync::atomic::AtomicUsize;
use millstream_sync::{Arc, BoundedQueue, OnceLock};

use super::CudaBackend;
use crate::compile::{self, Kernels};
use crate::context::Context;
use crate::driver::{Attribute, Code, Driver, VERSION_MIN};
use crate::error::{OpenError, Result};
use crate::event::Events;
use crate::fault::FaultCell;
use crate::functions::Functions;
use crate::graph::Graphs;
use crate::memory::Memory;
use crate::options::CudaOptions;
use crate::statistics::Counters;
use crate::stream::STREAMS_MAX;
use crate::{cache, environment};

/// Streams that a pool has by default: as many as hardware queues that `environment` asks for.
const STREAMS: usize = 32;

/// CUDA's "no device".
const NO_DEVICE: Code = Code(100);

impl CudaBackend {
    /// Opens a device: finds the driver, takes the primary context, compiles the kernels or takes them from the cache, and loads them. The first opening on a machine takes
    /// some seconds. Errors: see [`OpenError`].
    pub fn open(options: &CudaOptions) -> Result<Self> {
        let driver = Arc::new(Driver::load(&options.library_folders)?);
        environment::prepare();
        let told = |doing: &'static str| {
            let driver = Arc::clone(&driver);
            move |code: Code| OpenError::Driver { doing, reason: driver.describe(code) }
        };
        let version = driver.version().map_err(told("asking the driver's version"))?;
        if version < VERSION_MIN {
            let name = |version: i32| format!("{}.{}", version / 1000, version % 1000 / 10);
            return Err(OpenError::DriverTooOld { found: name(version), needed: name(VERSION_MIN) });
        }
        let none = OpenError::NoSuchDevice { index: options.index, count: 0 };
        match driver.init() {
            Err(NO_DEVICE) => return Err(none),
            answer => answer.map_err(told("starting the driver"))?,
        }
        let count = driver.device_count().map_err(told("counting devices"))?;
        if options.index >= count {
            return Err(OpenError::NoSuchDevice { index: options.index, count });
        }
        let device = driver.device(options.index).map_err(told("naming the device"))?;
        let attribute =
            |which| driver.attribute(device, which).map(|v| v.max(0) as u32).map_err(told("asking the device"));
        let arch = attribute(Attribute::ComputeMajor)? * 10 + attribute(Attribute::ComputeMinor)?;
        let multiprocessors = attribute(Attribute::Multiprocessors)?.max(1);
        let model = driver.device_name(device).map_err(told("naming the device"))?;
        let context = Context::retain(Arc::clone(&driver), device).map_err(told("taking the device's context"))?;
        context.bound().map_err(told("binding the device's context"))?;
        let kernels = kernels(options, arch, version)?;
        let functions = Functions::load(&driver, &kernels.images).map_err(told("loading the kernels"))?;
        let (free, _) = driver.memory().map_err(told("asking for free memory"))?;
        let memory = Memory::new(options.memory_bytes.unwrap_or(free));
        let counters = Counters::default();
        counters.files_compiled.add(kernels.compiled as u64);
        Ok(Self {
            info: DeviceInfo {
                name: format!("cuda:{}", options.index),
                model,
                numeric_class: format!("cuda {} nvrtc {} kernels {}", kernels.target, kernels.nvrtc, kernels.source),
                memory_bytes: memory.limit(),
                streams: STREAMS,
                asynchronous: true,
                host_addressable: false,
            },
            functions,
            multiprocessors,
            memory,
            slots: (0..STREAMS_MAX).map(|_| OnceLock::new()).collect(),
            free: BoundedQueue::with_capacity(STREAMS_MAX),
            made: AtomicUsize::new(0),
            events: Events::new(),
            graphs: Graphs::new(),
            fault: FaultCell::default(),
            counters,
            context,
        })
    }
}

fn kernels(options: &CudaOptions, arch: u32, version: i32) -> Result<Kernels> {
    let folder = cache::folder(options.cache_folder.as_deref());
    compile::compile_all(arch, &options.library_folders, folder.as_deref(), &format!("driver {version}"))
}
