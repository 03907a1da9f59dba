//! Opening: what is missing is named, what is old is refused, and the cache is believed only when it is whole.

use millstream_cuda::OpenError;
use millstream_hal::Backend;

use super::rig::{Living, Machine};

#[test]
fn a_library_without_the_drivers_functions_is_refused_by_the_first_that_is_missing() {
    let machine = Machine::new();
    // Any other library stands for a driver that lacks them.
    let system = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6"];
    let Some(other) = system.into_iter().find(|path| std::path::Path::new(path).is_file()) else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(other, folder.path().join("libcuda.so.1")).unwrap();
    let options = millstream_cuda::CudaOptions { library_folders: vec![folder.path().into()], ..machine.options() };
    let error = millstream_cuda::CudaBackend::open(&options).unwrap_err();
    assert!(matches!(&error, OpenError::SymbolMissing { symbol: "cuInit", .. }), "{error}");
}

#[test]
fn an_old_driver_and_a_machine_without_devices_are_typed_errors() {
    let machine = Machine::new();
    machine.machine(11_080, 1);
    let error = machine.open().unwrap_err();
    assert_eq!(error, OpenError::DriverTooOld { found: "11.8".into(), needed: "12.0".into() });
    machine.machine(13_000, 0);
    assert_eq!(machine.open().unwrap_err(), OpenError::NoSuchDevice { index: 0, count: 0 });
    machine.machine(13_000, 1);
    let options = millstream_cuda::CudaOptions { index: 3, ..machine.options() };
    let error = millstream_cuda::CudaBackend::open(&options).unwrap_err();
    assert_eq!(error, OpenError::NoSuchDevice { index: 3, count: 1 });
    machine.fail("cuDevicePrimaryCtxRetain", 2);
    let error = machine.open().unwrap_err();
    assert!(error.to_string().contains("CUDA_ERROR_OUT_OF_MEMORY"), "{error}");
    assert_eq!(machine.living(Living::Contexts), 0);
}

#[test]
fn kernels_are_compiled_once_and_again_when_an_entry_is_damaged() {
    let machine = Machine::new();
    let files = machine.open().unwrap().statistics().files_compiled;
    assert!(files > 1);
    assert_eq!(machine.open().unwrap().statistics().files_compiled, 0, "all come from the cache");
    let entry = std::fs::read_dir(machine.options().cache_folder.unwrap()).unwrap().next().unwrap().unwrap();
    let mut bytes = std::fs::read(entry.path()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(entry.path(), bytes).unwrap();
    assert_eq!(machine.open().unwrap().statistics().files_compiled, 1, "the damaged one is made again");
    assert_eq!(machine.open().unwrap().statistics().files_compiled, 0);
}

#[test]
fn what_was_opened_is_given_back() {
    let machine = Machine::new();
    let device = machine.open().unwrap();
    assert_eq!((device.info().name.as_str(), device.info().model.as_str()), ("cuda:0", "Mock"));
    assert_eq!((device.info().streams, device.info().asynchronous), (32, true));
    let stream = device.create_stream().unwrap();
    let events = [false, true].map(|timing| device.create_event(timing).unwrap());
    events.into_iter().for_each(|event| device.destroy_event(event));
    device.destroy_stream(stream);
    drop(device);
    let living = [Living::Streams, Living::Events, Living::Memory, Living::Contexts, Living::Others, Living::Mistakes];
    assert_eq!(living.map(|what| machine.living(what)), [0; 6]);
}
