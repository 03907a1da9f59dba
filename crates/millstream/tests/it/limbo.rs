//! Blocks that wait for other streams, on a device that tells no position: somebody must record an event, or they would wait for ever.

use millstream::evidence::Step;
use millstream::{Backend, Buffer, Device, DeviceOptions, Kernel, Stream};
use millstream_sim::{SimBackend, SimOptions};
use millstream_sync::Arc;

use crate::kernels;
use crate::leaks;

const BYTES: usize = 4096;

fn open(seed: u64) -> Device {
    let sim = Arc::new(SimBackend::new(SimOptions::new(seed)));
    let options = DeviceOptions::of(sim.info());
    Device::open_with(sim, options)
}

/// Reads `block` on `stream`, then drops it: it is in limbo.
fn used_and_dropped(device: &Device, block: Buffer, stream: &Stream) {
    {
        let _on = device.with_stream(stream).expect("its own stream");
        device.launch(kernels::sum(BYTES / 4), 4, &[&block]).expect("a launch");
    }
    drop(block);
    device.trim();
}

/// Looks for blocks that are done with. Nothing here waits for the device or records for a stream that is held.
fn left(device: &Device) -> bool {
    (0..1000).any(|_| {
        device.trim();
        device.memory_stats().limbo_blocks == 0
    })
}

#[test]
fn the_next_submitter_of_a_stream_that_a_block_waits_for_records_an_event() {
    for seed in 0..20 {
        let device = open(seed);
        let user = device.acquire_stream().unwrap();
        let block = device.launch(kernels::fill(BYTES / 4, 1.0), BYTES, &[]).unwrap();
        used_and_dropped(&device, block, &user);
        assert!(!left(&device), "seed {seed}: nobody has told of it");
        {
            let _on = device.with_stream(&user).unwrap();
            device.enqueue(Kernel::Spin { micros: 0 }).unwrap();
        }
        assert!(left(&device), "seed {seed}: {:?}", device.memory_stats());
        assert_eq!(device.evidence().count(Step::WantedRecorded), 1, "seed {seed}");
        drop(user);
        leaks::check(&device);
    }
}

#[test]
fn for_a_stream_that_nobody_holds_who_looks_records_the_event() {
    for seed in 0..20 {
        let device = open(seed);
        let user = device.acquire_stream().unwrap();
        let block = device.launch(kernels::fill(BYTES / 4, 1.0), BYTES, &[]).unwrap();
        used_and_dropped(&device, block, &user);
        drop(user);
        assert!(left(&device), "seed {seed}: {:?}", device.memory_stats());
        assert_eq!(device.evidence().count(Step::WantedRecorded), 0, "seed {seed}");
        leaks::check(&device);
    }
}
