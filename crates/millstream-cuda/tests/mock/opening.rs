//! Opening: what is missing is named, what is old is refused, and the cache is believed only when it is whole.

use millstream_cuda::{CudaBackend, CudaOptions, OpenError};
use millstream_hal::Backend;

use super::rig::{Living, Machine, built};

#[test]
fn a_driver_that_lacks_a_function_is_refused_with_its_name() {
    let machine = Machine::new();
    let path = machine.folder.path().join("lacking/libcuda.so.1");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    // The function gets another name in the library's table.
    let mut library = std::fs::read(built()).unwrap();
    let name = b"\0cuGraphLaunch\0";
    let places: Vec<usize> = (0..library.len() - name.len()).filter(|at| library[*at..].starts_with(name)).collect();
    assert!(!places.is_empty(), "the mock has no {name:?}");
    places.into_iter().for_each(|at| library[at + 1] = b'x');
    std::fs::write(&path, library).unwrap();
    let options = CudaOptions { library_folders: vec![path.parent().unwrap().into()], ..machine.options() };
    let error = CudaBackend::open(&options).unwrap_err();
    let wanted = OpenError::SymbolMissing { symbol: "cuGraphLaunch", path: path.display().to_string() };
    assert_eq!(error, wanted);
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
    let options = CudaOptions { index: 3, ..machine.options() };
    let error = CudaBackend::open(&options).unwrap_err();
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
