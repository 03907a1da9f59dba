//! What an allocation and an operation cost on a device, beside the bare driver call. `cargo bench -p millstream-cuda --bench device`; without a device it says "not run".
//!
//! A pair is an allocation and a drop of 4 KiB through the public path, in processor time of the thread, each thread on a stream of its own. The operation fills 64 floats; the bare call
//! launches the same kernel with the same argument. Operations and bare calls take turns.
#![expect(unsafe_code, reason = "the bare driver calls")]
#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::ffi::{CString, c_char, c_void};
use std::hint::black_box;
use std::time::Instant;

use cpu_time::ThreadTime;
use libloading::Library;
use millstream_cuda::{CudaBackend, CudaOptions, compile_all};
use millstream_hal::{Backend, DType, Kernel};
use millstream_runtime::{Buffer, Device, DeviceOptions};
use millstream_sync::{Arc, BoundedQueue};

const TRIES: usize = 9;
const BYTES: usize = 4096;
const LAUNCHES: u32 = 500;

fn main() {
    let backend = match CudaBackend::open(&CudaOptions::default()) {
        Ok(backend) => backend,
        Err(reason) => return println!("device bench: not run: no device: {reason}"),
    };
    let options = DeviceOptions::of(backend.info());
    println!("{}, median (least to most) of {TRIES}", backend.info().model);
    let device = Device::open_with(Arc::new(backend), options);
    for threads in [1, 2, 4, 8, 16] {
        let tries = (0..TRIES).map(|_| pairs(&device, threads));
        say(&format!("allocate and drop, {threads} threads"), "ns", tries.collect());
    }
    say("allocate, drop on another thread: both", "ns", (0..TRIES).map(|_| freed_elsewhere(&device)).collect());
    let bare = Bare::new();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TRIES {
        ours.push(eager(&device));
        theirs.push(bare.launches());
    }
    say("one operation", "ns", ours);
    say("the bare driver call", "ns", theirs);
}

fn say(what: &str, unit: &str, mut all: Vec<f64>) {
    all.sort_by(f64::total_cmp);
    println!("{what}: {:.0} ({:.0} to {:.0}) {unit}", all[all.len() / 2], all[0], all[all.len() - 1]);
}

/// Processor time of a pair, the mean over the threads.
fn pairs(device: &Device, threads: usize) -> f64 {
    const ROUNDS: u32 = 200_000;
    let one = || {
        let pair = || drop(black_box(device.allocate(black_box(BYTES)).unwrap()));
        (0..1000).for_each(|_| pair());
        let begun = ThreadTime::now();
        (0..ROUNDS).for_each(|_| pair());
        begun.elapsed().as_nanos() as f64 / f64::from(ROUNDS)
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).sum::<f64>() / threads as f64
    })
}

/// Processor time of both threads for a pair, in batches, so that the hand-over is not in it.
fn freed_elsewhere(device: &Device) -> f64 {
    const BATCH: usize = 100;
    const BATCHES: usize = 500;
    let (there, back) = (BoundedQueue::with_capacity(1), BoundedQueue::with_capacity(1));
    fn wait<T>(queue: &BoundedQueue<T>) -> T {
        loop {
            if let Some(value) = queue.try_pop() {
                return value;
            }
            std::thread::yield_now();
        }
    }
    let spent = std::thread::scope(|scope| {
        let dropper = scope.spawn(|| {
            device.current_stream().unwrap();
            (0..BATCHES).fold(0, |spent, _| {
                let mut batch: Vec<Buffer> = wait(&there);
                let begun = ThreadTime::now();
                batch.clear();
                let spent = spent + begun.elapsed().as_nanos();
                let _ = back.try_push(batch);
                spent
            })
        });
        let mut batch = Vec::with_capacity(BATCH);
        let made = (0..BATCHES).fold(0, |spent, _| {
            let begun = ThreadTime::now();
            batch.extend((0..BATCH).map(|_| device.allocate(BYTES).unwrap()));
            let spent = spent + begun.elapsed().as_nanos();
            let _ = there.try_push(std::mem::take(&mut batch));
            batch = wait(&back);
            spent
        });
        made + dropper.join().unwrap()
    });
    spent as f64 / (BATCH * BATCHES) as f64
}

/// Wall time of one operation's call, fewer than the driver's queue takes.
fn eager(device: &Device) -> f64 {
    let kernel = Kernel::Fill { elements: 64, dtype: DType::F32, value: 1.5.into() };
    device.synchronize_all(None).unwrap();
    let begun = Instant::now();
    (0..LAUNCHES).for_each(|_| drop(device.launch(kernel, 256, &[]).unwrap()));
    let spent = begun.elapsed();
    device.synchronize_all(None).unwrap();
    spent.as_nanos() as f64 / f64::from(LAUNCHES)
}

type Launch = unsafe extern "C" fn(usize, u32, u32, u32, u32, u32, u32, u32, usize, *mut *mut c_void, usize) -> i32;

/// The same kernel by the driver alone, in the context that the backend made current on this thread.
struct Bare {
    launch: Launch,
    synchronize: unsafe extern "C" fn(usize) -> i32,
    function: usize,
    stream: usize,
    argument: [u64; 16],
    _driver: Library,
}

impl Bare {
    fn new() -> Self {
        let code = compile_all(90, &[], None, "none").unwrap();
        // SAFETY: asks for harmless initialisers; the driver is loaded already.
        let driver = unsafe { Library::new("libcuda.so.1") }.unwrap();
        macro_rules! function {
            ($name:literal, $of:ty) => {{
                // SAFETY: asks that the symbol has this type; written from the vendor's header.
                let found: $of = *unsafe { driver.get($name) }.unwrap();
                found
            }};
        }
        let create = function!(b"cuStreamCreate", unsafe extern "C" fn(*mut usize, u32) -> i32);
        let load = function!(b"cuModuleLoadData", unsafe extern "C" fn(*mut usize, *const u8) -> i32);
        let get = function!(b"cuModuleGetFunction", unsafe extern "C" fn(*mut usize, usize, *const c_char) -> i32);
        let allocate = function!(b"cuMemAlloc_v2", unsafe extern "C" fn(*mut u64, usize) -> i32);
        let (mut stream, mut module, mut function, mut memory) = (0, 0, 0, 0);
        let name = CString::new("fill").unwrap();
        // SAFETY: asks for a place to write to; a context is current, by the operations before.
        let made = unsafe { create(&mut stream, 1) };
        // SAFETY: as above, and an image that lives.
        let loaded = unsafe { load(&mut module, code.images[0].as_ptr()) };
        // SAFETY: as above, and a module and a name that live.
        let found = unsafe { get(&mut function, module, name.as_ptr()) };
        // SAFETY: as above.
        let taken = unsafe { allocate(&mut memory, 256) };
        assert_eq!([made, loaded, found, taken], [0; 4]);
        let mut argument = [0; 16];
        (argument[0], argument[1]) = (memory, 64);
        Self {
            launch: function!(b"cuLaunchKernel", Launch),
            synchronize: function!(b"cuStreamSynchronize", unsafe extern "C" fn(usize) -> i32),
            function,
            stream,
            argument,
            _driver: driver,
        }
    }

    fn launches(&self) -> f64 {
        let mut argument = self.argument;
        let mut parameters = [argument.as_mut_ptr().cast::<c_void>()];
        let begun = Instant::now();
        for _ in 0..LAUNCHES {
            // SAFETY: asks for a living function, stream and argument of at least the kernel's size; as in `new`.
            let code =
                unsafe { (self.launch)(self.function, 1, 1, 1, 256, 1, 1, 0, self.stream, parameters.as_mut_ptr(), 0) };
            assert_eq!(code, 0);
        }
        let spent = begun.elapsed();
        // SAFETY: asks for a living stream.
        assert_eq!(unsafe { (self.synchronize)(self.stream) }, 0);
        spent.as_nanos() as f64 / f64::from(LAUNCHES)
    }
}
