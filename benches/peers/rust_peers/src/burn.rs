//! burn with Flex, the CPU backend that it recommends since 0.22. A clone of a tensor there is a counted handle.

use burn_tensor::{Device, Distribution, Tensor};

use crate::{Peer, Result};

pub const VERSION: &str = "0.22.1";

#[derive(Clone)]
pub struct Burn {
    device: Device,
}

impl Default for Burn {
    fn default() -> Self {
        Self { device: Device::flex() }
    }
}

impl Peer for Burn {
    type Tensor = Tensor<2>;
    type Scalar = Tensor<1>;
    fn randn(&self, shape: &[usize; 2]) -> Result<Tensor<2>> {
        Ok(Tensor::random(*shape, Distribution::Normal(0.0, 1.0), &self.device))
    }
    fn matmul(&self, a: &Tensor<2>, b: &Tensor<2>) -> Result<Tensor<2>> {
        Ok(a.clone().matmul(b.clone()))
    }
    fn sum(&self, a: &Tensor<2>) -> Result<Tensor<1>> {
        Ok(a.clone().sum())
    }
    fn mean(&self, a: &Tensor<2>) -> Result<Tensor<1>> {
        Ok(a.clone().mean())
    }
    fn read(&self, scalar: Tensor<1>) -> Result<f32> {
        Ok(scalar.into_scalar())
    }
}
