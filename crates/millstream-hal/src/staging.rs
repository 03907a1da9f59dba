//! Host memory that the device can copy from and to.

/// Host memory for transfers, from [`crate::Backend::allocate_staging`]. Its reuse needs *completion* of the work that names it,
/// not stream order, since the host itself reads and writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawStaging {
    /// Host address of the first byte, aligned to 64.
    pub host: u64,
    /// Size in bytes.
    pub bytes: usize,
}
