//! Opening: what is missing is named, what is old is refused, and the cache is believed only when it is whole.

use millstream_cuda::{CudaBackend, CudaOptions, OpenError};
use millstream_hal::Backend;

use super::rig::{Living, Machine, built, spin};

#[test]
fn a_driver_that_lacks_a_function_is_refused_with_its_name() {
    let machine = Machine::new();
    let path = machine.folder.path().join("lacking/libcuda.so.1");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    // The function gets another name in the library's table.
    let mut image = std::fs::read(built()).unwrap();
    let name = b"\0cuGraphLaunch\0";
    let places: Vec<usize> = (0..image.len() - name.len()).filter(|at| image[*at..].starts_with(name)).collect();
    assert!(!places.is_empty(), "the mock has no {name:?}");
    places.into_iter().for_each(|at| image[at + 1] = b'x');
    std::fs::write(&path, image).unwrap();
    let options = CudaOptions { search_folders: vec![path.parent().unwrap().into()], ..machine.options() };
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
    assert_eq!(machine.again().open().unwrap().statistics().files_compiled, 0, "all come from the cache");
    let entry = std::fs::read_dir(machine.options().cache_folder.unwrap()).unwrap().next().unwrap().unwrap();
    let mut bytes = std::fs::read(entry.path()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(entry.path(), bytes).unwrap();
    let mended = machine.again();
    assert_eq!(mended.open().unwrap().statistics().files_compiled, 1, "the damaged one is made again");
    assert_eq!(mended.again().open().unwrap().statistics().files_compiled, 0);
}

#[test]
fn a_later_opening_takes_the_context_and_the_kernels_that_are_there() {
    let machine = Machine::new();
    drop(machine.open().unwrap());
    let dear = ["cuDevicePrimaryCtxRetain", "cuModuleLoadData", "cuModuleGetFunction", "nvrtcCreateProgram"];
    let before = dear.map(|name| machine.count(name));
    let (first, second) = (machine.open().unwrap(), machine.open().unwrap());
    assert_eq!(dear.map(|name| machine.count(name)), before);
    assert_eq!((machine.count("cuCtxSetCurrent"), machine.living(Living::Contexts)), (1, 1));
    drop((first, second));
    assert_eq!(machine.living(Living::Contexts), 1, "a context is kept until the process ends");
}

#[test]
fn a_context_that_failed_is_not_kept() {
    let machine = Machine::new();
    let device = machine.open().unwrap();
    let stream = device.create_stream().unwrap();
    machine.fail("cuLaunchKernel", 700);
    assert!(device.launch(stream, &spin(1)).is_err());
    let fresh = machine.open().unwrap();
    assert_eq!((fresh.fault(), machine.living(Living::Contexts)), (None, 2));
    let stream = fresh.create_stream().unwrap();
    fresh.launch(stream, &spin(1)).unwrap();
    fresh.destroy_stream(stream).unwrap();
    drop(device);
    assert_eq!(machine.living(Living::Contexts), 1, "it ends with its last device");
    machine.fail("cuMemGetInfo_v2", 709);
    assert!(machine.open().unwrap_err().to_string().contains("709"), "one that another user has ended");
    drop(machine.open().unwrap());
    drop(fresh);
    assert_eq!((machine.living(Living::Contexts), machine.living(Living::Mistakes)), (1, 0));
}

#[test]
fn what_was_opened_is_given_back() {
    let machine = Machine::new();
    let device = machine.open().unwrap();
    assert_eq!((device.info().name.as_str(), device.info().model.as_str()), ("cuda:0", "Mock"));
    assert_eq!((device.info().streams, device.info().asynchronous), (32, true));
    let stream = device.create_stream().unwrap();
    let events = [false, true].map(|timing| device.create_event(timing).unwrap());
    events.into_iter().for_each(|event| device.destroy_event(event).unwrap());
    device.destroy_stream(stream).unwrap();
    drop(device);
    let living = [Living::Streams, Living::Events, Living::Memory, Living::Mistakes];
    assert_eq!(living.map(|what| machine.living(what)), [0; 4]);
}

#[test]
fn a_process_that_was_forked_from_one_with_a_device_is_told_so() {
    let machine = Machine::new();
    let _opened = machine.open().unwrap();
    let answer = millstream_runtime::evidence::in_forked_child(|| match machine.open() {
        Err(OpenError::ForkedChild) => 0,
        Err(_) => 1,
        Ok(_) => 2,
    });
    assert_eq!(answer, Some(0));
    assert!(machine.open().is_ok(), "the parent is no child");
}
