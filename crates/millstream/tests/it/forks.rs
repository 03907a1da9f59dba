//! A forked child has the locks of its parent as they were, and not the threads that hold them: what it drops takes none.

use millstream::{Event, Tensor, evidence};
use millstream_sync::lock::record;

use crate::leaks::{Checked, cpu};

/// Whether the child took a lock of ours, or called the backend, in `f`.
fn touches(f: impl FnOnce()) -> bool {
    record::clear();
    record::switch(true);
    f();
    record::switch(false);
    !record::rows().is_empty()
}

/// Forks, and has the child drop `what`. Whether it touched what it shares with its parent.
fn touched_by_drop<T>(what: T) -> bool {
    let mut what = Some(what);
    let answer = evidence::in_forked_child(|| u8::from(touches(|| drop(what.take()))));
    assert!(answer.is_some(), "the child did not come to its end");
    answer != Some(0)
}

fn opened() -> (Checked, Tensor) {
    let device = cpu::open().expect("the CPU is always there");
    let tensor = Tensor::from_slice(&device, &[1.0f32; 64], &[64]).expect("memory for a small tensor");
    (device, tensor)
}

#[test]
fn what_a_child_drops_takes_no_lock() {
    let (device, tensor) = opened();
    assert!(!touched_by_drop(tensor), "a tensor");
    let event = Event::new(&device, true);
    event.record().unwrap();
    assert!(!touched_by_drop(event), "an event with a native one");
    assert!(!touched_by_drop(device.current_stream().unwrap()), "a handle of the current stream");
    assert!(!touched_by_drop(device.acquire_stream().unwrap()), "a stream");
    assert!(!touched_by_drop(device.import_vec(vec![1.0; 64], || {}).unwrap()), "imported memory");
    assert!(!touched_by_drop(device.unchecked()), "the last handle");
}

#[test]
fn the_end_of_a_scope_in_a_child_takes_no_lock() {
    let (device, _tensor) = opened();
    let stream = device.acquire_stream().unwrap();
    let guard = device.with_stream(&stream).unwrap();
    // The cache of that stream has a block: in the parent the end of the scope flushes it.
    drop(Tensor::from_slice(&device, &[2.0f32; 64], &[64]).unwrap());
    assert!(!touched_by_drop(guard));
}

#[test]
fn the_recorder_sees_a_call_of_the_parent() {
    let (device, _tensor) = opened();
    let answer = evidence::in_forked_child(|| {
        let own = cpu::open().expect("a device of the child's own");
        u8::from(touches(|| drop(own.memory_stats())))
    });
    assert_eq!(answer, Some(1), "a call that takes locks was not seen");
    assert!(device.memory_stats().budget_bytes > 0);
}
