//! Rounds on one's own code: twenty threads share the weights of a small classifier, and every score is compared with those of one thread.
//!
//! ```text
//! cargo run --release -p millstream-verify --example own_code
//! ```

use std::error::Error;

use millstream::{Generator, Tensor, cpu};
use millstream_verify::own_code::Rounds;

fn main() -> Result<(), Box<dyn Error>> {
    let device = cpu::open()?;
    let weights = Tensor::randn(&device, &[256, 10], &mut Generator::new(7))?;
    let report = Rounds::new(3).device(&device).workload(move |work| {
        let x = Tensor::randn(work.device, &[32, 256], &mut work.generator)?;
        Ok(vec![x.matmul(&weights)?.relu()?])
    });
    let report = report.run()?;
    println!("{report}");
    if report.is_clean() { Ok(()) } else { Err("the rounds were not clean".into()) }
}
