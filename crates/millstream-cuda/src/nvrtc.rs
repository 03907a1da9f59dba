//! The run-time compiler: its functions, and one compilation.
//!
//! Nothing of the toolkit is needed but the library: the sources name no header.
#![expect(unsafe_code, reason = "calls into a library that is found at run time")]

use std::ffi::{CStr, CString, c_char, c_int};
use std::path::PathBuf;

use crate::error::{OpenError, Result};
use crate::library::{self, Found};

type Program = usize;

/// The compiler.
#[derive(Debug)]
pub(crate) struct Nvrtc {
    version: unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int,
    arch_count: unsafe extern "C" fn(*mut c_int) -> c_int,
    archs: unsafe extern "C" fn(*mut c_int) -> c_int,
    create: unsafe extern "C" fn(
        *mut Program,
        *const c_char,
        *const c_char,
        c_int,
        *const *const c_char,
        *const *const c_char,
    ) -> c_int,
    compile: unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int,
    log_size: unsafe extern "C" fn(Program, *mut usize) -> c_int,
    log: unsafe extern "C" fn(Program, *mut c_char) -> c_int,
    cubin_size: unsafe extern "C" fn(Program, *mut usize) -> c_int,
    cubin: unsafe extern "C" fn(Program, *mut c_char) -> c_int,
    ptx_size: unsafe extern "C" fn(Program, *mut usize) -> c_int,
    ptx: unsafe extern "C" fn(Program, *mut c_char) -> c_int,
    destroy: unsafe extern "C" fn(*mut Program) -> c_int,
    pub(crate) path: PathBuf,
}

/// What the compiler made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// Machine code of exactly this architecture.
    Machine(u32),
    /// Code that the driver translates for a newer device.
    Portable(u32),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Machine(arch) => write!(f, "sm_{arch}"),
            Self::Portable(arch) => write!(f, "compute_{arch}"),
        }
    }
}

impl Nvrtc {
    /// Finds and loads it. Errors: [`OpenError::LibraryNotFound`], [`OpenError::SymbolMissing`].
    pub(crate) fn load(folders: &[PathBuf]) -> Result<Self> {
        let names = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"];
        let Found { library, path } = library::find(&names, folders, Some("libnvrtc-builtins.so"))?;
        macro_rules! symbol {
            ($name:literal) => {{
                let missing = |_| OpenError::SymbolMissing { symbol: $name, path: path.display().to_string() };
                // SAFETY: asks that the symbol has the type of the field; true because each is written from the vendor's header.
                *unsafe { library.get(concat!($name, "\0").as_bytes()) }.map_err(missing)?
            }};
        }
        Ok(Self {
            version: symbol!("nvrtcVersion"),
            arch_count: symbol!("nvrtcGetNumSupportedArchs"),
            archs: symbol!("nvrtcGetSupportedArchs"),
            create: symbol!("nvrtcCreateProgram"),
            compile: symbol!("nvrtcCompileProgram"),
            log_size: symbol!("nvrtcGetProgramLogSize"),
            log: symbol!("nvrtcGetProgramLog"),
            cubin_size: symbol!("nvrtcGetCUBINSize"),
            cubin: symbol!("nvrtcGetCUBIN"),
            ptx_size: symbol!("nvrtcGetPTXSize"),
            ptx: symbol!("nvrtcGetPTX"),
            destroy: symbol!("nvrtcDestroyProgram"),
            path,
        })
    }

    /// Its version, such as `13.0`.
    pub(crate) fn version(&self) -> String {
        let (mut major, mut minor) = (0, 0);
        // SAFETY: asks for two places to write to; both live.
        unsafe { (self.version)(&mut major, &mut minor) };
        format!("{major}.{minor}")
    }

    /// The best target for a device of compute capability `arch` (90 for 9.0).
    pub(crate) fn target(&self, arch: u32) -> Target {
        let mut count = 0;
        // SAFETY: asks for a place to write to; it lives.
        unsafe { (self.arch_count)(&mut count) };
        let mut all: Vec<c_int> = vec![0; usize::try_from(count).unwrap_or(0)];
        // SAFETY: asks for room for as many numbers as it has just counted; the vector has it.
        unsafe { (self.archs)(all.as_mut_ptr()) };
        let known = all.iter().filter_map(|a| u32::try_from(*a).ok()).filter(|a| *a <= arch).max();
        match known {
            Some(known) if known == arch => Target::Machine(arch),
            Some(known) => Target::Portable(known),
            None => Target::Machine(arch),
        }
    }

    /// Compiles `source`. Errors: [`OpenError::Compile`] with what the compiler said.
    pub(crate) fn compile(&self, file: &'static str, source: &str, target: Target) -> Result<Vec<u8>> {
        let failed = |log: String| OpenError::Compile { file, arch: target.to_string(), version: self.version(), log };
        let text = |text: &str| CString::new(text).map_err(|_| failed("the source has a zero byte".to_owned()));
        let (source, name) = (text(source)?, text(file)?);
        let mut program: Program = 0;
        let none = std::ptr::null();
        // SAFETY: asks for strings that end in zero and no headers; both live to the end of the call.
        let code = unsafe { (self.create)(&mut program, source.as_ptr(), name.as_ptr(), 0, none, none) };
        if code != 0 {
            return Err(failed(format!("nvrtcCreateProgram gave {code}")));
        }
        let options: Vec<CString> = options(target).iter().map(|o| text(o)).collect::<Result<_>>()?;
        let pointers: Vec<*const c_char> = options.iter().map(|o| o.as_ptr()).collect();
        // SAFETY: asks for a living program and so many strings; `options` lives.
        let code = unsafe { (self.compile)(program, pointers.len() as c_int, pointers.as_ptr()) };
        let result = if code == 0 {
            let (size, get) = match target {
                Target::Machine(_) => (self.cubin_size, self.cubin),
                Target::Portable(_) => (self.ptx_size, self.ptx),
            };
            self.bytes(program, size, get).ok_or_else(|| failed("the compiler gives no code".to_owned()))
        } else {
            let log = self.bytes(program, self.log_size, self.log).unwrap_or_default();
            let log = CStr::from_bytes_until_nul(&log).map(|l| l.to_string_lossy().into_owned());
            Err(failed(log.unwrap_or_else(|_| format!("nvrtcCompileProgram gave {code}"))))
        };
        // SAFETY: asks for a program that nobody uses afterwards; it was made above.
        unsafe { (self.destroy)(&mut program) };
        result
    }

    fn bytes(
        &self,
        program: Program,
        size: unsafe extern "C" fn(Program, *mut usize) -> c_int,
        get: unsafe extern "C" fn(Program, *mut c_char) -> c_int,
    ) -> Option<Vec<u8>> {
        let mut bytes = 0;
        // SAFETY: asks for a living program and a place to write to.
        let code = unsafe { size(program, &mut bytes) };
        let mut all = vec![0u8; bytes];
        // SAFETY: asks for room for as many bytes as were just told; the vector has it.
        let code = code | unsafe { get(program, all.as_mut_ptr().cast()) };
        (code == 0 && bytes > 0).then_some(all)
    }
}

/// No contraction: where one rounding is wanted, the sources write fma. No fast mathematics.
pub(crate) fn options(target: Target) -> [String; 5] {
    [
        format!("--gpu-architecture={target}"),
        "--std=c++17".to_owned(),
        "--fmad=false".to_owned(),
        "--prec-div=true".to_owned(),
        "--prec-sqrt=true".to_owned(),
    ]
}
