//! Reductions over axes: a softmax with its top classes, by hand, and the same bits from twenty threads.
//!
//! `max_keepdim` leaves an axis of one element, which broadcasts against the tensor that it came from. The tree of a sum depends on the number of its elements alone, so the threads do not matter.
//!
//! `cargo run --release --example 05_reductions`

use millstream::{DType, Device, Generator, Result, Tensor, cpu};

const ROWS: usize = 16;
const CLASSES: usize = 1000;

/// Softmax over the last axis.
fn softmax(logits: &Tensor) -> Result<Tensor> {
    let last = [logits.dims() - 1];
    let scaled = logits.sub(&logits.max_keepdim(&last)?)?.exp()?;
    scaled.div(&scaled.sum_keepdim(&last)?)
}

/// The fingerprint of a softmax of numbers that depend on `key` alone.
fn work(device: &Device, key: u64) -> Result<u64> {
    softmax(&Tensor::randn(device, &[ROWS, CLASSES], &mut Generator::new(3).split(key))?)?.fingerprint()
}

/// Runs the example. Errors: those of the library; a wrong value panics.
pub fn main() -> Result<()> {
    let device = cpu::open()?;
    let logits = Tensor::randn(&device, &[ROWS, CLASSES], &mut Generator::new(3))?;
    let chances = softmax(&logits)?;
    let sums = chances.sum_over(&[1])?.to_vec::<f32>()?;
    assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-5), "{sums:?}");

    // The most likely class of each row, as an i64, is that of the logits.
    let classes = chances.argmax_over(&[1])?;
    assert_eq!(classes.to_vec::<i64>()?, logits.argmax_over(&[1])?.to_vec::<i64>()?);
    // How many classes are more likely than by chance: bools are counted in i64.
    let above = chances.gt(1.0 / CLASSES as f64)?.sum_over(&[1])?;
    assert_eq!(above.dtype(), DType::I64);
    println!("{classes}\n{above}");

    let sequential: Vec<u64> = (0..20).map(|key| work(&device, key)).collect::<Result<_>>()?;
    let parallel: Vec<u64> = std::thread::scope(|scope| {
        let device = &device;
        let workers: Vec<_> = (0..20).map(|key| scope.spawn(move || work(device, key))).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker panicked")).collect::<Result<_>>()
    })?;
    assert_eq!(sequential, parallel, "a value depends on the threads");
    println!("20 threads, {} elements each: the bits of the sequential run", ROWS * CLASSES);
    Ok(())
}
