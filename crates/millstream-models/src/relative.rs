//! The bias of attention by relative position (Raffel and others 2020, as MPNet has it): near distances have a bucket each, farther ones share theirs, and the two directions are told apart.

use millstream_runtime::Device;
use millstream_tensor::Tensor;

use crate::error::Result;

/// Buckets, half of them for keys behind the query.
pub(crate) const BUCKETS: usize = 32;
/// Distances below this have a bucket each.
const NEAR: usize = 8;
/// Where the buckets of the others begin: `8 * 16^(i / 8)`, rounded up; the last has no end.
const FAR: [usize; 8] = [8, 12, 16, 23, 32, 46, 64, 91];

fn bucket(query: usize, key: usize) -> i64 {
    let distance = query.abs_diff(key);
    let of_half = match FAR.iter().filter(|from| **from <= distance).count() {
        0 => distance,
        n => NEAR + n - 1,
    };
    (of_half + if key > query { BUCKETS / 2 } else { 0 }) as i64
}

/// From the `[BUCKETS, heads]` of a file `[heads, positions, positions]`, made once: the corner of it is the bias of fewer tokens, since a bias depends on the distance alone. Errors: `Tensor`.
pub(crate) fn bias(device: &Device, table: &Tensor, positions: usize) -> Result<Tensor> {
    let buckets: Vec<i64> =
        (0..positions).flat_map(|query| (0..positions).map(move |key| bucket(query, key))).collect();
    let buckets = Tensor::from_slice(device, &buckets, &[positions * positions])?;
    let all = table.index_select(0, &buckets)?.transpose(0, 1)?.contiguous()?;
    Ok(all.reshape(&[table.shape()[1], positions, positions])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_widen_with_the_logarithm_of_the_distance() {
        for distance in 0..2_000usize {
            let wanted = match distance {
                0..NEAR => distance,
                // A distance at which a bucket begins is in it.
                _ => (8.0 + (distance as f64 / 8.0).ln() / 16f64.ln() * 8.0 + 1e-9).min(15.0) as usize,
            };
            assert_eq!(bucket(distance, 0), wanted as i64, "{distance}");
            let behind = if distance == 0 { 0 } else { wanted + 16 };
            assert_eq!(bucket(5, 5 + distance), behind as i64, "{distance}");
        }
    }
}
