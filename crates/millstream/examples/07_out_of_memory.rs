//! A byte budget: what happens when it is used up, what the error says, and that the device goes on.
//!
//! An allocation that finds nothing climbs a ladder: blocks freed elsewhere, other streams' free blocks, a new segment, trimming, a bounded wait. Only then it
//! is refused, by an error that says what each rung had. Dropping tensors is enough to go on.
//!
//! `cargo run --release --example 07_out_of_memory`

use millstream::{Error, Result, RuntimeError, Tensor, cpu};

const MIB: usize = 1 << 20;
const BUDGET: usize = 64 * MIB;
const TENSOR: usize = 8 * MIB;

/// Runs the example. Errors: those of the library; a wrong claim panics.
pub fn main() -> Result<()> {
    let device = cpu::open_with(cpu::CpuOptions::inline(), |options| options.budget_bytes = BUDGET)?;

    // A cache of a service that never forgets: it keeps tensors until there is no room.
    let mut kept = Vec::new();
    let error = loop {
        match Tensor::zeros(&device, &[TENSOR / size_of::<f32>()]) {
            Ok(tensor) => kept.push(tensor),
            Err(error) => break error,
        }
        assert!(kept.len() * TENSOR <= BUDGET, "the budget does not hold");
    };
    let Error::Runtime(RuntimeError::OutOfMemory { requested, budget, ladder }) = &error else { return Err(error) };
    println!(
        "{} tensors of {} MiB fit into {} MiB, then: {requested} bytes refused",
        kept.len(),
        TENSOR / MIB,
        budget / MIB
    );
    for (rung, bytes) in ladder.rows() {
        println!("  {:<12} had {bytes} bytes", format!("{rung:?}"));
    }

    // Nothing is broken: what is there can be used, and two tensors less make room for others.
    kept.truncate(kept.len() - 2);
    let sum = kept[0].sum()?.item::<f32>()?;
    assert_eq!(sum, 0.0);
    let again = Tensor::zeros(&device, &[TENSOR / size_of::<f32>()])?;
    let stats = device.memory_stats();
    assert!(stats.reserved_bytes <= BUDGET, "{stats:?}");
    println!("two dropped, one made again: {} of {} MiB live", stats.live_bytes / MIB, BUDGET / MIB);

    drop((kept, again));
    let released = device.trim();
    let rest = device.memory_stats();
    assert_eq!(rest.live_bytes, 0, "{rest:?}");
    println!(
        "all dropped: trim gave {} MiB back to the system, {} MiB still reserved",
        released / MIB,
        rest.reserved_bytes / MIB
    );
    Ok(())
}
