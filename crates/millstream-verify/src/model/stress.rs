//! Figures of a stress run, with the samples that the pictures show.

use serde::{Deserialize, Serialize};

/// A stress run. The figures at the top are those of its first block of threads x iterations, as the console prints
/// them; [`Blocks`] holds the totals where more blocks followed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stress {
    /// Worker threads.
    pub threads: u64,
    /// Iterations of each thread.
    pub iterations_per_thread: u64,
    /// Iterations between two synchronizations.
    pub sync_every: u64,
    /// Side of the square matrices.
    pub size: u64,
    /// Iterations of all threads. 1 operation = 2 randn, matmul, sum, mean.
    pub operations: u64,
    /// From the start barrier to the last synchronize.
    pub seconds: f64,
    /// `operations / seconds`.
    pub ops_per_second: f64,
    /// Errors that operations returned.
    pub errors: u64,
    /// Values compared bit for bit with the sequential run.
    pub values_compared: u64,
    /// Values that differed.
    pub mismatches: u64,
    /// SHA-256 over the compared values in a fixed order; equal for equal configuration and numeric class.
    pub values_digest: String,
    /// Most threads seen inside an operation at once.
    pub max_concurrent: u64,
    /// Median latency of an operation, microseconds.
    pub p50_us: f64,
    /// 99th percentile of it, microseconds.
    pub p99_us: f64,
    /// Calls of the vendor's driver in the first block; absent where there is no driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver_calls: Option<DriverCalls>,
    /// The duration that was asked for, seconds; absent for one block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_seconds: Option<f64>,
    /// Totals over all blocks, this first one included; absent for one block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<Blocks>,
    /// Latency of the operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// A short sample of what ran when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
}

impl Stress {
    /// Errors over all blocks.
    pub fn total_errors(&self) -> u64 {
        self.blocks.as_ref().map_or(self.errors, |all| all.errors)
    }

    /// Mismatches over all blocks.
    pub fn total_mismatches(&self) -> u64 {
        self.blocks.as_ref().map_or(self.mismatches, |all| all.mismatches)
    }

    /// Operations over all blocks.
    pub fn total_operations(&self) -> u64 {
        self.blocks.as_ref().map_or(self.operations, |all| all.operations)
    }

    /// Values compared over all blocks.
    pub fn total_values_compared(&self) -> u64 {
        self.blocks.as_ref().map_or(self.values_compared, |all| all.values_compared)
    }

    /// True when nothing failed and nothing differed, in any block.
    pub fn passed(&self) -> bool {
        self.total_errors() == 0 && self.total_mismatches() == 0
    }
}

/// Calls of the vendor's driver, all threads together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriverCalls {
    /// Kernels, copies, marks and waits.
    pub enqueues: u64,
    /// Questions whether a mark is reached, also those of threads that wait.
    pub questions: u64,
    /// All others.
    pub others: u64,
}

/// Totals over all blocks of a stress run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Blocks {
    /// Number of blocks.
    pub count: u64,
    /// Iterations of all threads in all blocks.
    pub operations: u64,
    /// Seconds of all blocks.
    pub seconds: f64,
    /// Errors in all blocks.
    pub errors: u64,
    /// Values compared in all blocks.
    pub values_compared: u64,
    /// Values that differed in all blocks.
    pub mismatches: u64,
}

/// A histogram of latencies. The buckets touch: each begins where the one before ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Lower edge of the first bucket, microseconds.
    pub from_us: f64,
    /// Buckets in rising order.
    pub buckets: Vec<LatencyBucket>,
}

impl Latency {
    /// A histogram of samples in nanoseconds, in buckets that grow by an eighth root of two (9 %).
    /// `None` without samples.
    pub fn of_nanoseconds(samples: &[u64]) -> Option<Latency> {
        let least = *samples.iter().min()?;
        let index = |nanoseconds: u64| ((nanoseconds.max(1) as f64).log2() * 8.0).floor() as i64;
        let edge_us = |step: i64| 2f64.powf(step as f64 / 8.0) / 1_000.0;
        let first = index(least);
        let mut buckets: Vec<LatencyBucket> = Vec::new();
        for &sample in samples {
            // Not negative and below 256: a u64 has 64 powers of two.
            let place = (index(sample) - first) as usize;
            while buckets.len() <= place {
                let to_us = edge_us(first + buckets.len() as i64 + 1);
                buckets.push(LatencyBucket { to_us, count: 0 });
            }
            buckets[place].count += 1;
        }
        Some(Latency { from_us: edge_us(first), buckets })
    }
}

/// One bucket of a histogram.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyBucket {
    /// Upper edge, microseconds, not included.
    pub to_us: f64,
    /// Samples in it.
    pub count: u64,
}

/// A short sample of what ran on which stream, for the picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// One lane per stream.
    pub lanes: Vec<Lane>,
    /// Tensors that went from one stream to another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handovers: Vec<Handover>,
}

/// The spans of one stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// Number of the stream.
    pub stream: u32,
    /// What ran on it, in order.
    pub spans: Vec<Span>,
}

/// One operation on a stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Start, microseconds from the start of the sample.
    pub start_us: f64,
    /// End, microseconds from the start of the sample.
    pub end_us: f64,
    /// Name of the operation.
    pub name: String,
    /// Number of the submitting thread.
    pub thread: u64,
}

/// A tensor written on one stream and used on another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Handover {
    /// Stream that wrote it.
    pub from_stream: u32,
    /// When the write ended, microseconds.
    pub from_us: f64,
    /// Stream that used it.
    pub to_stream: u32,
    /// When the use began, microseconds.
    pub to_us: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histogram_counts_every_sample_inside_its_bucket() {
        let samples = [1_000, 1_001, 2_000, 64_000, 0];
        let latency = Latency::of_nanoseconds(&samples).unwrap();
        let total: u64 = latency.buckets.iter().map(|bucket| bucket.count).sum();
        assert_eq!(total, 5);
        let mut from = latency.from_us;
        for bucket in &latency.buckets {
            let inside = |us: f64| us >= from && us < bucket.to_us;
            let found = samples.iter().filter(|ns| inside(**ns.max(&&1) as f64 / 1_000.0)).count();
            assert_eq!(found as u64, bucket.count, "[{from}, {})", bucket.to_us);
            from = bucket.to_us;
        }
        assert_eq!(Latency::of_nanoseconds(&[]), None);
    }
}
