//! Host types of elements: which Rust type holds which element type, and its bytes. Not for users to add to: a type is a word that every kernel knows.

use half::{bf16, f16};
use millstream_hal::DType;

/// A Rust type that holds an element of a tensor: f32, f64, [`half::f16`], [`half::bf16`], i64, u8, bool.
pub trait Element: sealed::Bytes + Copy + Default + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// The element type that it holds.
    const DTYPE: DType;
}

mod sealed {
    pub trait Bytes: Sized {
        /// The elements as they lie on a device.
        fn to_bytes(elements: &[Self]) -> Vec<u8>;

        /// The elements that lie in `bytes`; an incomplete one at the end is left out.
        fn of_bytes(bytes: &[u8]) -> Vec<Self>;

        /// The element that lies in the first of `bytes`.
        fn of_word(bytes: [u8; 8]) -> Self;
    }
}

macro_rules! elements {
    ($($type:ty: $dtype:ident),*) => {$(
        impl Element for $type {
            const DTYPE: DType = DType::$dtype;
        }

        impl sealed::Bytes for $type {
            fn to_bytes(elements: &[Self]) -> Vec<u8> {
                let mut bytes = vec![0; size_of_val(elements)];
                let (words, _) = bytes.as_chunks_mut::<{ DType::$dtype.bytes() }>();
                for (to, element) in words.iter_mut().zip(elements) {
                    *to = element.to_le_bytes();
                }
                bytes
            }

            fn of_bytes(bytes: &[u8]) -> Vec<Self> {
                let (words, _) = bytes.as_chunks::<{ DType::$dtype.bytes() }>();
                words.iter().map(|word| <$type>::from_le_bytes(*word)).collect()
            }

            fn of_word(bytes: [u8; 8]) -> Self {
                <$type>::from_le_bytes(std::array::from_fn(|i| bytes[i]))
            }
        }
    )*};
}

elements!(f32: F32, f64: F64, f16: F16, bf16: BF16, i64: I64, u8: U8);

impl Element for bool {
    const DTYPE: DType = DType::Bool;
}

impl sealed::Bytes for bool {
    fn to_bytes(elements: &[Self]) -> Vec<u8> {
        elements.iter().map(|element| u8::from(*element)).collect()
    }

    fn of_bytes(bytes: &[u8]) -> Vec<Self> {
        bytes.iter().map(|byte| *byte != 0).collect()
    }

    fn of_word(bytes: [u8; 8]) -> Self {
        bytes[0] != 0
    }
}
