//! Layers of networks: rows of a table, a bias with what follows it, normalised rows, attention. All in `f64` and in index order.

use millstream_hal::{DType, Layout, UnaryOp};

use super::elementwise::unary_of_float;
use super::number::{Number, read, write};
use super::positions::positions;

pub(super) fn index_select(dtype: DType, [rows, width, count]: [usize; 3], out: &mut [u8], inputs: &[&[u8]]) {
    let bytes = width * dtype.bytes();
    for i in 0..count {
        let index = usize::try_from(read(DType::I64, inputs[1], i).int()).ok().filter(|index| *index < rows);
        let to = &mut out[i * bytes..(i + 1) * bytes];
        match index {
            Some(index) => to.copy_from_slice(&inputs[0][index * bytes..(index + 1) * bytes]),
            None => to.fill(0),
        }
    }
}

pub(super) fn add_bias(
    dtype: DType,
    a: &Layout,
    width: usize,
    activation: Option<UnaryOp>,
    out: &mut [u8],
    inputs: &[&[u8]],
) {
    for (i, at) in positions(a).enumerate() {
        let sum = read(dtype, inputs[0], at).float() + read(dtype, inputs[1], i % width).float();
        write(dtype, out, i, Number::Float(activation.map_or(sum, |op| unary_of_float(op, sum))));
    }
}

pub(super) fn layer_norm(
    dtype: DType,
    [rows, width]: [usize; 2],
    epsilon: f64,
    residual: bool,
    out: &mut [u8],
    inputs: &[&[u8]],
) {
    let at = |input: usize, i: usize| read(dtype, inputs[input], i).float();
    let (weight, bias) = if residual { (2, 3) } else { (1, 2) };
    for row in 0..rows {
        let x: Vec<f64> =
            (row * width..(row + 1) * width).map(|i| if residual { at(0, i) + at(1, i) } else { at(0, i) }).collect();
        let mean = x.iter().sum::<f64>() / width as f64;
        let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / width as f64;
        for (j, x) in x.iter().enumerate() {
            let value = (x - mean) / (variance + epsilon).sqrt() * at(weight, j) + at(bias, j);
            write(dtype, out, row * width + j, Number::Float(value));
        }
    }
}

pub(super) fn attention(
    dtype: DType,
    views: &[Layout; 3],
    scale: f64,
    out: &mut [u8],
    inputs: &[&[u8]],
    [mask, bias]: [Option<&[u8]>; 2],
) {
    let [batch, tokens, heads, width] = std::array::from_fn(|axis| views[0].size(axis));
    if width == 0 {
        // No element is written and none is read, of mask and bias either.
        return;
    }
    let [q, k, v]: [Vec<f64>; 3] =
        std::array::from_fn(|n| positions(&views[n]).map(|at| read(dtype, inputs[n], at).float()).collect());
    let at = |sequence: usize, token: usize, head: usize| ((sequence * tokens + token) * heads + head) * width;
    for row in 0..batch * tokens * heads {
        let (sequence, query, head) = (row / heads / tokens, row / heads % tokens, row % heads);
        let of_query = &q[at(sequence, query, head)..][..width];
        let score = |key: usize| {
            let product: f64 = of_query.iter().zip(&k[at(sequence, key, head)..]).map(|(x, y)| x * y).sum();
            let place = (head * tokens + query) * tokens + key;
            product * scale + bias.map_or(0.0, |bias| read(dtype, bias, place).float())
        };
        let (keys, scores): (Vec<usize>, Vec<f64>) = (0..tokens)
            .filter(|key| mask.is_none_or(|mask| read(DType::Bool, mask, sequence * tokens + key).truth()))
            .map(|key| (at(sequence, key, head), score(key)))
            .filter(|(_, score)| *score != f64::NEG_INFINITY)
            .unzip();
        let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = scores.iter().map(|score| (score - most).exp()).sum();
        for j in 0..width {
            let sum: f64 = keys.iter().zip(&scores).map(|(key, score)| (score - most).exp() * v[key + j]).sum();
            // Nothing to look at gives nothing.
            write(dtype, out, row * width + j, Number::Float(if keys.is_empty() { 0.0 } else { sum / total }));
        }
    }
}

#[cfg(test)]
mod tests {
    use millstream_hal::{Kernel, Views};

    use super::*;
    use crate::interpreter::interpret;
    use crate::testing::{bytes_of, floats_of};

    #[test]
    fn rows_are_chosen_by_number_and_a_row_that_is_not_there_is_zeros() {
        let table = bytes_of(&[1.0, 2.0, 3.0, 4.0]);
        let indices: Vec<u8> = [1i64, -1, 0, 2].iter().flat_map(|x| x.to_le_bytes()).collect();
        let mut out = [7u8; 32];
        let kernel = Kernel::IndexSelect { dtype: DType::F32, rows: 2, width: 2, count: 4 };
        interpret(&kernel, &mut out, &[&table, &indices]).unwrap();
        assert_eq!(floats_of(&out), [3.0, 4.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0]);
    }

    #[test]
    fn a_row_is_centred_and_scaled() {
        let (a, ones, bias) = (bytes_of(&[1.0, 3.0]), bytes_of(&[1.0, 2.0]), bytes_of(&[0.0, 5.0]));
        let mut out = [0u8; 8];
        let kernel = |residual| Kernel::LayerNorm { dtype: DType::F32, rows: 1, width: 2, epsilon: 0.0, residual };
        interpret(&kernel(false), &mut out, &[&a, &ones, &bias]).unwrap();
        assert_eq!(floats_of(&out), [-1.0, 7.0]);
        // 1 + 3 and 3 - 1 are the same two numbers in the other order.
        interpret(&kernel(true), &mut out, &[&a, &bytes_of(&[3.0, -1.0]), &ones, &bias]).unwrap();
        assert_eq!(floats_of(&out), [1.0, 3.0]);
    }

    #[test]
    fn attention_weighs_by_the_exponential_of_the_scores() {
        let view = Layout::contiguous(&[1, 2, 1, 1]).unwrap();
        let views = Views::new([view; 3]).unwrap();
        let (q, k, v) = (bytes_of(&[1.0, 0.0]), bytes_of(&[0.0, 3f32.ln()]), bytes_of(&[4.0, 8.0]));
        let mut out = [0u8; 8];
        let kernel = |masked, biased| Kernel::Attention { dtype: DType::F32, views, scale: 1.0, masked, biased };
        interpret(&kernel(false, false), &mut out, &[&q, &k, &v]).unwrap();
        // Weights 1/4 and 3/4, then equal ones.
        assert_eq!(floats_of(&out), [7.0, 6.0]);
        interpret(&kernel(true, false), &mut out, &[&q, &k, &v, &[1, 0]]).unwrap();
        assert_eq!(floats_of(&out), [4.0, 4.0]);
        interpret(&kernel(true, false), &mut out, &[&q, &k, &v, &[0, 0]]).unwrap();
        assert_eq!(floats_of(&out), [0.0, 0.0]);
        // What is added to the second score of the first query makes its weights equal; minus infinity leaves the first key out.
        let bias = bytes_of(&[0.0, -3.0f32.ln(), f32::NEG_INFINITY, 0.0]);
        interpret(&kernel(false, true), &mut out, &[&q, &k, &v, &bias]).unwrap();
        assert_eq!(floats_of(&out), [6.0, 8.0]);
        interpret(&kernel(true, true), &mut out, &[&q, &k, &v, &[1, 0], &bias]).unwrap();
        assert_eq!(floats_of(&out), [4.0, 0.0]);
    }

    #[test]
    fn an_activation_follows_the_sum() {
        let mut out = [0u8; 16];
        let a = Layout::contiguous(&[2, 2]).unwrap();
        let kernel = Kernel::AddBias { dtype: DType::F32, a, width: 2, activation: Some(UnaryOp::Relu) };
        interpret(&kernel, &mut out, &[&bytes_of(&[1.0, -1.0, -9.0, 2.0]), &bytes_of(&[0.5, 0.25])]).unwrap();
        assert_eq!(floats_of(&out), [1.5, 0.0, 0.0, 2.25]);
    }
}
