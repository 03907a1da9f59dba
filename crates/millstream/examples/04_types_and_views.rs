//! Element types, views and broadcasting: a picture of bytes is normalised in f32, cut and turned without a copy, and stored in f16.
//!
//! Nothing is promoted: a byte tensor and a float tensor do not add, and the error says so. A number beside a tensor takes the tensor's type.
//!
//! `cargo run --release --example 04_types_and_views`

use millstream::{DType, Error, Result, Tensor, cpu, f16};

const SIZE: usize = 6;

/// Runs the example. Errors: those of the library; a wrong value panics.
pub fn main() -> Result<()> {
    let device = cpu::open()?;
    // A picture of bytes, [rows, columns, colours].
    let bytes: Vec<u8> = (0..SIZE * SIZE * 3).map(|i| (i * 2) as u8).collect();
    let picture = Tensor::from_slice(&device, &bytes, &[SIZE, SIZE, 3])?;

    // Another type is asked for, never guessed.
    let offset = Tensor::from_slice(&device, &[0.1f32, 0.2, 0.3], &[3])?;
    match picture.sub(&offset) {
        Err(error @ Error::MixedDTypes { .. }) => println!("refused: {error}"),
        other => panic!("a byte is no float: {other:?}"),
    }
    // [rows, columns, 3] and [3] broadcast.
    let normal = picture.to_dtype(DType::F32)?.div(255.0)?.sub(&offset)?;

    // A window with the colours first: two views, no copy, and the same position in the stream.
    let window = normal.narrow(0, 1, 4)?.narrow(1, 2, 3)?.permute(&[2, 0, 1])?;
    assert_eq!((window.shape(), window.stamp()), (vec![3, 4, 3], normal.stamp()));
    let expected = f32::from(bytes[(SIZE + 2) * 3]) / 255.0 - 0.1;
    assert_eq!(window.to_vec::<f32>()?[0].to_bits(), expected.to_bits());

    // Dark places become 0, the rest is stored in half the bytes.
    let bright = window.gt(0.2)?.where_cond(&window, 0.0)?.to_dtype(DType::F16)?;
    assert!(bright.to_vec::<f16>()?.iter().all(|x| *x == f16::ZERO || x.to_f32() > 0.19));
    println!("{}", bright.narrow(0, 0, 1)?);
    Ok(())
}
