//! What fails when a backend is dropped: alone in its process, since the count is the process's.

use millstream_cuda::unheard_errors;
use millstream_hal::Backend;

#[cfg(test)]
#[path = "mock/rig.rs"]
#[expect(dead_code, reason = "the rig of the other tests has more than this one needs")]
mod rig;

use rig::Machine;

#[test]
fn what_fails_when_a_backend_is_dropped_is_counted_and_the_first_is_kept() {
    let machine = Machine::new();
    let device = machine.open().unwrap();
    device.create_stream().unwrap();
    device.create_event(false).unwrap();
    assert_eq!(unheard_errors().count, 0);
    machine.fail("cuStreamDestroy_v2", 700);
    machine.fail("cuEventDestroy_v2", 400);
    drop(device);
    let errors = unheard_errors();
    assert_eq!(errors.count, 2, "{errors:?}");
    let first = errors.first.unwrap_or_default();
    assert!(first.contains("ILLEGAL_ADDRESS, 700") && first.ends_with("when a stream was ended"), "{first}");
}
