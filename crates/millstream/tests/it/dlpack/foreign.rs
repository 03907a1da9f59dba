//! Another library, as the C interface sees it: tensors of its own with a deleter that counts.

use millstream::dlpack::{self, DLDataType, DLDevice, DLManagedTensorVersioned, DLPackVersion, DLTensor, DlPack};
use millstream_sync::Arc;
use millstream_sync::atomic::{AtomicUsize, Ordering};

/// Calls of a deleter.
#[derive(Clone, Default)]
pub struct Calls(Arc<AtomicUsize>);

impl Calls {
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a managed tensor of the other library owns. `f32` throughout; a test changes what it wants.
pub struct Foreign {
    pub managed: DLManagedTensorVersioned,
    pub data: Vec<f32>,
    shape: Vec<i64>,
    strides: Vec<i64>,
    calls: Calls,
}

impl Foreign {
    /// `data` under `shape`, with strides unless they are empty. Says read-only, as a careful library does.
    pub fn new(data: Vec<f32>, shape: &[i64], strides: &[i64]) -> (Box<Self>, Calls) {
        let calls = Calls::default();
        let mut foreign = Box::new(Self {
            managed: DLManagedTensorVersioned {
                version: DLPackVersion { major: 1, minor: 1 },
                manager_ctx: std::ptr::null_mut(),
                deleter: Some(delete),
                flags: dlpack::FLAG_READ_ONLY,
                dl_tensor: DLTensor {
                    data: std::ptr::null_mut(),
                    device: DLDevice { device_type: dlpack::CPU, device_id: 0 },
                    ndim: shape.len() as i32,
                    dtype: DLDataType { code: 2, bits: 32, lanes: 1 },
                    shape: std::ptr::null_mut(),
                    strides: std::ptr::null_mut(),
                    byte_offset: 0,
                },
            },
            data,
            shape: shape.to_vec(),
            strides: strides.to_vec(),
            calls: calls.clone(),
        });
        let tensor = &mut foreign.managed.dl_tensor;
        tensor.data = foreign.data.as_mut_ptr().cast();
        tensor.shape = foreign.shape.as_mut_ptr();
        if !strides.is_empty() {
            tensor.strides = foreign.strides.as_mut_ptr();
        }
        (foreign, calls)
    }

    /// Hands it over.
    pub fn give(self: Box<Self>) -> Result<DlPack, millstream::RuntimeError> {
        let this = Box::into_raw(self);
        // SAFETY: asks for a valid structure; true because `this` was a box until now.
        let managed = unsafe { &raw mut (*this).managed };
        // SAFETY: as above; nobody else has it.
        unsafe { (*managed).manager_ctx = this.cast() };
        // SAFETY: nobody else calls the deleter, which is fit for any thread; the vectors live in the box that it frees.
        unsafe { DlPack::from_raw(managed) }
    }
}

unsafe extern "C" fn delete(this: *mut DLManagedTensorVersioned) {
    // SAFETY: asks for a valid structure; true because it is called once, with its own.
    let foreign: *mut Foreign = unsafe { (*this).manager_ctx }.cast();
    // SAFETY: asks for a pointer of `Box`; true because `give` made it so.
    let foreign = unsafe { Box::from_raw(foreign) };
    foreign.calls.0.fetch_add(1, Ordering::Relaxed);
}

/// The bytes of the elements of an exported tensor in row-major order, read as a C consumer reads them.
pub fn read(handle: DlPack) -> Vec<u8> {
    let raw = handle.into_raw();
    // SAFETY: `into_raw` gave the duty to this function; the handle calls the deleter at its end.
    let _deleted_at_the_end = unsafe { DlPack::from_raw(raw) }.expect("ours are of version 1");
    // SAFETY: asks for a valid structure; true until the deleter is called.
    let tensor = unsafe { (*raw).dl_tensor };
    let dims = tensor.ndim as usize;
    // SAFETY: asks for `ndim` numbers; true because an export has them until its deleter is called.
    let shape = unsafe { std::slice::from_raw_parts(tensor.shape, dims) };
    // SAFETY: as above.
    let strides = unsafe { std::slice::from_raw_parts(tensor.strides, dims) };
    let size = usize::from(tensor.dtype.bits) / 8;
    let mut read = Vec::new();
    for index in 0..shape.iter().product::<i64>() {
        let (mut rest, mut at) = (index, 0);
        for (size, stride) in shape.iter().zip(strides).rev() {
            at += rest % size * stride;
            rest /= size;
        }
        let first = tensor.data.cast::<u8>().wrapping_add(tensor.byte_offset as usize + at as usize * size);
        // SAFETY: asks for memory that the view covers; true because the exporter said so, and the deleter comes later.
        read.extend_from_slice(unsafe { std::slice::from_raw_parts(first, size) });
    }
    read
}
