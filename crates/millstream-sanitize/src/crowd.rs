//! Twenty threads, the values that they compute, and what must be left when they are gone.

use std::time::Duration;

use millstream::cpu::{self, CpuOptions, Mode};
use millstream::{Buffer, DType, Device, DeviceOptions, Generator, Kernel, Result, RuntimeError, Tensor};
use millstream_sync::{Arc, thread};

/// Threads of every case.
pub const THREADS: usize = 20;

/// Longer than anything here takes under a sanitizer on a busy machine.
pub const LONG: Duration = Duration::from_secs(60);

/// Runs `work` on twenty threads and waits for all of them. Errors: that of the first thread which has one. Panics with a thread.
pub fn crowd(work: impl Fn(usize) -> Result<()> + Send + Sync + 'static) -> Result<()> {
    let work = Arc::new(work);
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let work = work.clone();
            thread::spawn(move || work(number))
        })
        .collect();
    let outcomes: Vec<Result<()>> = threads.into_iter().map(|t| t.join().expect("a thread panicked")).collect();
    outcomes.into_iter().collect()
}

/// A device with two processors for large operations and as many streams as said.
pub fn open(mode: Mode, streams: usize, adjust: impl FnOnce(&mut DeviceOptions)) -> Result<Device> {
    let options = match mode {
        Mode::Inline => CpuOptions::inline(),
        // Short sleeps, so that users come before their producers are done.
        Mode::Queued => CpuOptions { delay_seed: Some(7), delay_micros_max: 100, ..CpuOptions::queued() },
    };
    let device = cpu::open_with(CpuOptions { threads: Some(2), ..options }, |device| {
        device.streams = streams;
        adjust(device);
    })?;
    Ok(device)
}

/// Keys of [`value`].
pub const KEYS: usize = 12;

/// A tensor that depends on `key` alone.
pub fn value(device: &Device, key: usize) -> Result<Tensor> {
    let made = Tensor::randn(device, &[16, 16], &mut Generator::new(3).split(key as u64))?;
    made.matmul(&made.transpose(0, 1)?)?.tanh()
}

/// The sum of [`value`] for each key, from a device without other threads.
pub fn references() -> Result<Arc<Vec<f32>>> {
    let device = cpu::open()?;
    (0..KEYS).map(|key| value(&device, key)?.sum()?.item()).collect::<Result<Vec<f32>>>().map(Arc::new)
}

/// Words of [`filled`].
pub const WORDS: usize = 1 << 10;

/// A buffer of `words` times `value`.
pub fn filled(device: &Device, words: usize, value: f32) -> std::result::Result<Buffer, RuntimeError> {
    device.launch(Kernel::Fill { elements: words, dtype: DType::F32, value: value.into() }, words * 4, &[])
}

/// Whether `words` words of `buffer` are `value`, by a kernel that reads all of them.
pub fn check(device: &Device, buffer: &Buffer, words: usize, value: f32) -> Result<()> {
    let hash = device.launch(Kernel::Fingerprint { bytes: words * 4 }, 8, &[buffer])?;
    let found = device.download(&[(&hash, 8)])?.try_into().map(u64::from_le_bytes);
    let word = |at| Kernel::fingerprint_word(at, value.to_bits());
    let expected = (0..words as u64).fold(0u64, |sum, at| sum.wrapping_add(word(at)));
    assert_eq!(found, Ok(expected), "other values where {words} words of {value} should be");
    Ok(())
}

/// Everything was dropped: nothing is live or claimed, all memory goes back, and the shutdown leaves nothing.
pub fn at_rest(device: &Device) -> Result<()> {
    device.leave_thread();
    device.synchronize_all(None)?;
    device.trim();
    let stats = device.memory_stats();
    let kept = (device.leases(), stats.live_bytes, stats.limbo_blocks, stats.reserved_bytes);
    assert_eq!(kept, (0, 0, 0, 0), "leases, live bytes, blocks in limbo, reserved bytes at rest: {stats:?}");
    let report = device.shutdown(LONG);
    assert!(report.complete && report.stranded_bytes == 0, "{report:?}");
    Ok(())
}
