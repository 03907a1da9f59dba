//! candle's CPU device. Its mean is a sum and a division, its products are those of the crate gemm.

use candle_core::{Device, Tensor};

use crate::{Peer, Result};

pub const VERSION: &str = "0.11.1";

#[derive(Clone)]
pub struct Candle;

impl Peer for Candle {
    type Tensor = Tensor;
    type Scalar = Tensor;
    fn randn(&self, shape: &[usize; 2]) -> Result<Tensor> {
        Ok(Tensor::randn(0f32, 1f32, (shape[0], shape[1]), &Device::Cpu)?)
    }
    fn matmul(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        Ok(a.matmul(b)?)
    }
    fn sum(&self, a: &Tensor) -> Result<Tensor> {
        Ok(a.sum_all()?)
    }
    fn mean(&self, a: &Tensor) -> Result<Tensor> {
        Ok(a.mean_all()?)
    }
    fn read(&self, scalar: Tensor) -> Result<f32> {
        Ok(scalar.to_scalar::<f32>()?)
    }
}
