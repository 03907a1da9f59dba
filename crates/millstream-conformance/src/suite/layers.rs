//! Layers of networks: rows of a table, a bias with what follows it, normalised rows, attention.
//!
//! Rows of a table are the same bits. The others are computed in the type that `computed_epsilon` names and rounded once; each bound follows the roundings through the formula, with sums in
//! lanes of 64 elements at the least.

use millstream_hal::{DType, Kernel, Layout, UnaryOp, Views};

use super::Make;
use super::elementwise::assert_unary;
use super::rig::{Lane, Rig, layout};
use super::typed::{Lie, assert_exact, assert_near, both, computed_epsilon, elements, floats, some_views, tame};
use crate::interpreter::number::{Number, write};

const FLOATS: [DType; 4] = [DType::F32, DType::F64, DType::F16, DType::BF16];

fn with_device(make: Make<'_>, work: impl FnOnce(&Rig, &mut Lane)) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    work(&rig, &mut lane);
    lane.end();
    rig.end();
}

fn bytes_of(dtype: DType, n: usize, value: impl Fn(usize) -> f64) -> Vec<u8> {
    let mut bytes = vec![0; n * dtype.bytes()];
    (0..n).for_each(|i| write(dtype, &mut bytes, i, Number::Float(value(i))));
    bytes
}

pub(super) fn rows_are_chosen_by_number(make: Make<'_>) {
    with_device(make, |rig, lane| {
        for dtype in DType::ALL {
            for [rows, width, count] in
                [[1, 1, 1], [5, 3, 9], [70, 384, 41], [4, 0, 3], [0, 4, 3], [3, 4, 0], [2, 1_000, 400]]
            {
                let table = elements(dtype, 3, rows * width);
                // One before the first, one behind the last, and far away.
                let index = |i: usize| match i % 11 {
                    3 => -1,
                    7 => rows as i64,
                    9 => i64::MIN + i as i64,
                    _ => (i * 7 % rows.max(1)) as i64,
                };
                let indices: Vec<u8> = (0..count).flat_map(|i| index(count - 1 - i).to_le_bytes()).collect();
                let kernel = Kernel::IndexSelect { dtype, rows, width, count };
                let [got, wanted] = both(rig, lane, &kernel, &[&table, &indices]);
                assert!(got == wanted, "{kernel:?} took other bits");
            }
        }
    });
}

pub(super) fn a_bias_is_added_and_what_follows_it_follows(make: Make<'_>) {
    const SHAPES: [(&[usize], usize); 6] =
        [(&[7, 130], 130), (&[1, 1], 1), (&[3, 65], 65), (&[0, 5], 5), (&[5, 0], 0), (&[9, 6, 64], 384)];
    with_device(make, |rig, lane| {
        for (turn, activation) in UnaryOp::ALL.into_iter().map(Some).chain([None]).enumerate() {
            for dtype in FLOATS {
                for ((shape, width), lie) in some_views(turn, &SHAPES) {
                    bias(rig, lane, dtype, (lie.view(shape), width), activation);
                }
            }
        }
        // The halves of rows apart, as a product in parts leaves them.
        let halves = layout(&[2, 300, 500]).transposed(0, 1);
        bias(rig, lane, DType::F32, (halves, 1_000), Some(UnaryOp::Gelu));
    });
}

fn bias(rig: &Rig, lane: &mut Lane, dtype: DType, (a, width): (Layout, usize), activation: Option<UnaryOp>) {
    // Eighths, whose sums are exact in every type.
    let eighths = |seed: usize, n: usize| bytes_of(dtype, n, |i| ((i * 37 + seed) % 41) as f64 / 8.0 - 2.5);
    let (x, y) = (eighths(3, a.extent()), eighths(8, width));
    let kernel = Kernel::AddBias { dtype, a, width, activation };
    let result = both(rig, lane, &kernel, &[&x, &y]);
    let (x, y) = (floats(dtype, &a, &x), floats(dtype, &layout(&[width]), &y));
    match activation {
        None => assert_exact(dtype, &result, &kernel),
        Some(op) => assert_unary(op, dtype, &result, &kernel, |i| x[i] + y[i % width]),
    }
}

pub(super) fn rows_are_normalised_within_their_bound(make: Make<'_>) {
    with_device(make, |rig, lane| {
        for dtype in FLOATS {
            for [rows, width] in [[1, 1], [3, 2], [5, 63], [2, 65], [9, 384], [0, 4], [4, 0], [2, 3_000], [700, 400]] {
                for residual in [false, true] {
                    normalise(rig, lane, dtype, [rows, width], residual);
                }
            }
        }
    });
}

fn normalise(rig: &Rig, lane: &mut Lane, dtype: DType, [rows, width]: [usize; 2], residual: bool) {
    const EPSILON: f32 = 0.25;
    let whole = [1, 2].map(|seed| tame(dtype, seed, rows * width));
    let [weight, bias] = [3, 4].map(|seed| tame(dtype, seed, width));
    let kernel = Kernel::LayerNorm { dtype, rows, width, epsilon: EPSILON, residual };
    let inputs: &[&[u8]] =
        if residual { &[&whole[0], &whole[1], &weight, &bias] } else { &[&whole[0], &weight, &bias] };
    let result = both(rig, lane, &kernel, inputs);
    let [a, r] = whole.map(|bytes| floats(dtype, &layout(&[rows * width]), &bytes));
    let [weight, bias] = [weight, bias].map(|bytes| floats(dtype, &layout(&[width]), &bytes));
    let (computed, count) = (computed_epsilon(dtype), width as f64);
    // Links of the longest chain of a sum.
    let chain = count / 32.0 + 10.0;
    let of_row: Vec<[f64; 3]> = (0..rows)
        .map(|row| {
            let at = |j: usize| row * width + j;
            let x = |j: usize| a[at(j)] + if residual { r[at(j)] } else { 0.0 };
            let most = (0..width).map(|j| a[at(j)].abs() + r[at(j)].abs()).fold(0.0, f64::max);
            let mean = (0..width).map(x).sum::<f64>() / count;
            let variance = (0..width).map(|j| (x(j) - mean).powi(2)).sum::<f64>() / count;
            [most, mean, (variance + f64::from(EPSILON)).sqrt()]
        })
        .collect();
    assert_near(dtype, &result, &kernel, |i, y| {
        let ([most, mean, deviation], j) = (of_row[i / width], i % width);
        let x = a[i] + if residual { r[i] } else { 0.0 };
        let centred = (x - mean).abs() / deviation;
        let shifted = (chain + 2.0) * computed * most / deviation;
        let scaled = centred * (shifted + (chain + 4.0) * computed);
        weight[j].abs() * (shifted + scaled) + 2.0 * computed * (y.abs() + bias[j].abs()) + dtype.epsilon() * y.abs()
    });
}

pub(super) fn attention_is_within_its_bound(make: Make<'_>) {
    with_device(make, |rig, lane| {
        let shapes = [
            [1, 1, 1, 1],
            [2, 70, 3, 32],
            [3, 5, 2, 7],
            [1, 130, 2, Kernel::HEAD_MAX],
            [0, 4, 2, 8],
            [2, 0, 1, 8],
            [2, 3, 1, 0],
            [1, 400, 1, 24],
            [4, 33, 4, 64],
        ];
        for dtype in FLOATS {
            for (turn, shape) in shapes.into_iter().enumerate() {
                // Heads before tokens, as some keep them.
                let [b, t, h, w] = shape;
                let turned = layout(&[b, h, t, w]).transposed(1, 2);
                let ways = [turned, layout(&shape), Lie::Part.view(&shape), Lie::Repeated.view(&shape)];
                let views = [0, 1, 2].map(|n| ways[(turn + n) % ways.len()]);
                for with in [[false, false], [true, false], [false, true], [true, true]] {
                    attend(rig, lane, dtype, views, with);
                }
            }
        }
    });
}

fn attend(rig: &Rig, lane: &mut Lane, dtype: DType, views: [Layout; 3], [masked, biased]: [bool; 2]) {
    const SCALE: f32 = 0.3;
    let [batch, tokens, heads, width] = std::array::from_fn(|axis| views[0].size(axis));
    let mut bytes: [Vec<u8>; 3] = std::array::from_fn(|n| tame(dtype, n as u64 + 5, views[n].extent()));
    // Every third key does not count, nor does any of the last sequence.
    let counts = |sequence: usize, key: usize| !masked || (key % 3 != 1 && (batch < 2 || sequence + 1 < batch));
    // Whatever lies where no key counts.
    for n in (1..3).filter(|n| views[*n] == layout(&[batch, tokens, heads, width])) {
        let elements = 0..views[n].elements();
        for i in elements.filter(|i| !counts(i / width / heads / tokens, i / width / heads % tokens)) {
            write(dtype, &mut bytes[n], i, Number::Float(f64::NAN));
        }
    }
    let mask: Vec<u8> = (0..batch * tokens).map(|i| u8::from(counts(i / tokens, i % tokens))).collect();
    // Every fifth key does not count for its query, nor does any for the last query of a head.
    let added = |place: usize| match (place % 5, place / tokens % tokens + 1 == tokens && tokens > 1) {
        (3, _) | (_, true) => f64::NEG_INFINITY,
        _ => (place * 37 % 41) as f64 / 8.0 - 2.5,
    };
    let bias = bytes_of(dtype, if width == 0 { 0 } else { heads * tokens * tokens }, added);
    let views_of = Views::new(views).expect("views of one shape");
    let kernel = Kernel::Attention { dtype, views: views_of, scale: SCALE, masked, biased };
    let mut inputs: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
    inputs.extend(masked.then_some(&mask[..]).into_iter().chain(biased.then_some(&bias[..])));
    let result = both(rig, lane, &kernel, &inputs);
    let [q, k, v]: [Vec<f64>; 3] = std::array::from_fn(|n| floats(dtype, &views[n], &bytes[n]));
    let at = |sequence: usize, token: usize, head: usize| ((sequence * tokens + token) * heads + head) * width;
    let computed = computed_epsilon(dtype);
    // For each query and head the greatest error of a score; the greatest value of a column for each sequence and head.
    let score = |row: usize| {
        let (sequence, query, head) = (row / heads / tokens, row / heads % tokens, row % heads);
        let query = &q[at(sequence, query, head)..][..width];
        let product =
            |key: usize| -> f64 { query.iter().zip(&k[at(sequence, key, head)..]).map(|(x, y)| (x * y).abs()).sum() };
        let most = (0..tokens).filter(|key| counts(sequence, *key)).map(product).fold(0.0, f64::max);
        // A bias of 2.5 at most is added with one rounding.
        let product = f64::from(SCALE) * most * computed * (4.0 * (width as f64).sqrt() + 2.0);
        product + if biased { computed * (f64::from(SCALE) * most + 2.5) } else { 0.0 }
    };
    let scores: Vec<f64> = (0..batch * tokens * heads).map(score).collect();
    let value = |i: usize| {
        let (sequence, head, j) = (i / width / heads / tokens, i / width % heads, i % width);
        (0..tokens)
            .filter(|key| counts(sequence, *key))
            .map(|key| v[at(sequence, key, head) + j].abs())
            .fold(0.0, f64::max)
    };
    assert_near(dtype, &result, &kernel, |i, y| {
        let relative = 2.0 * scores[i / width] + (4.0 * (tokens as f64).sqrt() + 16.0) * computed;
        relative * value(i) + dtype.epsilon() * y.abs()
    });
}
