//! How often the driver is called by what a user writes: tensors, through the runtime. The mock's own count and that of the device must agree.
//!
//! An iteration of the stress is five launches and nothing else; fifty of them with one read of all sums and means are seven calls more at most, however many values are read.

use millstream_hal::{DType, DriverCalls, Kernel};
use millstream_runtime::Device;
use millstream_tensor::{Generator, Tensor, read_all};

use super::rig::{Living, Machine};

const SIDE: usize = 64;

/// The calls that `work` makes, by the device's count, which the mock's must confirm.
fn made(machine: &Machine, device: &Device, work: impl FnOnce()) -> DriverCalls {
    let before = device.driver_calls().unwrap();
    let mut counted = DriverCalls::default();
    let by_mock = machine.calls(|| {
        work();
        counted = device.driver_calls().unwrap().since(before);
    });
    assert_eq!(counted.all(), by_mock, "{counted:?} by the device, {by_mock} by the driver");
    counted
}

fn each(calls: DriverCalls) -> [u64; 3] {
    [calls.enqueues, calls.questions, calls.others]
}

fn iterate(device: &Device, generator: &mut Generator) -> [Tensor; 2] {
    let draw = |generator: &mut Generator| Tensor::randn(device, &[SIDE, SIDE], generator).unwrap();
    let (a, b) = (draw(generator), draw(generator));
    let product = a.matmul(&b).unwrap();
    [product.sum().unwrap(), product.mean().unwrap()]
}

fn end(machine: &Machine, device: Device) {
    let report = device.shutdown(std::time::Duration::from_secs(5));
    assert_eq!((report.streams_left, report.live_bytes), (0, 0), "{report:?}");
    drop(device);
    assert_eq!(machine.living(Living::Mistakes), 0);
}

#[test]
fn an_iteration_of_the_stress_is_five_launches() {
    let machine = Machine::new();
    let device = machine.device(0);
    let mut generator = Generator::new(1);
    // The stream is made, its memory is there.
    (0..3).for_each(|_| drop(iterate(&device, &mut generator)));
    let launches = machine.count("cuLaunchKernel");
    let calls = made(&machine, &device, || (0..50).for_each(|_| drop(iterate(&device, &mut generator))));
    assert_eq!(each(calls), [250, 0, 0]);
    assert_eq!(machine.count("cuLaunchKernel") - launches, 250);
    end(&machine, device);
}

#[test]
fn a_read_of_a_hundred_values_is_a_launch_a_mark_and_a_question() {
    let machine = Machine::new();
    let device = machine.device(0);
    let mut generator = Generator::new(1);
    let window = |generator: &mut Generator| (0..50).flat_map(|_| iterate(&device, generator)).collect::<Vec<_>>();
    // The first read makes the staging memory and an event.
    read_all::<f32>(&window(&mut generator).iter().collect::<Vec<_>>()).unwrap();
    let values = window(&mut generator);
    let read = || drop(read_all::<f32>(&values.iter().collect::<Vec<_>>()).unwrap());
    assert_eq!(each(made(&machine, &device, read)), [2, 1, 0]);
    let alone = || assert!(values[0].item::<f32>().is_ok());
    assert_eq!(each(made(&machine, &device, alone)), [2, 1, 0], "one value costs as much");
    drop(values);
    end(&machine, device);
}

#[test]
fn an_allocation_that_hits_the_cache_and_its_drop_call_nothing() {
    let machine = Machine::new();
    let device = machine.device(0);
    drop(device.allocate(4096).unwrap());
    let pairs = || (0..1000).for_each(|_| drop(device.allocate(4096).unwrap()));
    assert_eq!(each(made(&machine, &device, pairs)), [0; 3]);
    end(&machine, device);
}

#[test]
fn an_allocation_that_misses_takes_a_segment_in_one_call_and_the_next_are_cut_from_it() {
    let machine = Machine::new();
    let device = machine.device(0);
    // The stream is made; nothing is kept.
    drop(device.allocate(256).unwrap());
    let mut kept = Vec::new();
    let miss = || kept.push(device.allocate(32 << 20).unwrap());
    assert_eq!(each(made(&machine, &device, miss)), [0, 0, 1]);
    let cut = || kept.extend((0..100).map(|_| device.allocate(4096).unwrap()));
    assert_eq!(each(made(&machine, &device, cut)), [0; 3], "from the segment of the first");
    drop(kept);
    end(&machine, device);
}

#[test]
fn a_hand_over_is_a_mark_and_a_wait_and_no_question() {
    let machine = Machine::new();
    let device = machine.device(0);
    let fill = |device: &Device| {
        let kernel = Kernel::Fill { elements: SIDE, dtype: DType::F32, value: 1.5.into() };
        device.launch(kernel, 4 * SIDE, &[]).unwrap()
    };
    // Another thread's stream is made, and an event is in the pool.
    let handed_over = || {
        let made_here = fill(&device);
        let after = machine.count("");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let view = millstream_hal::Layout::contiguous(&[SIDE]).unwrap();
                device.launch(Kernel::Copy { dtype: DType::F32, a: view }, 4 * SIDE, &[&made_here]).map(drop).unwrap();
                device.leave_thread();
            });
        });
        machine.count("") - after
    };
    machine.hold(true);
    handed_over();
    let names = ["cuLaunchKernel", "cuEventRecord", "cuStreamWaitEvent"];
    let before = names.map(|name| machine.count(name));
    handed_over();
    let after = names.map(|name| machine.count(name));
    let made: [u64; 3] = std::array::from_fn(|i| after[i] - before[i]);
    assert_eq!(made, [2, 1, 1], "the fill and the copy, a mark behind the fill, a wait before the copy");
    machine.hold(false);
    end(&machine, device);
}
