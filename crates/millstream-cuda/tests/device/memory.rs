//! More memory than the device has: the ladder is climbed, the error is typed, and afterwards the device works.

use millstream_cuda::{CudaBackend, CudaOptions};
use millstream_runtime::Error;
use millstream_sync::Arc;
use millstream_tensor::Tensor;

const PIECE: usize = 4 << 30;

pub(crate) fn run() {
    // A budget beyond any device, so that it is the driver that refuses.
    let options = CudaOptions { memory_bytes: Some(1 << 50), ..CudaOptions::default() };
    let device = crate::over(Arc::new(CudaBackend::open(&options).unwrap()));
    let mut kept = Vec::new();
    let error = loop {
        match device.allocate(PIECE) {
            Ok(buffer) => kept.push(buffer),
            Err(error) => break error,
        }
        assert!(kept.len() < 1000, "a device without an end");
    };
    println!("  after {} pieces of 4 GiB: {error}", kept.len());
    assert!(matches!(error, Error::OutOfMemory { .. }) && !kept.is_empty(), "{error:?}");
    assert_eq!(device.health(), millstream_runtime::Health::Live, "no memory is no fault");
    let small = Tensor::ones(&device, &[1000]);
    println!(
        "  a small tensor meanwhile: {}",
        small.as_ref().map_or_else(ToString::to_string, |_| "there is room".into())
    );
    drop(small);
    kept.pop();
    kept.push(device.allocate(PIECE).unwrap());
    drop(kept);
    let sum = Tensor::ones(&device, &[1 << 20]).unwrap().sum().unwrap().item::<f32>().unwrap();
    assert_eq!(sum, (1 << 20) as f32, "the device works");
    println!("  afterwards a piece can be had again, and a sum is right");
}
