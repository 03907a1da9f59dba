//! Tensors of other libraries and ours for them: the same memory, checked figures, one call of the deleter.
#![expect(unsafe_code, reason = "the other side of a C interface")]

mod foreign;

use std::time::Duration;

use foreign::{Calls, Foreign};
use millstream::dlpack::{DLDataType, DLManagedTensor, DLPackVersion, DlPack, DlPackError};
use millstream::evidence::Step;
use millstream::{Buffer, DType, Device, Error, Kernel, Layout, RuntimeError, Tensor};

use crate::kernels;
use crate::leaks::cpu;

const SPIN: Kernel = Kernel::Spin { micros: 300_000 };

/// The elements that `layout` shows of `buffer`, in row-major order, by a kernel.
fn by_kernel(device: &Device, buffer: &Buffer, dtype: DType, layout: Layout) -> Vec<u8> {
    let bytes = layout.elements() * dtype.bytes();
    let dense = device.launch(Kernel::Copy { dtype, a: layout }, bytes, &[buffer]).expect("a copy");
    device.download(&[(&dense, bytes)]).expect("values")
}

fn views() -> Vec<Layout> {
    let whole = Layout::contiguous(&[4, 3, 2]).expect("a view");
    let narrowed = whole.narrowed(0, 1, 2).expect("a view");
    vec![
        whole,
        whole.transposed(0, 2),
        narrowed,
        narrowed.transposed(0, 1).narrowed(2, 1, 1).expect("a view"),
        Layout::contiguous(&[]).expect("a view"),
        Layout::contiguous(&[1, 3]).expect("a view").broadcast_to(&[5, 3]).expect("a view"),
        Layout::contiguous(&[3, 0]).expect("a view"),
        Layout::contiguous(&[2, 1, 1, 3, 1, 2, 1, 2]).expect("a view"),
    ]
}

#[test]
fn every_type_and_view_goes_out_and_comes_back_in_the_same_memory() {
    let (ours, theirs) = (cpu::open().unwrap(), cpu::open().unwrap());
    for dtype in DType::ALL {
        // Truth values are 0 or 1; other types take any bytes.
        let bytes: Vec<u8> = (0..24 * dtype.bytes())
            .map(|i| if dtype == DType::Bool { i as u8 & 1 } else { (i as u8).wrapping_mul(5) })
            .collect();
        let buffer = ours.upload(&bytes).unwrap();
        for view in views() {
            let expected = by_kernel(&ours, &buffer, dtype, view);
            let export = || ours.export_dlpack(buffer.clone(), dtype, &view, false).unwrap();
            assert_eq!(foreign::read(export()), expected, "{dtype} {view:?}");
            let (back, found, layout) = theirs.import_dlpack(export()).unwrap();
            assert_eq!((found, layout.shape()), (dtype, view.shape()));
            assert_eq!(by_kernel(&theirs, &back, dtype, layout), expected, "{dtype} {view:?}");
            if view.elements() > 0 {
                let first = ours.host_ptr(&buffer).unwrap().addr().get() + view.offset() * dtype.bytes();
                assert_eq!(theirs.host_ptr(&back).unwrap().addr().get(), first, "nothing was copied");
            }
        }
    }
    theirs.synchronize_all(None).unwrap();
    assert_eq!(theirs.memory_stats().imports, 0);
}

#[test]
fn the_value_is_complete_when_the_handle_is_there() {
    let device = cpu::open_queued().unwrap();
    device.enqueue(SPIN).unwrap();
    let buffer = device.launch(kernels::fill(3, 2.5), 12, &[]).unwrap();
    let line = Layout::contiguous(&[3]).unwrap();
    let handle = device.export_dlpack(buffer, DType::F32, &line, false).unwrap();
    assert!(handle.is_read_only() && !handle.is_copied());
    assert_eq!(foreign::read(handle), [2.5f32; 3].map(f32::to_le_bytes).as_flattened());
}

#[test]
fn an_export_outlives_its_producer_its_thread_and_the_shutdown() {
    let device = cpu::open().unwrap();
    let (inside, line) = (device.clone(), Layout::contiguous(&[1000]).unwrap());
    let handle = std::thread::spawn(move || {
        let buffer = inside.launch(kernels::fill(1000, 7.0), 4000, &[]).unwrap();
        inside.export_dlpack(buffer, DType::F32, &line, false).unwrap()
    });
    let handle = handle.join().unwrap();
    assert!(device.memory_stats().live_bytes >= 4000, "the consumer keeps it");
    device.shutdown(Duration::from_secs(10));
    assert!(device.memory_stats().live_bytes >= 4000);
    // A thread that never used the device.
    let read = std::thread::spawn(move || foreign::read(handle)).join().unwrap();
    assert_eq!(read, [7.0f32; 1000].map(f32::to_le_bytes).as_flattened());
    assert_eq!(device.memory_stats().live_bytes, 0);
}

/// Ends with its thread, after or before the runtime's own state.
struct Late(Option<DlPack>);

impl Drop for Late {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}

millstream_sync::thread_state! { static EARLIER: std::cell::RefCell<Late> = std::cell::RefCell::new(Late(None)) }
millstream_sync::thread_state! { static LATER: std::cell::RefCell<Late> = std::cell::RefCell::new(Late(None)) }

#[test]
fn a_deleter_may_run_while_a_thread_ends() {
    let device = cpu::open().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let line = Layout::contiguous(&[8]).unwrap();
            // Made before the runtime's state of this thread, and after it.
            EARLIER.try_with(|late| late.borrow_mut().0 = None).unwrap();
            let export = || {
                let buffer = device.launch(kernels::fill(8, 1.0), 32, &[]).unwrap();
                device.export_dlpack(buffer, DType::F32, &line, false).unwrap()
            };
            let handle = export();
            EARLIER.try_with(|late| late.borrow_mut().0 = Some(handle)).unwrap();
            LATER.try_with(|late| late.borrow_mut().0 = Some(export())).unwrap();
        });
    });
    let begun = std::time::Instant::now();
    while device.memory_stats().live_bytes > 0 && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(device.memory_stats().live_bytes, 0);
}

#[test]
fn the_deleter_of_a_producer_runs_once_after_the_last_use_on_whatever_thread() {
    let device = cpu::open_queued().unwrap();
    let (foreign, calls) = Foreign::new(vec![1.0; 1000], &[1000], &[]);
    let (buffer, dtype, layout) = device.import_dlpack(foreign.give().unwrap()).unwrap();
    assert_eq!((dtype, buffer.is_imported()), (DType::F32, true));
    device.enqueue(SPIN).unwrap();
    let sum = device.launch(kernels::sum(layout.elements()), 4, &[&buffer]).unwrap();
    std::thread::spawn(move || drop(buffer)).join().unwrap();
    assert_eq!(calls.count(), 0, "deleted under running work");
    assert_eq!(device.download(&[(&sum, 4)]).unwrap(), 1000.0f32.to_le_bytes());
    assert_eq!(calls.count(), 1);
    device.synchronize_all(None).unwrap();
    assert_eq!(calls.count(), 1);
    assert!(device.evidence().count(Step::ImportWaited) > 0);
}

#[test]
fn a_handle_that_nobody_takes_is_deleted_when_it_drops() {
    let (foreign, calls) = Foreign::new(vec![1.0], &[1], &[1]);
    let handle = foreign.give().unwrap();
    assert_eq!(calls.count(), 0);
    drop(handle);
    assert_eq!(calls.count(), 1);
    // The other library passes on what is ours, in the old form and back.
    let device = cpu::open().unwrap();
    let buffer = device.upload(&[0; 4]).unwrap();
    let line = Layout::contiguous(&[1]).unwrap();
    let old = device.export_dlpack(buffer, DType::F32, &line, true).unwrap().into_raw_unversioned().unwrap();
    assert_eq!(device.memory_stats().imports, 0);
    // SAFETY: it came from us just now, and its deleter is fit for any thread.
    let again = unsafe { DlPack::from_raw_unversioned(old) }.unwrap();
    assert!(!again.is_read_only());
    let (buffer, ..) = device.import_dlpack(again).unwrap();
    assert_eq!(by_kernel(&device, &buffer, DType::F32, line), [0; 4]);
}

#[test]
fn twenty_threads_import_and_export_at_once() {
    let (device, other) = (cpu::open().unwrap(), cpu::open_queued().unwrap());
    let calls: Vec<Calls> = std::thread::scope(|scope| {
        let work = |thread: usize| {
            let (device, other) = (&device, &other);
            scope.spawn(move || {
                let mut all = Vec::new();
                for round in 0..50 {
                    let value = (thread * 100 + round) as f32;
                    let (foreign, calls) = Foreign::new(vec![value; 64], &[8, 8], &[1, 8]);
                    let (buffer, dtype, view) = device.import_dlpack(foreign.give().unwrap()).unwrap();
                    let copy = device.launch(Kernel::Copy { dtype, a: view }, 256, &[&buffer]).unwrap();
                    drop(buffer);
                    let dense = view.dense().unwrap();
                    let handle = device.export_dlpack(copy, dtype, &dense, false).unwrap();
                    let (back, ..) = other.import_dlpack(handle).unwrap();
                    let sum = other.launch(kernels::sum(64), 4, &[&back]).unwrap();
                    drop(back);
                    assert_eq!(other.download(&[(&sum, 4)]).unwrap(), (64.0 * value).to_le_bytes());
                    all.push(calls);
                }
                all
            })
        };
        let workers: Vec<_> = (0..20).map(work).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    other.synchronize_all(None).unwrap();
    assert_eq!((device.memory_stats().imports, other.memory_stats().imports), (0, 0));
    assert_eq!(calls.len(), 1000);
    assert!(calls.iter().all(|calls| calls.count() == 1));
}

#[test]
fn only_memory_that_nobody_else_holds_is_given_out_for_writing() {
    let device = cpu::open_queued().unwrap();
    let line = Layout::contiguous(&[4]).unwrap();
    let export = |buffer: Buffer, writable| device.export_dlpack(buffer, DType::F32, &line, writable);
    let buffer = device.upload(&[0; 16]).unwrap();
    let refused = |error: RuntimeError, expected| matches!(error, RuntimeError::DlPack(found) if found == expected);
    assert!(refused(export(buffer.clone(), true).unwrap_err(), DlPackError::Shared));
    let read_only = export(buffer.clone(), false).unwrap();
    assert!(refused(read_only.into_raw_unversioned().unwrap_err(), DlPackError::ReadOnly));
    let (imported, ..) = device.import_dlpack(export(buffer.clone(), false).unwrap()).unwrap();
    assert!(refused(export(imported, true).unwrap_err(), DlPackError::Shared));
    // The last handle: a reader at work elsewhere is waited for.
    let other = device.acquire_stream().unwrap();
    let sum = {
        let _current = device.with_stream(&other).unwrap();
        device.enqueue(SPIN).unwrap();
        device.launch(kernels::sum(4), 4, &[&buffer]).unwrap()
    };
    let raw: *mut DLManagedTensor = export(buffer, true).unwrap().into_raw_unversioned().unwrap();
    // SAFETY: asks for a valid structure; true until its deleter is called.
    let data = unsafe { (*raw).dl_tensor.data }.cast::<f32>();
    // SAFETY: four elements that this export gave out for writing.
    unsafe { std::slice::from_raw_parts_mut(data, 4) }.fill(9.0);
    // SAFETY: called once, by the drop, as the consumer must.
    drop(unsafe { DlPack::from_raw_unversioned(raw) }.unwrap());
    assert_eq!(device.download(&[(&sum, 4)]).unwrap(), 0.0f32.to_le_bytes(), "read before it was written");
}

#[test]
fn what_is_wrong_with_a_tensor_is_named_and_its_deleter_called_once() {
    type Break = fn(&mut Foreign);
    let long = |n: i64| vec![n; 9];
    let element = |code, bits, lanes| DlPackError::Element { code, bits, lanes };
    let cases: Vec<(Vec<i64>, Vec<i64>, Break, DlPackError)> = vec![
        (vec![2], vec![-1], |_| (), DlPackError::Stride { axis: 0, stride: -1 }),
        (vec![2], vec![1 << 32], |_| (), DlPackError::Stride { axis: 0, stride: 1 << 32 }),
        (vec![1, -2], vec![1, 1], |_| (), DlPackError::Size { axis: 1, size: -2 }),
        (vec![1 << 40], vec![], |_| (), DlPackError::Size { axis: 0, size: 1 << 40 }),
        (long(1), long(1), |_| (), DlPackError::Dims { dims: 9, max: 8 }),
        (vec![1], vec![], |f| f.managed.dl_tensor.ndim = -1, DlPackError::Dims { dims: -1, max: 8 }),
        (vec![1 << 31, 1 << 31], vec![1 << 31, 1], |_| (), DlPackError::Overflow),
        (vec![1 << 31; 3], vec![], |_| (), DlPackError::Overflow),
        (vec![4], vec![], |f| f.managed.dl_tensor.byte_offset = u64::MAX - 3, DlPackError::Overflow),
        (vec![4], vec![], |f| f.managed.dl_tensor.data = std::ptr::null_mut(), DlPackError::Null { what: "the data" }),
        (
            vec![4],
            vec![],
            |f| f.managed.dl_tensor.shape = std::ptr::null_mut(),
            DlPackError::Null { what: "the shape" },
        ),
        (
            vec![4],
            vec![],
            |f| f.managed.dl_tensor.device.device_type = 2,
            DlPackError::Device { device_type: 2, device_id: 0 },
        ),
        (vec![4], vec![], |f| f.managed.dl_tensor.dtype.lanes = 4, element(2, 32, 4)),
        (
            vec![4],
            vec![],
            |f| f.managed.dl_tensor.dtype = DLDataType { code: 0, bits: 32, lanes: 1 },
            element(0, 32, 1),
        ),
        (
            vec![4],
            vec![],
            |f| f.managed.dl_tensor.dtype = DLDataType { code: 5, bits: 64, lanes: 1 },
            element(5, 64, 1),
        ),
    ];
    let device = cpu::open().unwrap();
    for (shape, strides, break_it, expected) in cases {
        let (mut foreign, calls) = Foreign::new(vec![0.0; 4], &shape, &strides);
        break_it(&mut foreign);
        let error = device.import_dlpack(foreign.give().unwrap()).unwrap_err();
        assert!(matches!(&error, RuntimeError::DlPack(found) if *found == expected), "{error:?}, not {expected:?}");
        assert_eq!(calls.count(), 1, "{expected:?}");
    }
    let (mut foreign, calls) = Foreign::new(vec![0.0; 4], &[2], &[]);
    foreign.managed.dl_tensor.byte_offset = 2;
    let error = device.import_dlpack(foreign.give().unwrap()).unwrap_err();
    assert!(matches!(error, RuntimeError::DlPack(DlPackError::Misaligned { align: 4, .. })), "{error:?}");
    assert_eq!(calls.count(), 1);
    let (mut foreign, calls) = Foreign::new(vec![0.0; 4], &[2], &[]);
    foreign.managed.version = DLPackVersion { major: 2, minor: 0 };
    let error = foreign.give().unwrap_err();
    assert!(matches!(error, RuntimeError::DlPack(DlPackError::Version { major: 2, minor: 0 })), "{error:?}");
    assert_eq!(calls.count(), 1);
    // SAFETY: refused before anything is read.
    assert!(unsafe { DlPack::from_raw(std::ptr::null_mut()) }.is_err());
    // SAFETY: as above.
    assert!(unsafe { DlPack::from_raw_unversioned(std::ptr::null_mut()) }.is_err());
    assert_eq!(device.memory_stats().imports, 0);
}

#[test]
fn odd_but_valid_tensors_are_taken() {
    let device = cpu::open().unwrap();
    // An offset in bytes, a stride that means nothing, and no strides at all.
    let (mut foreign, _) = Foreign::new(vec![0.0, 1.0, 2.0, 3.0], &[1, 3], &[-7, 1]);
    foreign.managed.dl_tensor.byte_offset = 4;
    let (buffer, dtype, view) = device.import_dlpack(foreign.give().unwrap()).unwrap();
    assert_eq!((view, buffer.bytes()), (Layout::contiguous(&[1, 3]).unwrap(), 12));
    assert_eq!(by_kernel(&device, &buffer, dtype, view), [1.0f32, 2.0, 3.0].map(f32::to_le_bytes).as_flattened());
    let (mut foreign, calls) = Foreign::new(Vec::new(), &[3, 0], &[-1, -1]);
    foreign.managed.dl_tensor.data = std::ptr::null_mut();
    let (empty, _, view) = device.import_dlpack(foreign.give().unwrap()).unwrap();
    assert_eq!((view.elements(), empty.bytes(), calls.count()), (0, 0, 0));
    drop(empty);
    assert_eq!(calls.count(), 1);
    let (mut foreign, calls) = Foreign::new(vec![5.0], &[], &[]);
    foreign.managed.dl_tensor.shape = std::ptr::null_mut();
    let (scalar, dtype, view) = device.import_dlpack(foreign.give().unwrap()).unwrap();
    assert_eq!(by_kernel(&device, &scalar, dtype, view), 5.0f32.to_le_bytes());
    drop(scalar);
    assert_eq!(calls.count(), 1);
}

#[test]
fn a_closed_device_gives_and_takes_nothing() {
    let device = cpu::open().unwrap();
    let buffer = device.upload(&[0; 4]).unwrap();
    device.shutdown(Duration::from_secs(10));
    let line = Layout::contiguous(&[1]).unwrap();
    let error = device.export_dlpack(buffer, DType::F32, &line, false).unwrap_err();
    assert!(matches!(error, RuntimeError::Closed), "{error:?}");
    let (foreign, calls) = Foreign::new(vec![5.0], &[1], &[]);
    let error = device.import_dlpack(foreign.give().unwrap()).unwrap_err();
    assert!(matches!(error, RuntimeError::Closed), "{error:?}");
    assert_eq!(calls.count(), 1);
}

#[test]
fn a_view_beyond_its_buffer_is_not_given_out() {
    let device = cpu::open().unwrap();
    let buffer = device.upload(&[0; 16]).unwrap();
    let line = Layout::contiguous(&[5]).unwrap();
    let error = device.export_dlpack(buffer, DType::F32, &line, false).unwrap_err();
    assert!(matches!(error, RuntimeError::BeyondEnd { asked: 20, bytes: 16 }), "{error:?}");
}

#[test]
fn a_tensor_goes_to_another_device_and_back_without_a_copy() {
    let (ours, theirs) = (cpu::open().unwrap(), cpu::open_queued().unwrap());
    let tensor = Tensor::from_slice(&ours, &[1i64, 2, 3, 4, 5, 6], &[2, 3]).unwrap().transpose(0, 1).unwrap();
    let there = Tensor::from_dlpack(&theirs, tensor.to_dlpack().unwrap()).unwrap();
    assert_eq!((there.shape(), there.dtype(), there.device() == &*theirs), (vec![3, 2], DType::I64, true));
    let back = Tensor::from_dlpack(&ours, there.to_dlpack().unwrap()).unwrap();
    assert_eq!((theirs.memory_stats().imported_bytes, ours.memory_stats().imported_bytes), (48, 48));
    drop((tensor, there));
    assert_eq!(back.to_vec::<i64>().unwrap(), [1, 4, 2, 5, 3, 6]);
    assert!(ours.memory_stats().live_bytes > 0, "the import keeps what it was made of");
    drop(back);
    assert_eq!((theirs.memory_stats().imports, ours.memory_stats().imports, ours.memory_stats().live_bytes), (0, 0, 0));
}

#[test]
fn a_copy_for_a_consumer_is_its_own_to_write() {
    let device = cpu::open_queued().unwrap();
    let tensor = Tensor::from_slice(&device, &[1.0f32, 2.0], &[2]).unwrap().broadcast_to(&[3, 2]).unwrap();
    let handle = tensor.to_dlpack_copy().unwrap();
    assert!(handle.is_copied() && !handle.is_read_only());
    let raw = handle.into_raw();
    // SAFETY: asks for a valid structure; true until its deleter is called.
    let data = unsafe { (*raw).dl_tensor.data }.cast::<f32>();
    // SAFETY: six elements that nobody else holds.
    let elements = unsafe { std::slice::from_raw_parts_mut(data, 6) };
    assert_eq!(elements, [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
    elements.fill(7.0);
    // SAFETY: `into_raw` gave the duty to this function.
    drop(unsafe { DlPack::from_raw(raw) }.unwrap());
    assert_eq!(tensor.to_vec::<f32>().unwrap(), [1.0, 2.0, 1.0, 2.0, 1.0, 2.0]);
    let (foreign, calls) = Foreign::new(vec![0.0; 2], &[2], &[-1]);
    let error = Tensor::from_dlpack(&device, foreign.give().unwrap()).unwrap_err();
    let expected = DlPackError::Stride { axis: 0, stride: -1 };
    assert!(matches!(&error, Error::Runtime(RuntimeError::DlPack(found)) if *found == expected), "{error:?}");
    assert_eq!((calls.count(), error.to_string().as_str()), (1, "dlpack: stride -1 of axis 0 is not possible"));
}
