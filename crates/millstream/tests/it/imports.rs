//! Memory of others: used where it lies, deleted once, after its last use and at no other time.
#![expect(unsafe_code, reason = "only the test knows how long its memory lives")]

use std::io::Write;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use millstream::evidence::{self, Step};
use millstream::{Buffer, Device, Kernel, RuntimeError, Tensor};
use millstream_sync::Arc;
use millstream_sync::atomic::{AtomicUsize, Ordering};

use crate::kernels;
use crate::leaks::{self, cpu};

const SPIN: Kernel = Kernel::Spin { micros: 400_000 };

/// Counts the calls of a deleter.
#[derive(Clone, Default)]
struct Calls(Arc<AtomicUsize>);

impl Calls {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// `data` as a buffer; `then` runs in the deleter.
fn import_then(device: &Device, data: Vec<f32>, then: impl FnOnce() + Send + 'static) -> (Buffer, Calls) {
    let calls = Calls::default();
    let counted = calls.clone();
    let start = NonNull::from(data.as_slice()).cast();
    let bytes = data.len() * 4;
    let deleter = move || {
        counted.0.fetch_add(1, Ordering::Relaxed);
        drop(data);
        then();
    };
    // SAFETY: the deleter owns the elements, and nobody writes them.
    let buffer = unsafe { device.import(start, bytes, deleter) }.expect("an import");
    (buffer, calls)
}

fn import(device: &Device, data: Vec<f32>) -> (Buffer, Calls) {
    import_then(device, data, || {})
}

fn sum(device: &Device, buffer: &Buffer) -> Buffer {
    device.launch(kernels::sum(buffer.bytes() / 4), 4, &[buffer]).expect("a sum")
}

fn read(device: &Device, buffer: &Buffer) -> f32 {
    f32::from_le_bytes(device.download(&[(buffer, 4)]).expect("a value").try_into().expect("four bytes"))
}

#[test]
fn imported_memory_is_read_where_it_lies_and_counted_outside_the_budget() {
    let device = cpu::open().unwrap();
    let (buffer, calls) = import(&device, vec![1.0, 2.0, 3.0]);
    assert!(buffer.is_imported());
    let stats = device.memory_stats();
    assert_eq!((stats.imported_bytes, stats.imports, stats.reserved_bytes), (12, 1, 0));
    assert_eq!(read(&device, &sum(&device, &buffer)), 6.0);
    let copy = buffer.clone();
    drop(buffer);
    assert_eq!(calls.count(), 0, "a handle is left");
    drop(copy);
    assert_eq!(calls.count(), 1, "nothing was at work: the last drop deletes");
    let stats = device.memory_stats();
    assert_eq!((stats.imported_bytes, stats.imported_bytes_max, stats.imports), (0, 12, 0));
}

#[test]
fn the_deleter_waits_for_the_work_of_every_user() {
    let device = cpu::open_queued().unwrap();
    let (buffer, calls) = import(&device, vec![1.0; 1000]);
    // Three foreign streams: exact stamps and the mask.
    let streams: Vec<_> = (0..3).map(|_| device.acquire_stream().unwrap()).collect();
    let sums: Vec<Buffer> = streams
        .iter()
        .map(|stream| {
            let _current = device.with_stream(stream).unwrap();
            device.enqueue(SPIN).unwrap();
            sum(&device, &buffer)
        })
        .collect();
    drop(buffer);
    assert_eq!(calls.count(), 0, "deleted under running work");
    streams[0].synchronize().unwrap();
    streams[1].synchronize().unwrap();
    streams[2].synchronize().unwrap();
    assert_eq!(calls.count(), 1);
    assert!(device.evidence().count(Step::ImportWaited) > 0);
    for sum in &sums {
        assert_eq!(read(&device, sum), 1000.0);
    }
    device.synchronize_all(None).unwrap();
    assert_eq!(calls.count(), 1);
}

#[test]
fn the_deleter_runs_when_the_device_was_shut_down_meanwhile() {
    let device = cpu::open_queued().unwrap();
    let (kept, kept_calls) = import(&device, vec![1.0; 8]);
    let (used, used_calls) = import(&device, vec![1.0; 8]);
    device.enqueue(SPIN).unwrap();
    drop(sum(&device, &used));
    drop(used);
    assert_eq!(used_calls.count(), 0);
    assert!(device.shutdown(Duration::from_secs(10)).complete);
    assert_eq!((used_calls.count(), kept_calls.count()), (1, 0));
    drop(kept);
    assert_eq!((used_calls.count(), kept_calls.count()), (1, 1));
    let data = [1.0f32];
    // SAFETY: refused; if it were not, the memory outlives the buffer, which drops at once.
    let refused = unsafe { device.import(NonNull::from(&data).cast(), 4, || panic!("called after a refusal")) };
    assert!(matches!(refused, Err(RuntimeError::Closed)), "{refused:?}");
}

#[test]
fn the_deleter_runs_when_the_last_handle_of_the_device_is_gone_before_the_work() {
    let device = cpu::open_queued().unwrap().unchecked();
    let (buffer, calls) = import(&device, vec![1.0; 8]);
    device.enqueue(SPIN).unwrap();
    drop(sum(&device, &buffer));
    drop(device);
    drop(buffer);
    assert_eq!(calls.count(), 0, "deleted under running work");
    let begun = Instant::now();
    while calls.count() == 0 && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(calls.count(), 1);
}

#[test]
fn the_deleter_runs_after_a_fault_too() {
    let device = cpu::open_queued().unwrap();
    let (buffer, calls) = import(&device, vec![1.0; 8]);
    // The kernel copies more elements than its output holds: the device fails while it uses the import.
    drop(device.launch(kernels::copy(8), 4, &[&buffer]).unwrap());
    assert!(device.synchronize().is_err());
    drop(buffer);
    device.shutdown(Duration::from_secs(10));
    assert_eq!(calls.count(), 1);
}

#[test]
fn a_deleter_is_called_with_nothing_held_and_may_panic() {
    let device = cpu::open().unwrap();
    let inside = device.clone();
    let (buffer, calls) = import_then(&device, vec![1.0; 8], move || {
        assert!(inside.memory_stats().budget_bytes > 0, "the runtime was entered already");
        let tensor = Tensor::from_slice(&inside, &[1.0f32, 2.0], &[2]).expect("an operation in a deleter");
        assert_eq!(tensor.sum().unwrap().item::<f32>().unwrap(), 3.0);
    });
    drop(buffer);
    assert_eq!((calls.count(), device.evidence().count(Step::DeleterPanicked)), (1, 0));
    let (buffer, calls) = import_then(&device, vec![1.0; 8], || std::panic::resume_unwind(Box::new(())));
    drop(buffer);
    assert_eq!((calls.count(), device.evidence().count(Step::DeleterPanicked)), (1, 1));
}

#[test]
fn no_deleter_runs_in_a_forked_child() {
    let device = cpu::open().unwrap();
    let (buffer, calls) = import(&device, vec![1.0; 8]);
    let (mut device, mut buffer) = (Some(device), Some(buffer));
    let in_child = evidence::in_forked_child(|| {
        drop(buffer.take());
        drop(device.take());
        calls.count() as u8
    });
    assert_eq!(in_child, Some(0));
    drop(buffer);
    assert_eq!(calls.count(), 1, "the parent goes on");
    drop(device);
}

#[test]
fn a_mapped_file_holds_the_values_of_the_file() {
    let device = cpu::open().unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let values: Vec<f32> = (0..3000).map(|i| i as f32).collect();
    file.write_all(b"head").unwrap();
    values.iter().for_each(|value| file.write_all(&value.to_le_bytes()).unwrap());
    file.flush().unwrap();
    let all = device.map_file(file.path(), 4, 12_000).unwrap();
    assert_eq!(read(&device, &sum(&device, &all)), values.iter().sum::<f32>());
    // Not at the start of a page.
    let one = device.map_file(file.path(), 4 + 4 * 2000, 4).unwrap();
    assert_eq!(read(&device, &sum(&device, &one)), 2000.0);
    let none = device.map_file(file.path(), 4, 0).unwrap();
    assert_eq!(read(&device, &sum(&device, &none)), 0.0);
    assert_eq!(device.memory_stats().imported_bytes, 12_004);
    drop((all, one, none));
    assert_eq!(device.memory_stats().imports, 0);
}

#[test]
fn files_that_are_absent_or_too_short_are_typed_errors() {
    let device = cpu::open().unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&[0; 100]).unwrap();
    for (offset, bytes) in [(0, 101), (100, 1), (u64::MAX, 1), (4, usize::MAX)] {
        let error = device.map_file(file.path(), offset, bytes).unwrap_err();
        assert!(matches!(error, RuntimeError::FileTooShort { found: 100, needed, .. } if needed > 100), "{error:?}");
    }
    let error = device.map_file("/no/such/file", 0, 1).unwrap_err();
    assert!(matches!(error, RuntimeError::File { .. }), "{error:?}");
    let error = device.map_file(file.path().parent().unwrap(), 0, 1).unwrap_err();
    assert!(matches!(error, RuntimeError::File { .. } | RuntimeError::FileTooShort { .. }), "{error:?}");
    assert_eq!(device.memory_stats().imports, 0);
}

#[test]
fn the_host_view_of_a_buffer_has_its_value_when_the_call_returns() {
    let device = cpu::open_queued().unwrap();
    device.enqueue(SPIN).unwrap();
    let buffer = device.launch(kernels::fill(100, 2.5), 400, &[]).unwrap();
    let start = device.host_ptr(&buffer).unwrap();
    // SAFETY: 100 elements that were written before the call returned, while the handle lives.
    let values = unsafe { std::slice::from_raw_parts(start.cast::<f32>().as_ptr(), 100) };
    assert_eq!(values, [2.5; 100]);
    let other = cpu::open().unwrap();
    assert!(matches!(other.host_ptr(&buffer), Err(RuntimeError::MixedDevices { .. })));
    device.shutdown(Duration::from_secs(10));
    assert!(matches!(device.host_ptr(&buffer), Err(RuntimeError::Closed)));
}

#[test]
fn a_device_without_host_addresses_says_so() {
    let sim = Device::open(Arc::new(millstream_sim::SimBackend::new(millstream_sim::SimOptions::new(1))));
    let file = tempfile::NamedTempFile::new().unwrap();
    let buffer = sim.launch(kernels::fill(1, 1.0), 4, &[]).unwrap();
    let unsupported = |error| matches!(error, RuntimeError::Unsupported { .. });
    assert!(unsupported(sim.map_file(file.path(), 0, 0).unwrap_err()));
    assert!(unsupported(sim.host_ptr(&buffer).unwrap_err()));
    let data = [1.0f32];
    // SAFETY: refused; the memory outlives the call.
    assert!(unsupported(unsafe { sim.import(NonNull::from(&data).cast(), 4, || {}) }.unwrap_err()));
    drop(buffer);
    leaks::check(&sim);
}
