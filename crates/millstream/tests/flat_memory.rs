//! Memory over a million iterations: not a byte more. Alone in its process, since it looks at the memory of the process.
#![cfg(target_os = "linux")]

use millstream::{DType, Device, Kernel, cpu};

const FILL: usize = 4096;

fn fill(device: &Device) -> millstream::Buffer {
    let kernel = Kernel::Fill { elements: FILL / 4, dtype: DType::F32, value: 1.0f32.into() };
    device.launch(kernel, FILL, &[]).expect("a launch")
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("a Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("resident pages");
    pages * 4096
}

#[test]
fn memory_is_flat_over_a_million_iterations() {
    let device = cpu::open().unwrap();
    let round = |i: usize| {
        drop(device.allocate(256 + (i % 64) * 512).unwrap());
        if i.is_multiple_of(4) {
            drop(fill(&device));
        }
    };
    (0..100_000).for_each(round);
    let (before, resident) = (device.memory_stats(), resident_bytes());
    (0..1_000_000).for_each(round);
    let (after, now) = (device.memory_stats(), resident_bytes());
    assert_eq!(
        (after.reserved_bytes_max, after.live_bytes, after.segments),
        (before.reserved_bytes, 0, before.segments)
    );
    assert_eq!(after.cache_misses, before.cache_misses, "a miss in a warm thread");
    assert!(now < resident + (4 << 20), "resident memory grew from {resident} to {now} bytes");
}
