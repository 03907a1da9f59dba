//! NVRTC that "compiles" any source to a few bytes.

use std::ffi::{c_char, c_int};

use crate::state::call;

const CODE: &[u8] = b"mock machine code\0";

/// # Safety
/// As the vendor's: places to write to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcVersion(major: *mut c_int, minor: *mut c_int) -> c_int {
    // SAFETY: asked of the caller.
    unsafe { *major = 13 };
    // SAFETY: asked of the caller.
    unsafe { *minor = 0 };
    0
}

/// # Safety
/// As the vendor's: a place to write to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetNumSupportedArchs(count: *mut c_int) -> c_int {
    // SAFETY: asked of the caller.
    unsafe { *count = 1 };
    0
}

/// # Safety
/// As the vendor's: room for so many numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetSupportedArchs(archs: *mut c_int) -> c_int {
    // SAFETY: asked of the caller.
    unsafe { *archs = 90 };
    0
}

/// # Safety
/// As the vendor's: a place to write to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcCreateProgram(
    program: *mut usize,
    _source: *const c_char,
    _name: *const c_char,
    _headers: c_int,
    _texts: *const *const c_char,
    _names: *const *const c_char,
) -> c_int {
    call("nvrtcCreateProgram", |state| {
        let handle = state.handle();
        // SAFETY: asked of the caller.
        unsafe { *program = handle };
        0
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvrtcCompileProgram(_program: usize, _count: c_int, _options: *const *const c_char) -> c_int {
    call("nvrtcCompileProgram", |_| 0)
}

macro_rules! texts {
    ($($size:ident $get:ident $text:expr;)*) => {$(
        /// # Safety
        /// As the vendor's: a place to write to.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $size(_program: usize, bytes: *mut usize) -> c_int {
            // SAFETY: asked of the caller.
            unsafe { *bytes = $text.len() };
            0
        }

        /// # Safety
        /// As the vendor's: room for as many bytes as were told.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $get(_program: usize, to: *mut c_char) -> c_int {
            // SAFETY: asked of the caller.
            unsafe { std::ptr::copy_nonoverlapping($text.as_ptr(), to.cast(), $text.len()) };
            0
        }
    )*};
}

texts! {
    nvrtcGetProgramLogSize nvrtcGetProgramLog b"mock: the source was refused\0";
    nvrtcGetCUBINSize nvrtcGetCUBIN CODE;
    nvrtcGetPTXSize nvrtcGetPTX CODE;
}

#[unsafe(no_mangle)]
pub extern "C" fn nvrtcDestroyProgram(_program: *mut usize) -> c_int {
    call("nvrtcDestroyProgram", |_| 0)
}
