//! Kernels over every element type: values with hard ones among them, views of every kind, and how near a result must be.

use millstream_hal::{DType, Kernel, Layout, Operand};

use super::rig::{Lane, Rig, layout, values};
use crate::interpreter::number::{Number, read, write};
use crate::{footprint, interpret};

/// How the elements of a view lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    /// Row-major, without holes.
    Whole,
    /// All axes in reverse.
    Turned,
    /// Every other axis repeats one element.
    Repeated,
    /// One element, repeated.
    One,
    /// A part of a larger buffer, not from its start.
    Part,
}

impl Lie {
    pub(super) const ALL: [Self; 5] = [Self::Whole, Self::Turned, Self::Repeated, Self::One, Self::Part];

    /// A view of `shape` that lies so.
    pub(super) fn view(self, shape: &[usize]) -> Layout {
        let reversed: Vec<usize> = shape.iter().rev().copied().collect();
        let order: Vec<usize> = (0..shape.len()).rev().collect();
        let thin: Vec<usize> = shape.iter().enumerate().map(|(i, size)| if i % 2 == 0 { 1 } else { *size }).collect();
        let wide: Vec<usize> = shape.iter().map(|size| size + 3).collect();
        match self {
            Self::Whole => layout(shape),
            Self::Turned => layout(&reversed).permuted(&order).expect("an order of all axes"),
            Self::Repeated => layout(&thin).broadcast_to(shape).expect("axes of one"),
            Self::One => layout(&[]).broadcast_to(shape).expect("one element"),
            Self::Part => {
                let narrow = |view: Layout, axis: usize| view.narrowed(axis, 2, shape[axis]).expect("inside");
                (0..shape.len()).fold(layout(&wide), narrow)
            }
        }
    }
}

/// The bytes of `n` elements, the same for the same seed: of mixed size and sign, and every seventh a hard one.
pub(super) fn elements(dtype: DType, seed: u64, n: usize) -> Vec<u8> {
    let hard: &[f64] = match dtype {
        DType::I64 | DType::U8 | DType::Bool => &[0.0, 1.0, -1.0, 255.0, 7.0, 1e30, -1e30],
        _ => {
            &[f64::INFINITY, f64::NAN, -0.0, 0.0, f64::MAX, f64::NEG_INFINITY, 6e-8, 1e-40, -5e-324, 88.9, -104.5, 1.5]
        }
    };
    bytes_of(dtype, seed, n, |i, x| if i % 7 == 3 { hard[(i / 7 + seed as usize) % hard.len()] } else { x })
}

/// The same without hard ones: for sums and products, whose bound is no number with them.
pub(super) fn tame(dtype: DType, seed: u64, n: usize) -> Vec<u8> {
    bytes_of(dtype, seed, n, |_, x| x)
}

fn bytes_of(dtype: DType, seed: u64, n: usize, value: impl Fn(usize, f64) -> f64) -> Vec<u8> {
    let mut bytes = vec![0; n * dtype.bytes()];
    // Small whole numbers for integers; for bools about half of them are zero.
    let scale = if dtype.is_float() { 1.0 } else { 2.0 };
    for (i, x) in values(seed, n).into_iter().enumerate() {
        write(dtype, &mut bytes, i, Number::Float(value(i, f64::from(x) * scale)));
    }
    bytes
}

/// Runs `kernel` on the device over `inputs` and with the interpreter; returns both results as bytes. The output lies between guard bytes,
/// which must stay as they are.
pub(super) fn both(rig: &Rig, lane: &mut Lane, kernel: &Kernel, inputs: &[&[u8]]) -> [Vec<u8>; 2] {
    let got = rig.with_blocks(|| on_device(rig, lane, kernel, inputs));
    let mut wanted = vec![UNTOUCHED; got.len()];
    interpret(kernel, &mut wanted, inputs).expect("the case asks for what the interpreter can do");
    [got, wanted]
}

/// What an output holds before the kernel.
const UNTOUCHED: u8 = 0xc3;

/// The result of the device.
pub(super) fn on_device(rig: &Rig, lane: &mut Lane, kernel: &Kernel, inputs: &[&[u8]]) -> Vec<u8> {
    const GUARD: usize = millstream_hal::SEGMENT_ALIGN;
    let bytes = footprint(kernel)[0].end;
    let room = rig.block((bytes + 2 * GUARD).div_ceil(4));
    rig.put_bytes(lane, room, &vec![UNTOUCHED; room.words * 4]);
    let mut operands = vec![Operand { ptr: room.ptr.offset(GUARD), bytes, ..room.out() }];
    for input in inputs {
        let block = rig.block(input.len().div_ceil(4));
        rig.put_bytes(lane, block, input);
        operands.push(Operand { bytes: input.len(), ..block.input() });
    }
    lane.launch(*kernel, &operands);
    let all = rig.bytes(lane, room);
    let (before, rest) = all.split_at(GUARD);
    let (got, after) = rest.split_at(bytes);
    let touched = before.iter().chain(after).position(|byte| *byte != UNTOUCHED);
    assert_eq!(touched, None, "{kernel:?} writes beyond its output, at this guard byte");
    got.to_vec()
}

/// Shapes and lies for turn `turn` of a case: each shape in one lie, another one each turn, and the first in all.
pub(super) fn some_views<S: Copy>(turn: usize, shapes: &[S]) -> Vec<(S, Lie)> {
    let all = Lie::ALL.map(|lie| (shapes[0], lie));
    let turned = shapes.iter().skip(1).enumerate().map(|(i, shape)| (*shape, Lie::ALL[(i + turn) % Lie::ALL.len()]));
    all.into_iter().chain(turned).collect()
}

/// Asserts that the device gives the bits of the interpreter; any NaN equals any other.
#[track_caller]
pub(super) fn assert_exact(dtype: DType, [got, wanted]: &[Vec<u8>; 2], what: &dyn std::fmt::Debug) {
    let size = dtype.bytes();
    for i in 0..wanted.len() / size {
        let (x, y) = (read(dtype, got, i), read(dtype, wanted, i));
        let nan = dtype.is_float() && x.float().is_nan() && y.float().is_nan();
        let same = got[i * size..][..size] == wanted[i * size..][..size];
        assert!(same || nan, "{what:?}: element {i} is {x:?}, should be {y:?}");
    }
}

/// Asserts that each element is as near as its bound says, or as the interpreter's when that is no finite number.
#[track_caller]
pub(super) fn assert_near(
    dtype: DType,
    [got, wanted]: &[Vec<u8>; 2],
    what: &dyn std::fmt::Debug,
    bound: impl Fn(usize, f64) -> f64,
) {
    for i in 0..wanted.len() / dtype.bytes() {
        let (x, y) = (read(dtype, got, i).float(), read(dtype, wanted, i).float());
        if !y.is_finite() {
            assert!(x == y || x.is_nan() && y.is_nan(), "{what:?}: element {i} is {x:e}, should be {y:e}");
            continue;
        }
        let (error, most) = ((x - y).abs(), bound(i, y) + least(dtype));
        assert!(error <= most, "{what:?}: element {i} is {x:e}, should be {y:e} within {most:e}, differs by {error:e}");
    }
}

/// The least positive number.
fn least(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => 2f64.powi(-24),
        DType::BF16 => 2f64.powi(-133),
        DType::F32 => 2f64.powi(-149),
        _ => 0.0,
    }
}

/// Relative error of one operation in the type that `dtype` is computed in.
pub(super) fn computed_epsilon(dtype: DType) -> f64 {
    match dtype {
        DType::F16 | DType::BF16 => DType::F32.epsilon(),
        other => other.epsilon(),
    }
}

/// Every element of a view, as a float.
pub(super) fn floats(dtype: DType, view: &Layout, bytes: &[u8]) -> Vec<f64> {
    crate::interpreter::positions(view).map(|at| read(dtype, bytes, at).float()).collect()
}
