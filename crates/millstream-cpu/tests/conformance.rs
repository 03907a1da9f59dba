//! The cpu passes the suite, with the calling threads as streams and with a worker per stream.

use millstream_conformance::conformance_suite;
use millstream_cpu::{CpuBackend, CpuOptions};
use millstream_sync::Arc;

conformance_suite!(inline, || Arc::new(CpuBackend::new(CpuOptions::inline())));
conformance_suite!(queued, || Arc::new(CpuBackend::new(CpuOptions::queued())));
