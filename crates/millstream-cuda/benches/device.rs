//! What an allocation and an operation cost on a device, beside the bare driver call. `cargo bench -p millstream-cuda --bench device`; without a device it says "not run".
//!
//! A pair is an allocation and a drop of 4 KiB through the public path, in processor time of the thread, each thread on a stream of its own. Beside it the same on the CPU backend, whose
//! runtime is the same, and a control without either: exchanges of a word that no other thread touches. What is slow in the control too is the machine's; what is slow in both
//! pairs is the runtime's. They take turns. The operation fills 64 floats; the bare call launches the same kernel with the same argument; these take turns too.
#![expect(unsafe_code, reason = "the bare driver calls")]
#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::ffi::{CString, c_char, c_void};
use std::hint::black_box;
use std::time::Instant;

use cpu_time::ThreadTime;
use libloading::Library;
use millstream_cpu::{CpuBackend, CpuOptions};
use millstream_cuda::{CudaBackend, CudaOptions, compile_all};
use millstream_hal::{Backend, DType, DriverCalls, Kernel, Scalar};
use millstream_runtime::{Buffer, Device, DeviceOptions};
use millstream_sync::atomic::{AtomicU64, Ordering};
use millstream_sync::{Arc, BoundedQueue};

const TRIES: usize = 9;
const BYTES: usize = 4096;
const LAUNCHES: u32 = 500;
const THREADS: [usize; 8] = [1, 2, 4, 8, 16, 20, 32, 64];

fn main() {
    let backend = match CudaBackend::open(&CudaOptions::default()) {
        Ok(backend) => backend,
        Err(reason) => return println!("device bench: not run: no device: {reason}"),
    };
    println!("{}, median (least to most) of {TRIES}", backend.info().model);
    let device = over(Arc::new(backend));
    let cpu = over(Arc::new(CpuBackend::new(CpuOptions::inline())));
    for threads in THREADS {
        let [mut ours, mut on_cpu, mut control] = [const { Vec::new() }; 3];
        for _ in 0..TRIES {
            ours.push(pairs(&device, threads));
            on_cpu.push(pairs(&cpu, threads));
            control.push(exchanges(threads));
        }
        say(&format!("allocate and drop, {threads} threads"), "ns", ours);
        say(&format!("the same on the CPU backend, {threads} threads"), "ns", on_cpu);
        say(&format!("control, {threads} threads"), "ns", control);
    }
    say("allocate, drop on another thread: both", "ns", (0..TRIES).map(|_| freed_elsewhere(&device)).collect());
    calls(&device);
    let bare = Bare::new();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TRIES {
        ours.push(eager(&device));
        theirs.push(bare.launches());
    }
    say("one operation", "ns", ours);
    say("the bare driver call", "ns", theirs);
}

/// The device of a backend, with a stream for each thread of the bench.
fn over(backend: Arc<dyn Backend>) -> Device {
    let options = DeviceOptions { streams: 64, ..DeviceOptions::of(backend.info()) };
    Device::open_with(backend, options)
}

/// Driver calls of a pair and of an operation.
fn calls(device: &Device) {
    let made = |work: &dyn Fn()| {
        work();
        let before = device.driver_calls().unwrap();
        (0..100).for_each(|_| work());
        device.driver_calls().unwrap().since(before)
    };
    let told = |what: &str, calls: DriverCalls| {
        let DriverCalls { enqueues, questions, others, .. } = calls;
        println!("driver calls of 100 {what}: {enqueues} enqueues, {questions} questions, {others} others");
    };
    told("pairs", made(&|| drop(device.allocate(BYTES).unwrap())));
    told("operations", made(&|| drop(device.launch(FILL, 256, &[]).unwrap())));
}

fn say(what: &str, unit: &str, mut all: Vec<f64>) {
    all.sort_by(f64::total_cmp);
    println!("{what}: {:.0} ({:.0} to {:.0}) {unit}", all[all.len() / 2], all[0], all[all.len() - 1]);
}

/// Processor time of a pair, the mean over the threads.
fn pairs(device: &Device, threads: usize) -> f64 {
    on_threads(threads, || {
        let pair = || drop(black_box(device.allocate(black_box(BYTES)).unwrap()));
        (0..1000).for_each(|_| pair());
        processor_time(200_000, pair)
    })
}

/// A word of a thread, on lines of its own.
#[repr(align(128))]
struct Word(AtomicU64);

/// Processor time of eight exchanges of a thread's own word: about as many as a pair makes.
fn exchanges(threads: usize) -> f64 {
    on_threads(threads, || {
        let word = Word(AtomicU64::new(0));
        processor_time(200_000, || {
            for n in 0..8 {
                black_box(&word).0.swap(n, Ordering::AcqRel);
            }
        })
    })
}

/// Processor time of this thread for one of `rounds` calls.
fn processor_time(rounds: u32, call: impl Fn()) -> f64 {
    let begun = ThreadTime::now();
    (0..rounds).for_each(|_| call());
    begun.elapsed().as_nanos() as f64 / f64::from(rounds)
}

/// The mean of what `one` says on `threads` threads at once.
fn on_threads(threads: usize, one: impl Fn() -> f64 + Sync) -> f64 {
    let one = &one;
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

const FILL: Kernel = Kernel::Fill { elements: 64, dtype: DType::F32, value: Scalar::F64(1.5) };

/// Wall time of one operation's call, fewer than the driver's queue takes.
fn eager(device: &Device) -> f64 {
    device.synchronize_all(None).unwrap();
    let begun = Instant::now();
    (0..LAUNCHES).for_each(|_| drop(device.launch(FILL, 256, &[]).unwrap()));
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
