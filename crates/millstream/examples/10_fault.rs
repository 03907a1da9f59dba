//! A failure: what it takes with it, what it leaves, and how a service goes on.
//!
//! A kernel fails on one of two streams. What is ordered after it is lost and says so; what the other stream computed stands and is read. The device takes no new work, so the service opens
//! another one and carries the results over.
//!
//! `cargo run --release --example 10_fault`

use std::time::Duration;

use millstream::{DType, Device, Error, Health, Kernel, Result, RuntimeError, Tensor, cpu};

/// A kernel that fails on the CPU: it writes more than its output holds. (Operations on tensors cannot be made to fail like that.)
fn break_something(device: &Device) -> Result<(), RuntimeError> {
    let kernel = Kernel::Fill { elements: 1024, dtype: DType::F32, value: 0.0f32.into() };
    device.launch(kernel, 4, &[]).map(drop)
}

fn is_fault<T>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::Runtime(RuntimeError::Fault(_))))
}

/// Runs the example. Errors: those of the library; a wrong claim panics.
pub fn main() -> Result<()> {
    let device = cpu::open_queued()?;
    let (sound, failing) = (device.acquire_stream()?, device.acquire_stream()?);
    let request = |value: f32| Tensor::full(&device, &[1000], value, DType::F32)?.sum();

    let before = {
        let _on = device.with_stream(&failing)?;
        request(1.0)?
    };
    let apart = {
        let _on = device.with_stream(&sound)?;
        request(2.0)?
    };
    let after = {
        let _on = device.with_stream(&failing)?;
        // Long enough for the next request to be enqueued before the failure.
        device.enqueue(Kernel::Spin { micros: 50_000 })?;
        break_something(&device)?;
        request(3.0)?
    };

    // Health says nothing of a failure before it is there: wait for it.
    let lost = after.item::<f32>();
    assert!(is_fault(&lost));
    let Health::Faulted(report) = device.health() else { panic!("the device says {:?}", device.health()) };
    println!("health: {report}");

    println!("before it, on the same stream: {}", before.item::<f32>()?);
    println!("on the other stream:           {}", apart.item::<f32>()?);
    println!(
        "after it:                      {}",
        lost.map_or_else(|error| error.to_string(), |value| value.to_string())
    );
    let refused = request(4.0);
    assert!(is_fault(&refused), "a failed device took work");

    // A new device goes on with what stands.
    let next = cpu::open_queued()?;
    let carried = Tensor::from_slice(&next, &[before.item::<f32>()?, apart.item()?], &[2])?;
    let total = carried.sum()?.item::<f32>()?;
    assert_eq!(total, 3000.0);
    let ended = device.shutdown(Duration::from_secs(5));
    println!("a new device goes on with {total}; the old one is shut down, complete: {}", ended.complete);
    Ok(())
}
