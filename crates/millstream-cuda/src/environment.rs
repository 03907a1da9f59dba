//! What the driver reads from the environment when it starts: set before its first call, unless the user has set it.
#![expect(unsafe_code, reason = "the environment belongs to the process")]

/// Names and values. With fewer hardware queues than streams, streams wait for each other without need (measured on an H200 at 20 threads: 115,000 iterations a second
/// with the driver's 8, 134,000 with 32); kernels that are loaded at their first launch stop the device.
const WANTED: [(&str, &str); 2] = [("CUDA_DEVICE_MAX_CONNECTIONS", "32"), ("CUDA_MODULE_LOADING", "EAGER")];

/// Sets what the user has not set. Has an effect on the first device of the process alone.
pub(crate) fn prepare() {
    for (name, value) in WANTED {
        if std::env::var_os(name).is_none() {
            // SAFETY: asks that no other thread reads or writes the environment meanwhile but through the standard library, whose lock this call takes. Foreign code that
            // calls getenv in another thread at this moment is beyond us: the front door says to open the first device before such threads start.
            unsafe { std::env::set_var(name, value) };
        }
    }
}
