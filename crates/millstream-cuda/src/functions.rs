//! The kernels of a device by what they compute: one handle each, looked up once.

use std::ffi::CString;

use millstream_hal::{DType, ReduceOp};

use crate::driver::{Answer, Driver, Handle};
use crate::unheard;

/// Tiles of an f32 product, by their columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tile {
    Small = 32,
    Middle = 64,
    Large = 128,
}

/// All kernels.
#[derive(Debug)]
pub(crate) struct Functions {
    modules: Vec<Handle>,
    unary: [Handle; 7],
    binary: [Handle; 7],
    select: [Handle; 4],
    copy: [Handle; 4],
    pub(crate) cast: Handle,
    pub(crate) fill: Handle,
    pub(crate) arange: Handle,
    pub(crate) randn: Handle,
    pub(crate) uniform: Handle,
    /// By fold, type, and whether in rows or in chunks.
    reduce: [[[Handle; 2]; 7]; 3],
    pub(crate) fingerprint: Handle,
    /// By tile, and whether with edges.
    products: [[Handle; 2]; 3],
    product: [Handle; 7],
    index_select: [Handle; 4],
    add_bias: [Handle; 7],
    layer_norm: [Handle; 7],
    attention: [Handle; 7],
    pub(crate) poison: Handle,
    pub(crate) carry: Handle,
    pub(crate) carry_all: Handle,
    pub(crate) spin: Handle,
}

impl Functions {
    /// Loads the modules and looks all kernels up. The calling thread is bound.
    pub(crate) fn load(driver: &Driver, images: &[Vec<u8>]) -> Answer<Self> {
        let modules = images.iter().map(|image| driver.load_module(image)).collect::<Answer<Vec<_>>>()?;
        let [elementwise, random, reduce, matmul, layers, aids]: [Handle; 6] = std::array::from_fn(|i| modules[i]);
        let get = |module: Handle, name: &str| {
            let name = CString::new(name).expect("names of kernels have no zero byte");
            driver.function(module, &name)
        };
        let of_types = |module: Handle, prefix: &str, takes: &dyn Fn(DType) -> bool| -> Answer<[Handle; 7]> {
            let mut all = [0; 7];
            for (dtype, to) in DType::ALL.into_iter().zip(&mut all) {
                if takes(dtype) {
                    *to = get(module, &format!("{prefix}_{}", dtype.name()))?;
                }
            }
            Ok(all)
        };
        let of_sizes = |module: Handle, prefix: &str| -> Answer<[Handle; 4]> {
            let mut all = [0; 4];
            for (i, to) in all.iter_mut().enumerate() {
                *to = get(module, &format!("{prefix}_{}", 1 << i))?;
            }
            Ok(all)
        };
        let mut reduces = [[[0; 2]; 7]; 3];
        for (fold, of_fold) in ["sum", "max", "argmax"].iter().zip(&mut reduces) {
            for (way, prefix) in ["rows", "chunks"].iter().enumerate() {
                let all = of_types(reduce, &format!("{prefix}_{fold}"), &|_| true)?;
                of_fold.iter_mut().zip(all).for_each(|(to, function)| to[way] = function);
            }
        }
        let mut products = [[0; 2]; 3];
        for (tile, to) in [Tile::Small, Tile::Middle, Tile::Large].into_iter().zip(&mut products) {
            let side = tile as u32;
            *to = [get(matmul, &format!("matmul_{side}"))?, get(matmul, &format!("matmul_{side}_edge"))?];
        }
        Ok(Self {
            unary: of_types(elementwise, "unary", &DType::is_number)?,
            binary: of_types(elementwise, "binary", &|_| true)?,
            select: of_sizes(elementwise, "where")?,
            copy: of_sizes(elementwise, "copy")?,
            cast: get(elementwise, "cast")?,
            fill: get(elementwise, "fill")?,
            arange: get(elementwise, "arange")?,
            randn: get(random, "randn")?,
            uniform: get(random, "uniform")?,
            reduce: reduces,
            fingerprint: get(reduce, "fingerprint")?,
            products,
            product: of_types(matmul, "matmul", &|dtype| {
                matches!(dtype, DType::F64 | DType::F16 | DType::BF16 | DType::I64)
            })?,
            index_select: of_sizes(layers, "index_select")?,
            add_bias: of_types(layers, "add_bias", &DType::is_float)?,
            layer_norm: of_types(layers, "layer_norm", &DType::is_float)?,
            attention: of_types(layers, "attention", &DType::is_float)?,
            poison: get(aids, "poison")?,
            carry: get(aids, "carry")?,
            carry_all: get(aids, "carry_all")?,
            spin: get(aids, "spin")?,
            modules,
        })
    }

    pub(crate) fn unary(&self, dtype: DType) -> Handle {
        self.unary[dtype as usize]
    }

    pub(crate) fn binary(&self, dtype: DType) -> Handle {
        self.binary[dtype as usize]
    }

    pub(crate) fn select(&self, dtype: DType) -> Handle {
        self.select[dtype.bytes().trailing_zeros() as usize]
    }

    pub(crate) fn copy(&self, dtype: DType) -> Handle {
        self.copy[dtype.bytes().trailing_zeros() as usize]
    }

    pub(crate) fn reduce(&self, op: ReduceOp, dtype: DType, in_chunks: bool) -> Handle {
        let fold = match op {
            ReduceOp::Sum | ReduceOp::Mean => 0,
            ReduceOp::Max => 1,
            ReduceOp::ArgMax => 2,
        };
        self.reduce[fold][dtype as usize][usize::from(in_chunks)]
    }

    pub(crate) fn product_f32(&self, tile: Tile, edges: bool) -> Handle {
        self.products[tile as usize / 64][usize::from(edges)]
    }

    pub(crate) fn product(&self, dtype: DType) -> Handle {
        self.product[dtype as usize]
    }

    pub(crate) fn index_select(&self, dtype: DType) -> Handle {
        self.index_select[dtype.bytes().trailing_zeros() as usize]
    }

    pub(crate) fn add_bias(&self, dtype: DType) -> Handle {
        self.add_bias[dtype as usize]
    }

    pub(crate) fn layer_norm(&self, dtype: DType) -> Handle {
        self.layer_norm[dtype as usize]
    }

    pub(crate) fn attention(&self, dtype: DType) -> Handle {
        self.attention[dtype as usize]
    }

    /// Unloads the modules. No kernel runs any more.
    pub(crate) fn end(&self, driver: &Driver) {
        for module in &self.modules {
            unheard::keep(driver, "a module was unloaded", driver.unload_module(*module));
        }
    }
}
