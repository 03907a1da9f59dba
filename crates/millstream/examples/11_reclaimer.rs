//! A cache of results that gives way: a reclaimer frees its oldest entries when memory runs out. And an upload that is larger than all staging memory.
//!
//! `cargo run --release --example 11_reclaimer`

use millstream::{Generator, Result, Tensor, cpu};
use millstream_sync::{Arc, BoundedQueue};

const MIB: usize = 1 << 20;
const BUDGET: usize = 64 * MIB;
const STAGING: usize = MIB;

/// Runs the example. Errors: those of the library; a wrong claim panics.
pub fn main() -> Result<()> {
    let device = cpu::open_with(cpu::CpuOptions::queued(), |options| {
        options.budget_bytes = BUDGET;
        options.staging_bytes_max = STAGING;
    })?;

    // Results, oldest first. The reclaimer has the cache and not the device, which would keep itself alive.
    let cache: Arc<BoundedQueue<Tensor>> = Arc::new(BoundedQueue::with_capacity(1024));
    let evict = cache.clone();
    let _registered = device.register_reclaimer(move |wanted| {
        let mut freed = 0;
        while freed < wanted
            && let Some(oldest) = evict.try_pop()
        {
            freed += oldest.elements() * oldest.dtype().bytes();
        }
        freed
    })?;

    let mut numbers = Generator::new(11);
    let made = 40;
    for _ in 0..made {
        let result = Tensor::randn(&device, &[4 * MIB / size_of::<f32>()], &mut numbers)?;
        assert!(cache.try_push(result).is_ok(), "the cache has room for all of them");
        assert!(device.memory_stats().reserved_bytes <= BUDGET, "the budget does not hold");
    }
    let mut kept = 0;
    while cache.try_pop().is_some() {
        kept += 1;
    }
    assert!(kept > 0 && kept < made, "{kept} of {made}");
    println!("{made} results of 4 MiB under a budget of {} MiB: none refused, the newest {kept} kept", BUDGET / MIB);

    // More than staging memory holds goes in pieces; when all are at work the host waits for the oldest.
    let data: Vec<f32> = (0..8 * MIB / size_of::<f32>()).map(|i| (i % 7) as f32).collect();
    let back = Tensor::from_slice(&device, &data, &[data.len()])?.to_vec::<f32>()?;
    let staged = device.memory_stats().staging_bytes;
    assert!(back == data && staged <= STAGING);
    println!("{} MiB went up and came back through {} KiB of staging memory", 8, staged / 1024);
    Ok(())
}
