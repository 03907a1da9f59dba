//! The kernels' sources, and the way from them to machine code: from the cache, or by the compiler.

use std::path::{Path, PathBuf};

use millstream_sync::thread;

use crate::cache;
use crate::error::Result;
use crate::nvrtc::{self, Nvrtc};

/// Files of kernels, in the order of their modules.
pub(crate) const FILES: [(&str, &str); 6] = [
    ("elementwise.cu", include_str!("kernels/elementwise.cu")),
    ("random.cu", include_str!("kernels/random.cu")),
    ("reduce.cu", include_str!("kernels/reduce.cu")),
    ("matmul.cu", include_str!("kernels/matmul.cu")),
    ("layers.cu", include_str!("kernels/layers.cu")),
    ("aids.cu", include_str!("kernels/aids.cu")),
];
/// What stands before every file.
const BEFORE: [&str; 3] =
    [include_str!("kernels/number.cuh"), include_str!("kernels/view.cuh"), include_str!("kernels/unary.cuh")];

/// Compiled kernels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernels {
    /// Code of each file.
    pub images: Vec<Vec<u8>>,
    /// `sm_90`, or `compute_90` for a device that the compiler does not know.
    pub target: String,
    /// Version of the compiler.
    pub nvrtc: String,
    /// Where the compiler was found.
    pub nvrtc_path: PathBuf,
    /// Hash of the sources.
    pub source: String,
    /// Files that the compiler ran for; the others came from the cache.
    pub compiled: usize,
}

/// Compiles all kernels for a device of compute capability `arch` (90 for 9.0), or takes them from `cache`. `driver` names the driver in the cache.
/// Needs no device: NVRTC alone. Errors: it is not found, or does not take the sources.
pub fn compile_all(arch: u32, folders: &[PathBuf], cache: Option<&Path>, driver: &str) -> Result<Kernels> {
    let compiler = Nvrtc::load(folders)?;
    let (target, version) = (compiler.target(arch), compiler.version());
    // Files are independent: the longest decides.
    let results: Vec<Result<(Vec<u8>, bool)>> = thread::scope(|scope| {
        let compiler = &compiler;
        let version = &version;
        let one = |(file, text): &(&'static str, &str)| {
            let (file, source) = (*file, whole(text));
            scope.spawn(move || {
                let options = nvrtc::options(target).join(" ");
                let key = cache::key(&[&source, &options, version, driver]);
                if let Some(image) = cache.and_then(|folder| cache::read(folder, &key)) {
                    return Ok((image, false));
                }
                let image = compiler.compile(file, &source, target)?;
                if let Some(folder) = cache {
                    cache::write(folder, &key, &image);
                }
                Ok((image, true))
            })
        };
        let running: Vec<_> = FILES.iter().map(one).collect();
        running.into_iter().map(|thread| thread.join().expect("compiling does not panic")).collect()
    });
    let (mut images, mut compiled) = (Vec::new(), 0);
    for result in results {
        let (image, made) = result?;
        images.push(image);
        compiled += usize::from(made);
    }
    let sources: Vec<String> = FILES.iter().map(|(_, text)| whole(text)).collect();
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    let (target, source) = (target.to_string(), cache::key(&sources)[..12].to_owned());
    Ok(Kernels { images, target, nvrtc: version, nvrtc_path: compiler.path.clone(), source, compiled })
}

fn whole(text: &str) -> String {
    BEFORE.concat() + text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nvrtc::Target;

    #[test]
    fn a_target_is_named_as_the_compiler_wants_it() {
        assert_eq!(Target::Machine(90).to_string(), "sm_90");
        assert_eq!(Target::Portable(120).to_string(), "compute_120");
        assert!(nvrtc::options(Target::Machine(80)).contains(&"--fmad=false".to_owned()));
    }
}
