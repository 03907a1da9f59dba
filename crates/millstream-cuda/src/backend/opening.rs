//! Opening a device, step by step, with a typed error for each.

use millstream_hal::DeviceInfo;
use millstream_sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use millstream_sync::{Arc, BoundedQueue, OnceLock};

use super::CudaBackend;
use crate::compile;
use crate::context::Context;
use crate::driver::{Attribute, Code, Driver, VERSION_MIN};
use crate::error::{OpenError, Result};
use crate::event::Events;
use crate::fault::FaultCell;
use crate::functions::Functions;
use crate::graph::Graphs;
use crate::loaded::{self, Loaded};
use crate::memory::Memory;
use crate::options::CudaOptions;
use crate::peer::Sources;
use crate::statistics::Counters;
use crate::stream::STREAMS_MAX;
use crate::{cache, environment};

/// Streams that a pool has by default: as many as hardware queues that `environment` asks for.
const STREAMS: usize = 32;

/// The first process of this line of forks that began to open a device. A child has its locks and the driver's as they were.
static BEGUN_IN: AtomicU32 = AtomicU32::new(0);

/// CUDA's "no device".
const NO_DEVICE: Code = Code(100);

impl CudaBackend {
    /// Opens a device. The first opening in a process finds the driver, takes the primary context, compiles the kernels or takes them from the cache, and loads them; on a machine
    /// without the cache that takes some seconds. Context and kernels stay until the process ends, so that later openings of the same device cost a few driver calls.
    /// Errors: see [`OpenError`].
    pub fn open(options: &CudaOptions) -> Result<Self> {
        let here = std::process::id();
        let begun = BEGUN_IN.compare_exchange(0, here, Ordering::Relaxed, Ordering::Relaxed);
        if begun.is_err_and(|begun_in| begun_in != here) {
            return Err(OpenError::ForkedChild);
        }
        let driver = Arc::new(Driver::load(&options.search_folders)?);
        environment::prepare();
        let told = |doing| told(&driver, doing);
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
        let key = (driver.path().to_path_buf(), options.index);
        let (loaded, compiled) = match loaded::find(&key) {
            Some(loaded) => (loaded, 0),
            None => {
                let (fresh, compiled) = load(&driver, device, options, version)?;
                (loaded::keep(&key, Arc::new(fresh)), compiled)
            }
        };
        // A context that another user of the process has ended says so here.
        let asked = loaded.context.bound().and_then(Driver::memory).inspect_err(|_| loaded::forget(&loaded));
        let (free, _) = asked.map_err(told("asking for free memory"))?;
        let memory = Memory::new(options.memory_bytes.unwrap_or(free));
        let counters = Counters::default();
        counters.files_compiled.add(compiled as u64);
        Ok(Self {
            info: DeviceInfo {
                name: format!("cuda:{}", options.index),
                model: loaded.model.clone(),
                numeric_class: loaded.numeric_class.clone(),
                memory_bytes: memory.limit(),
                streams: STREAMS,
                asynchronous: true,
                host_addressable: false,
                release_waits: true,
                // The vendor's word: a forked child cannot use a driver that its parent has started.
                opens_after_fork: false,
            },
            number: options.index,
            memory,
            slots: (0..STREAMS_MAX).map(|_| OnceLock::new()).collect(),
            free: BoundedQueue::with_capacity(STREAMS_MAX),
            made: AtomicUsize::new(0),
            events: Events::new(),
            graphs: Graphs::new(),
            fault: FaultCell::default(),
            counters,
            sources: Sources::new(),
            loaded,
        })
    }
}

fn told(driver: &Arc<Driver>, doing: &'static str) -> impl FnOnce(Code) -> OpenError + use<> {
    let driver = Arc::clone(driver);
    move |code| OpenError::Driver { doing, reason: driver.describe(code) }
}

/// Takes the context and loads the kernels into it; also how many files were compiled for that.
fn load(driver: &Arc<Driver>, device: i32, options: &CudaOptions, version: i32) -> Result<(Loaded, usize)> {
    let attribute = |which| -> Result<u32> {
        let value = driver.attribute(device, which).map_err(told(driver, "asking the device"))?;
        Ok(value.max(0) as u32)
    };
    let arch = attribute(Attribute::ComputeMajor)? * 10 + attribute(Attribute::ComputeMinor)?;
    let multiprocessors = attribute(Attribute::Multiprocessors)?.max(1);
    let model = driver.device_name(device).map_err(told(driver, "naming the device"))?;
    let context = Context::retain(Arc::clone(driver), device).map_err(told(driver, "taking the device's context"))?;
    context.bound().map_err(told(driver, "binding the device's context"))?;
    let folder = cache::folder(options.cache_folder.as_deref());
    let by = format!("driver {version}");
    let kernels = compile::compile_all(arch, &options.search_folders, folder.as_deref(), &by)?;
    let functions = Functions::load(driver, &kernels.images).map_err(told(driver, "loading the kernels"))?;
    let numeric_class = format!("cuda {} nvrtc {} kernels {}", kernels.target, kernels.nvrtc, kernels.source);
    Ok((Loaded { functions, multiprocessors, model, numeric_class, context }, kernels.compiled))
}
