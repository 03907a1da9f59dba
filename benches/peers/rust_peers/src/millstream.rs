//! Millstream, for the grids: one thread, no helpers.

use std::sync::atomic::{AtomicU64, Ordering};

use millstream::{Device, Generator, Tensor, cpu};

use crate::{Peer, Result};

static DRAWS: AtomicU64 = AtomicU64::new(0);

#[derive(Clone)]
pub struct Millstream {
    device: Device,
}

impl Millstream {
    pub fn open() -> Result<Self> {
        let options = cpu::CpuOptions { threads: Some(1), ..cpu::CpuOptions::inline() };
        Ok(Self { device: cpu::open_with(options, |_| {})? })
    }
}

impl Peer for Millstream {
    type Tensor = Tensor;
    type Scalar = Tensor;
    fn randn(&self, shape: &[usize; 2]) -> Result<Tensor> {
        let mut generator = Generator::new(1).split(DRAWS.fetch_add(1, Ordering::Relaxed));
        Ok(Tensor::randn(&self.device, shape, &mut generator)?)
    }
    fn matmul(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        Ok(a.matmul(b)?)
    }
    fn sum(&self, a: &Tensor) -> Result<Tensor> {
        Ok(a.sum()?)
    }
    fn mean(&self, a: &Tensor) -> Result<Tensor> {
        Ok(a.mean()?)
    }
    fn read(&self, scalar: Tensor) -> Result<f32> {
        Ok(scalar.item::<f32>()?)
    }
}
