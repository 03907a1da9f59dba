//! Staging memory: used again only after completion, bounded whatever the size of a transfer, and given back.

use std::time::Duration;

use millstream::evidence::Step;
use millstream::{Device, Kernel, Tensor, read_all};
use millstream_sim::{SimBackend, SimOptions};
use millstream_sync::{Arc, thread};

use crate::leaks::{self, Checked, cpu};

const KIB: usize = 1 << 10;
const SPIN: Kernel = Kernel::Spin { micros: 400_000 };

/// A device with a worker for each stream and four pieces of 4 KiB at most.
fn tight() -> Checked {
    cpu::open_with(cpu::CpuOptions::queued(), |options| options.staging_bytes_max = 16 * KIB)
        .expect("the CPU is always there")
}

fn counting(from: usize, elements: usize) -> Vec<f32> {
    (from..from + elements).map(|i| i as f32).collect()
}

fn upload(device: &Device, data: &[f32]) -> Tensor {
    Tensor::from_slice(device, data, &[data.len()]).expect("an upload")
}

#[test]
fn a_host_slice_is_copied_before_the_call_returns() {
    let device = tight();
    device.enqueue(SPIN).unwrap();
    let mut data = counting(0, 1000);
    let tensor = upload(&device, &data);
    data.fill(-1.0);
    assert_eq!(tensor.to_vec::<f32>().unwrap(), counting(0, 1000));
}

#[test]
fn a_piece_is_written_again_only_when_its_transfer_has_completed() {
    let device = tight();
    device.enqueue(SPIN).unwrap();
    // More than there are pieces: the fifth has to wait for the first.
    let tensors: Vec<Tensor> = (0..9).map(|i| upload(&device, &counting(i * 1000, 1000))).collect();
    assert!(device.evidence().count(Step::StagingWait) > 0);
    for (i, tensor) in tensors.iter().enumerate() {
        assert_eq!(tensor.to_vec::<f32>().unwrap(), counting(i * 1000, 1000), "transfer {i}");
    }
    assert!(device.memory_stats().staging_bytes_max <= 16 * KIB, "{:?}", device.memory_stats());
}

#[test]
fn staging_memory_is_used_again_by_size() {
    let device = cpu::open().unwrap();
    let round = || {
        for elements in [100, 3000, 20_000] {
            assert_eq!(upload(&device, &counting(0, elements)).to_vec::<f32>().unwrap(), counting(0, elements));
        }
    };
    round();
    let first = device.memory_stats().staging_bytes;
    assert_eq!(first, 4 * KIB + 16 * KIB + 128 * KIB, "one piece of each class");
    let reused = device.evidence().count(Step::StagingReused);
    round();
    assert_eq!(device.memory_stats().staging_bytes, first);
    assert_eq!(device.evidence().count(Step::StagingReused), reused + 6, "an upload and a download each");
}

#[test]
fn a_large_transfer_goes_in_pieces_within_the_limit() {
    let device = tight();
    let (large, other) = (counting(0, 100_001), counting(7, 5000));
    let (a, none, b) = (upload(&device, &large), upload(&device, &[]), upload(&device, &other));
    assert_eq!(a.to_vec::<f32>().unwrap(), large);
    assert_eq!(read_all::<f32>(&[&b, &none, &a, &b]).unwrap(), [&other[..], &large, &other].concat());
    assert!(none.to_vec::<f32>().unwrap().is_empty());
    let stats = device.memory_stats();
    assert!(stats.staging_bytes_max <= 16 * KIB && stats.staging_bytes_max > 0, "{stats:?}");
}

#[test]
fn a_class_that_nobody_needs_makes_room_for_another() {
    let device = cpu::open_with(cpu::CpuOptions::inline(), |options| options.staging_bytes_max = 64 * KIB).unwrap();
    for elements in [4000, 1000, 4000, 100, 2000, 4000] {
        assert_eq!(upload(&device, &counting(1, elements)).to_vec::<f32>().unwrap(), counting(1, elements));
        assert!(device.memory_stats().staging_bytes <= 64 * KIB);
    }
}

#[test]
fn one_element_is_read_where_it_lies_once_it_is_computed() {
    for device in [cpu::open().unwrap(), tight()] {
        let x = upload(&device, &counting(0, 6));
        device.synchronize().unwrap();
        device.trim();
        device.enqueue(Kernel::Spin { micros: 50_000 }).unwrap();
        let doubled = x.add(&x).unwrap();
        assert_eq!(doubled.narrow(0, 4, 1).unwrap().item::<f32>().unwrap(), 8.0);
        assert_eq!(device.memory_stats().staging_bytes, 0, "it went through staging memory");
    }
}

#[test]
fn many_threads_share_few_pieces() {
    let device = tight();
    std::thread::scope(|scope| {
        for t in 0..8 {
            let device = &device;
            scope.spawn(move || {
                for i in 0..20 {
                    let data = counting(t * 1000 + i, 2500);
                    let tensor = upload(device, &data);
                    if i % 4 == 0 {
                        device.enqueue(Kernel::Spin { micros: 300 }).unwrap();
                    }
                    assert_eq!(tensor.to_vec::<f32>().unwrap(), data);
                }
            });
        }
    });
    assert!(device.memory_stats().staging_bytes_max <= 16 * KIB);
}

#[test]
fn staging_memory_at_rest_is_given_back_by_trim_and_by_the_shutdown() {
    for device in [cpu::open().unwrap(), tight()] {
        let data = counting(0, 1000);
        let tensor = upload(&device, &data);
        tensor.to_vec::<f32>().unwrap();
        assert!(device.memory_stats().staging_bytes > 0);
        device.trim();
        assert_eq!(device.memory_stats().staging_bytes, 0);
        assert_eq!(tensor.to_vec::<f32>().unwrap(), data);
        device.reset_peaks();
        assert_eq!(device.memory_stats().staging_bytes_max, device.memory_stats().staging_bytes);
        drop(tensor);
        assert!(device.shutdown(Duration::from_secs(10)).complete);
        assert_eq!(device.memory_stats().staging_bytes, 0);
    }
}

#[test]
fn staging_memory_at_work_is_not_given_back() {
    let device = tight();
    device.enqueue(SPIN).unwrap();
    let tensor = upload(&device, &counting(5, 1000));
    device.trim();
    assert!(device.memory_stats().staging_bytes > 0, "released under a transfer");
    assert_eq!(tensor.to_vec::<f32>().unwrap(), counting(5, 1000));
}

#[test]
fn a_read_of_many_tensors_takes_several_joined_calls_and_each_copy_has_a_position() {
    use millstream_hal::Backend;
    let sim = Arc::new(SimBackend::new(SimOptions::new(3)));
    let device = Device::open(sim.clone());
    let tensors: Vec<Tensor> = (0..11).map(|n| upload(&device, &counting(100 * n, 1 + n))).collect();
    assert!(sim.joined_max() < tensors.len(), "one call is not enough");
    let wanted: Vec<f32> = (0..11).flat_map(|n| counting(100 * n, 1 + n)).collect();
    let read = |tensors: &[Tensor]| read_all::<f32>(&tensors.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(read(&tensors), wanted);
    let spans = device.trace().spans;
    let mut positions: Vec<u64> =
        spans.iter().filter(|span| span.name == "download" && !span.host_sync).map(|span| span.seq).collect();
    assert_eq!(positions.len(), tensors.len());
    positions.dedup();
    assert!(positions.is_sorted() && positions.len() == tensors.len(), "{positions:?}");
    // Read on another stream, the blocks are in use there when they are dropped here.
    thread::scope(|scope| scope.spawn(|| assert_eq!(read(&tensors), wanted)).join().unwrap());
    drop(tensors);
    assert_eq!(upload(&device, &[7.0; 12]).to_vec::<f32>().unwrap(), [7.0; 12]);
    leaks::check(&device);
    drop(device);
    assert_eq!(sim.findings(), []);
}
