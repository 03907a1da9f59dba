//! What the kernels take: the structures of `kernels/*.cu`, field by field. The sizes on that side are asserted in the sources.

use millstream_hal::{DType, Scalar};

use super::walk::Walk;

/// `Elementwise` of elementwise.cu.
#[repr(C)]
pub(super) struct Elementwise<const N: usize> {
    pub(super) out: u64,
    pub(super) inputs: [u64; N],
    pub(super) op: u32,
    pub(super) to: u32,
    pub(super) walk: Walk<N>,
}

/// `Number` of number.cuh.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Number {
    real: f64,
    whole: i64,
    kind: u32,
    unused: u32,
}

impl Number {
    /// A number as it was written down.
    pub(super) fn of(value: Scalar) -> Self {
        let (real, whole, kind) = match value {
            Scalar::F64(x) => (x, 0, 0),
            Scalar::I64(x) => (0.0, x, 1),
            Scalar::Bool(x) => (0.0, i64::from(x), 2),
        };
        Self { real, whole, kind, unused: 0 }
    }

    /// The number as a float.
    pub(super) fn real(value: Scalar) -> Self {
        let real = match value {
            Scalar::F64(x) => x,
            Scalar::I64(x) => x as f64,
            Scalar::Bool(x) => f64::from(u8::from(x)),
        };
        Self::of(Scalar::F64(real))
    }

    /// The number as an integer, by the rules of hal's types.
    pub(super) fn whole(value: Scalar) -> Self {
        let whole = match value {
            Scalar::F64(x) => x as i64,
            Scalar::I64(x) => x,
            Scalar::Bool(x) => i64::from(x),
        };
        Self::of(Scalar::I64(whole))
    }
}

/// `Fill` of elementwise.cu.
#[repr(C)]
pub(super) struct Fill {
    out: u64,
    elements: u64,
    start: Number,
    step: Number,
    dtype: u32,
    unused: u32,
}

impl Fill {
    pub(super) fn new(out: u64, elements: usize, dtype: DType, start: Number, step: Number) -> Self {
        Self { out, elements: elements as u64, start, step, dtype: dtype as u32, unused: 0 }
    }
}

/// `Random` of random.cu.
#[repr(C)]
pub(super) struct Random {
    pub(super) out: u64,
    pub(super) elements: u64,
    pub(super) seed: u64,
    pub(super) sequence: u64,
    pub(super) offset: u64,
    pub(super) low: f32,
    pub(super) width: f32,
    pub(super) below_high: f32,
    pub(super) unused: u32,
}

/// `Reduce` of reduce.cu.
#[repr(C)]
pub(super) struct Reduce {
    pub(super) out: u64,
    pub(super) a: u64,
    pub(super) partials: u64,
    pub(super) counters: u64,
    pub(super) outputs: u64,
    pub(super) each: u64,
    pub(super) chunk: u64,
    pub(super) chunks: u32,
    pub(super) mean: u32,
    pub(super) split: u32,
    pub(super) unused: u32,
    pub(super) walk: Walk<1>,
}

/// `Fingerprint` of reduce.cu.
#[repr(C)]
pub(super) struct Fingerprint {
    pub(super) out: u64,
    pub(super) a: u64,
    pub(super) bytes: u64,
    pub(super) sum: u64,
    pub(super) counter: u64,
}

/// Most batch axes of a product.
pub(super) const BATCH_DIMS: usize = millstream_hal::MAX_DIMS - 2;

/// `Matmul` of matmul.cu.
#[repr(C)]
#[derive(Debug, Default)]
pub(super) struct Matmul {
    pub(super) out: u64,
    pub(super) a: u64,
    pub(super) b: u64,
    pub(super) batch: u64,
    pub(super) m: u32,
    pub(super) n: u32,
    pub(super) k: u32,
    pub(super) columns: u32,
    pub(super) a_row: u32,
    pub(super) a_col: u32,
    pub(super) b_row: u32,
    pub(super) b_col: u32,
    pub(super) batch_dims: u32,
    pub(super) a_along_m: u32,
    pub(super) b_along_k: u32,
    pub(super) unused: u32,
    pub(super) sizes: [u32; BATCH_DIMS],
    pub(super) a_batch: [u32; BATCH_DIMS],
    pub(super) b_batch: [u32; BATCH_DIMS],
}

/// `IndexSelect` of layers.cu.
#[repr(C)]
pub(super) struct IndexSelect {
    pub(super) out: u64,
    pub(super) table: u64,
    pub(super) indices: u64,
    pub(super) rows: u64,
    pub(super) width: u64,
    pub(super) elements: u64,
}

/// `AddBias` of layers.cu.
#[repr(C)]
pub(super) struct AddBias {
    pub(super) out: u64,
    pub(super) a: u64,
    pub(super) bias: u64,
    pub(super) width: u64,
    pub(super) op: u32,
    pub(super) unused: u32,
    pub(super) walk: Walk<1>,
}

/// `LayerNorm` of layers.cu.
#[repr(C)]
pub(super) struct LayerNorm {
    pub(super) out: u64,
    pub(super) a: u64,
    /// 0 for none.
    pub(super) residual: u64,
    pub(super) weight: u64,
    pub(super) bias: u64,
    pub(super) rows: u64,
    pub(super) width: u64,
    pub(super) epsilon: f32,
    pub(super) unused: u32,
}

/// `Attention` of layers.cu.
#[repr(C)]
pub(super) struct Attention {
    pub(super) out: u64,
    pub(super) inputs: [u64; 3],
    /// 0 for none.
    pub(super) mask: u64,
    /// 0 for none.
    pub(super) bias: u64,
    pub(super) batch: u64,
    pub(super) tokens: u32,
    pub(super) heads: u32,
    pub(super) width: u32,
    pub(super) scale: f32,
    /// Of sequences, tokens and heads.
    pub(super) strides: [[u32; 3]; 3],
    pub(super) unused: u32,
}

/// `Aid` of aids.cu.
#[repr(C)]
pub(super) struct Aid {
    pub(super) out: u64,
    pub(super) words: u64,
    pub(super) nanoseconds: u64,
}

/// `Carry` of aids.cu.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Carry {
    pub(super) to: u64,
    pub(super) from: u64,
    pub(super) bytes: u64,
}

impl Carry {
    pub(super) fn new(staging: u64, to: usize, a: u64, from: usize, bytes: usize) -> Self {
        Self { to: staging + to as u64, from: a + from as u64, bytes: bytes as u64 }
    }
}

/// Most pieces of a [`CarryAll`]: a kernel's parameter has at most 4096 bytes.
pub(super) const CARRIES: usize = 128;

/// `CarryAll` of aids.cu.
#[repr(C)]
pub(super) struct CarryAll {
    pub(super) pieces: [Carry; CARRIES],
}

impl Default for CarryAll {
    fn default() -> Self {
        Self { pieces: [Carry::default(); CARRIES] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_structure_has_the_size_that_the_sources_assert() {
        let sources: String = crate::compile::FILES.iter().map(|(_, text)| *text).collect();
        let sizes = [
            ("Elementwise<1>", size_of::<Elementwise<1>>()),
            ("Elementwise<2>", size_of::<Elementwise<2>>()),
            ("Elementwise<3>", size_of::<Elementwise<3>>()),
            ("Fill", size_of::<Fill>()),
            ("Random", size_of::<Random>()),
            ("Reduce", size_of::<Reduce>()),
            ("Fingerprint", size_of::<Fingerprint>()),
            ("Matmul", size_of::<Matmul>()),
            ("IndexSelect", size_of::<IndexSelect>()),
            ("AddBias", size_of::<AddBias>()),
            ("LayerNorm", size_of::<LayerNorm>()),
            ("Attention", size_of::<Attention>()),
            ("Aid", size_of::<Aid>()),
            ("Carry", size_of::<Carry>()),
            ("CarryAll", size_of::<CarryAll>()),
        ];
        for (name, size) in sizes {
            let wanted = format!("static_assert(sizeof({name}) == {size},");
            assert!(sources.contains(&wanted), "{wanted}");
        }
    }

    #[test]
    fn integers_of_a_range_are_taken_by_the_rules_of_types() {
        assert_eq!(Number::whole(Scalar::F64(-2.9)), Number::of(Scalar::I64(-2)));
        assert_eq!(Number::whole(Scalar::F64(f64::NAN)), Number::of(Scalar::I64(0)));
        assert_eq!(Number::real(Scalar::Bool(true)), Number::of(Scalar::F64(1.0)));
    }
}
