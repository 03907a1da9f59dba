//! A small C library over Millstream that hands tensors to Python and takes tensors from it, for the script beside it.
//!
//! `cargo build --release -p millstream --example dlpack_python`, then `python crates/millstream/examples/dlpack_python/round_trip.py target/release/examples/libdlpack_python.so`
#![expect(unsafe_code, reason = "a C interface")]

use millstream::dlpack::{DLManagedTensor, DLManagedTensorVersioned, DlPack};
use millstream::{DType, Device, Result, RuntimeError, Tensor, cpu};
use millstream_sync::OnceLock;

/// The device of the script: streams with workers, so that an export has something to wait for.
fn device() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| cpu::open_queued().expect("the CPU is always there"))
}

/// 0, 1, 2, .. in `columns` columns of `rows` rows, seen from the side: a view of shape [columns, rows] that is not in row-major order.
fn sideways(rows: usize, columns: usize) -> Result<Tensor> {
    let numbers = Tensor::arange(device(), 0.0, (rows * columns) as f64, 1.0, DType::F32)?;
    numbers.reshape(&[rows, columns])?.transpose(0, 1)
}

fn sum(handle: std::result::Result<DlPack, RuntimeError>) -> Result<f64> {
    let tensor = Tensor::from_dlpack(device(), handle?)?;
    println!("    millstream took {tensor:?}");
    tensor.to_dtype(DType::F64)?.sum()?.item::<f64>()
}

fn or_complain<T>(result: Result<T>, otherwise: T) -> T {
    result.unwrap_or_else(|error| {
        println!("    millstream refused: {error}");
        otherwise
    })
}

/// A read-only tensor, or null.
#[unsafe(no_mangle)]
pub extern "C" fn ms_make(rows: usize, columns: usize) -> *mut DLManagedTensorVersioned {
    let made = sideways(rows, columns).and_then(|tensor| tensor.to_dlpack());
    or_complain(made.map(DlPack::into_raw), std::ptr::null_mut())
}

/// A copy in the form without a version, or null.
#[unsafe(no_mangle)]
pub extern "C" fn ms_make_unversioned(rows: usize, columns: usize) -> *mut DLManagedTensor {
    let made = sideways(rows, columns).and_then(|tensor| Ok(tensor.to_dlpack_copy()?.into_raw_unversioned()?));
    or_complain(made, std::ptr::null_mut())
}

/// The sum of a tensor, which is used up; NaN when it is refused.
///
/// # Safety
///
/// As [`DlPack::from_raw`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ms_sum(raw: *mut DLManagedTensorVersioned) -> f64 {
    // SAFETY: the caller's promise.
    or_complain(sum(unsafe { DlPack::from_raw(raw) }), f64::NAN)
}

/// The same for the form without a version.
///
/// # Safety
///
/// As [`DlPack::from_raw_unversioned`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ms_sum_unversioned(raw: *mut DLManagedTensor) -> f64 {
    // SAFETY: the caller's promise.
    or_complain(sum(unsafe { DlPack::from_raw_unversioned(raw) }), f64::NAN)
}

/// Bytes of tensors that somebody holds.
#[unsafe(no_mangle)]
pub extern "C" fn ms_live_bytes() -> usize {
    device().memory_stats().live_bytes
}

/// Tensors of others whose deleter has not been called.
#[unsafe(no_mangle)]
pub extern "C" fn ms_imports() -> usize {
    device().memory_stats().imports
}
