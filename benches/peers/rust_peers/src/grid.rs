//! Single operations on one thread: seconds of a product by size, and of a sum and a mean that are read on the host, by elements. The shortest of a few batches, since a busy machine only adds.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use crate::{Peer, Result};

const SIZES: [usize; 5] = [64, 128, 256, 512, 1024];
/// Rows and columns of what is reduced.
const SHAPES: [[usize; 2]; 4] = [[64, 64], [256, 256], [1024, 1024], [4096, 1024]];
const BATCHES: usize = 5;
const BATCH_SECONDS: f64 = 0.03;

fn shortest(mut once: impl FnMut() -> Result<()>) -> Result<f64> {
    once()?;
    let begun = Instant::now();
    once()?;
    let calls = (BATCH_SECONDS / begun.elapsed().as_secs_f64().max(1e-7)).clamp(1.0, 1e5) as usize;
    let mut best = f64::MAX;
    for _ in 0..BATCHES {
        let begun = Instant::now();
        for _ in 0..calls {
            once()?;
        }
        best = best.min(begun.elapsed().as_secs_f64() / calls as f64);
    }
    Ok(best)
}

pub fn run<P: Peer>(peer: &P) -> Result<String> {
    let mut text = String::from("{\"matmul\":{");
    for (i, size) in SIZES.into_iter().enumerate() {
        let (a, b) = (peer.randn(&[size, size])?, peer.randn(&[size, size])?);
        let seconds = shortest(|| {
            black_box(peer.matmul(&a, &b)?);
            Ok(())
        })?;
        write!(text, "{}\"{size}\":{seconds}", if i > 0 { "," } else { "" })?;
    }
    text.push('}');
    for name in ["sum", "mean"] {
        write!(text, ",\"{name}\":{{")?;
        for (i, shape) in SHAPES.iter().enumerate() {
            let a = peer.randn(shape)?;
            let seconds = shortest(|| {
                let scalar = if name == "sum" { peer.sum(&a)? } else { peer.mean(&a)? };
                black_box(peer.read(scalar)?);
                Ok(())
            })?;
            write!(text, "{}\"{}\":{seconds}", if i > 0 { "," } else { "" }, shape[0] * shape[1])?;
        }
        text.push('}');
    }
    text.push('}');
    Ok(text)
}
