//! A soak with something planted beside its load. One test: the figures are those of the whole process.

use std::time::{Duration, Instant};

use millstream::Tensor;
use millstream_sync::BoundedQueue;
use millstream_sync::atomic::{AtomicU64, Ordering};
use millstream_verify::attempts::soak::soak;
use millstream_verify::plan::{DeviceName, Plan, Silent};

/// What a soak says with `beside` done in each iteration.
fn found(beside: impl Fn(&Tensor) + Send + Sync + 'static) -> String {
    let plan = Plan { soak: Duration::from_millis(2000), ..Plan::new(DeviceName::Cpu, 5) };
    let (soak, found) = soak(&plan, &Silent, Box::new(beside));
    assert!(soak.values_compared > 0 && soak.windows.len() == 20, "{soak:?}");
    found.join("; ")
}

#[test]
fn leaks_and_growing_work_are_found_and_a_load_without_them_is_clean() {
    assert_eq!(found(|_| {}), "");

    let kept = BoundedQueue::with_capacity(1);
    let live = found(move |tensor| drop(kept.try_push(tensor.clone())));
    assert!(live.contains("bytes are live at"), "{live}");

    let kept = BoundedQueue::with_capacity(1 << 16);
    let process = found(move |_| drop(kept.try_push(vec![1u8; 20_000])));
    assert!(process.contains("the process grew from"), "{process}");

    let (begun, sink) = (Instant::now(), AtomicU64::new(0));
    let processor = found(move |_| {
        for step in 0..begun.elapsed().as_millis().pow(2) as u64 / 4 {
            sink.fetch_add(step, Ordering::Relaxed);
        }
    });
    assert!(processor.contains("of processor time, at the end"), "{processor}");
}
