//! Copies between devices that know each other: the memory of a copy is nobody else's before it is complete, whatever goes wrong between its two halves.

use std::panic::{AssertUnwindSafe, catch_unwind};

use millstream::{Buffer, Device, Kernel, RuntimeError};

use crate::kernels;
use crate::known::{Fails, Known};
use crate::leaks;

const ELEMENTS: usize = 1000;
const BYTES: usize = 4 * ELEMENTS;

fn values(device: &Device, buffer: &Buffer) -> Vec<f32> {
    let bytes = device.download(&[(buffer, BYTES)]).expect("values");
    bytes.as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

/// A buffer of the device, behind work that takes its time.
fn late(device: &Device) -> Buffer {
    let buffer = device.launch(kernels::fill(ELEMENTS, 1.0), BYTES, &[]).expect("a launch");
    device.enqueue(Kernel::Spin { micros: 200_000 }).expect("a launch");
    buffer
}

/// What an allocation of the same size holds once the copy is complete.
fn next_in_line(from: &Device, to: &Device) -> Vec<f32> {
    let next = to.launch(kernels::fill(ELEMENTS, 9.0), BYTES, &[]).expect("a launch");
    to.synchronize().expect("the device works");
    from.synchronize().expect("the device works");
    values(to, &next)
}

#[test]
fn a_copy_is_there_when_its_turn_comes() {
    let ((_, from), (_, to)) = (Known::open(), Known::open());
    let source = late(&from);
    let copy = from.copy_to(&to, &source, BYTES).unwrap();
    drop(source);
    assert_eq!(values(&to, &copy), [1.0; ELEMENTS]);
    drop(copy);
    leaks::check(&from);
    leaks::check(&to);
}

#[test]
fn memory_of_a_copy_that_the_target_cannot_wait_for_is_free_when_the_copy_is_complete() {
    let ((_, from), (backend, to)) = (Known::open(), Known::open());
    let source = late(&from);
    backend.fail(Fails::Waits);
    let refused = from.copy_to(&to, &source, BYTES).map(drop).unwrap_err();
    assert!(matches!(refused, RuntimeError::Backend { .. }), "{refused:?}");
    assert_eq!(to.memory_stats().live_bytes, 0);
    assert_eq!(next_in_line(&from, &to), [9.0; ELEMENTS], "written by the copy that failed");
    backend.fail(Fails::Nothing);
    let copy = from.copy_to(&to, &source, BYTES).unwrap();
    assert_eq!(values(&to, &copy), [1.0; ELEMENTS], "both devices go on");
    drop((source, copy));
    leaks::check(&from);
    leaks::check(&to);
}

#[test]
fn memory_of_a_copy_that_was_never_enqueued_is_free_at_once() {
    let ((backend, from), (_, to)) = (Known::open(), Known::open());
    let source = late(&from);
    // The first half waits for what the target's stream did to the memory, and then copies.
    for fails in [Fails::Waits, Fails::Copies] {
        backend.fail(fails);
        assert!(matches!(from.copy_to(&to, &source, BYTES).map(drop), Err(RuntimeError::Backend { .. })), "{fails:?}");
        assert_eq!(to.memory_stats().live_bytes, 0, "{fails:?}");
    }
    assert!(!from.current_stream().unwrap().is_idle(), "nobody waited for the work before it");
    drop(source);
    leaks::check(&from);
    leaks::check(&to);
}

#[test]
fn a_panic_between_the_halves_of_a_copy_gives_its_memory_to_nobody() {
    let ((_, from), (backend, to)) = (Known::open(), Known::open());
    let source = late(&from);
    backend.fail(Fails::Panics);
    let unwound = catch_unwind(AssertUnwindSafe(|| from.copy_to(&to, &source, BYTES).map(drop)));
    assert!(unwound.is_err(), "{unwound:?}");
    assert_eq!(next_in_line(&from, &to), [9.0; ELEMENTS], "written by the copy that nobody has");
    let kept = to.memory_stats().live_bytes;
    assert!((BYTES..2 * BYTES).contains(&kept), "{kept} bytes of the copy are kept for ever");
    drop(source);
    leaks::check(&from);
}
