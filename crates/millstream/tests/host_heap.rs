//! What a launch takes from the host's heap once its thread is warm: nothing.

use millstream::{DType, Device, Kernel, cpu};

const FILL: usize = 4096;

fn devices() -> [Device; 2] {
    [cpu::open().expect("the CPU is always there"), cpu::open_queued().expect("the CPU is always there")]
}

fn fill(device: &Device) -> millstream::Buffer {
    let kernel = Kernel::Fill { elements: FILL / 4, dtype: DType::F32, value: 1.0f32.into() };
    device.launch(kernel, FILL, &[]).expect("a launch")
}

/// Heap allocations of this thread during `rounds` calls of `f`.
fn heap(rounds: usize, mut f: impl FnMut()) -> u64 {
    allocation_counter::measure(|| (0..rounds).for_each(|_| f())).count_total
}

#[test]
fn the_hit_path_takes_nothing_from_the_host_heap() {
    for device in devices() {
        let name = &device.info().name;
        for _ in 0..1000 {
            drop(device.allocate(FILL).unwrap());
            drop(fill(&device));
        }
        device.synchronize().unwrap();
        assert_eq!(heap(10_000, || drop(device.allocate(FILL).unwrap())), 0, "{name}: allocate, drop");
        assert_eq!(heap(1000, || drop(fill(&device))), 0, "{name}: allocate, launch, drop");
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(heap(10, || drop(std::hint::black_box(Box::new(1)))), 10);
}
