//! Every kernel compiles, where NVRTC is: it needs no device. Where it is not, the test says so; `MILLSTREAM_NVRTC_REQUIRED=1` makes that a failure.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use millstream_cuda::{OpenError, compile_all};

#[test]
fn every_kernel_compiles_for_the_devices_of_today() {
    for arch in [80, 90] {
        match compile_all(arch, &[], None, "none") {
            Ok(kernels) => {
                assert_eq!(
                    (kernels.compiled, kernels.target.as_str()),
                    (kernels.images.len(), format!("sm_{arch}").as_str())
                );
                println!(
                    "compiled for {} by NVRTC {} of {}",
                    kernels.target,
                    kernels.nvrtc,
                    kernels.nvrtc_path.display()
                );
            }
            Err(error @ OpenError::LibraryNotFound(_)) => {
                let required = std::env::var_os("MILLSTREAM_NVRTC_REQUIRED").is_some();
                assert!(!required, "{error}");
                println!("kernels: not compiled: {error}");
                return;
            }
            Err(error) => panic!("{error}"),
        }
    }
}
