//! One piece of memory, two libraries: a tensor goes to another library and back by DLPack, and nothing is copied.
//!
//! A second device stands for the other library here; `dlpack_python` does the same with NumPy. The handle keeps the memory alive until its consumer is done with it, whatever becomes of the producer.
//!
//! `cargo run --release --example 09_dlpack`

use std::time::Duration;

use millstream::{Error, Result, RuntimeError, Tensor, cpu};

/// Runs the example. Errors: those of the library; a wrong claim panics.
pub fn main() -> Result<()> {
    let (ours, theirs) = (cpu::open()?, cpu::open_queued()?);
    let weights = Tensor::from_slice(&ours, &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3])?;
    let view = weights.transpose(0, 1)?;

    // Out: the call waits until the elements are computed, since the consumer reads memory and knows no stream.
    let handle = view.to_dlpack()?;
    println!("exported {view:?}: read-only {}, copied {}", handle.is_read_only(), handle.is_copied());

    // In: the same memory, strides and all.
    let there = Tensor::from_dlpack(&theirs, handle)?;
    let (imported, live) = (theirs.memory_stats().imported_bytes, theirs.memory_stats().live_bytes);
    assert_eq!((imported, live), (24, 0));
    println!("the other side has {imported} bytes of ours and {live} of its own");

    // The producer ends first. The consumer's handle keeps what it needs.
    drop((view, weights));
    let report = ours.shutdown(Duration::from_secs(5));
    assert!(report.live_bytes > 0);
    let total = there.sum()?.item::<f32>()?;
    assert_eq!(total, 21.0);
    println!("the producer is closed with {} bytes still held; their sum is {total}", report.live_bytes);
    drop(there);
    assert_eq!(ours.memory_stats().live_bytes, 0);
    println!("after the consumer's last use: {} bytes", ours.memory_stats().live_bytes);

    // The older form of DLPack cannot say read-only, so it takes only a copy.
    let shared = Tensor::ones(&theirs, &[4])?;
    match shared.to_dlpack()?.into_raw_unversioned() {
        Err(RuntimeError::DlPack(error)) => println!("as it should be, {error}"),
        other => panic!("memory that others read was given out for writing: {other:?}"),
    }
    // A closed device gives nothing.
    assert!(matches!(Tensor::ones(&ours, &[1]), Err(Error::Runtime(RuntimeError::Closed))));
    Ok(())
}
