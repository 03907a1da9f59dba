//! Same work, same bits: on another stream, on another device, with other work beside it, from operands that lie in another way.

use millstream_hal::{BinaryOp, DType, Kernel, Layout, PhiloxKey, ReduceOp, UnaryOp, Views};

use super::Make;
use super::rig::{Lane, Rig, layout};
use super::typed::{Lie, on_device, tame};
use crate::interpret;

pub(super) fn the_same_work_gives_the_same_bits_on_any_stream_and_device(make: Make<'_>) {
    let rig = Rig::new(make);
    let (mut a, mut b, mut noise) = (rig.lane(), rig.lane(), rig.lane());
    let first = work(&rig, &mut a);
    let busy = rig.block(100_000);
    (0..20).for_each(|i| noise.fill(busy, i as f32));
    let second = work(&rig, &mut b);
    assert!(first == second, "another stream gave other bits");
    [a, b, noise].into_iter().for_each(Lane::end);
    rig.end();

    let rig = Rig::new(make);
    let mut lane = rig.lane();
    let third = work(&rig, &mut lane);
    assert!(first == third, "another device of the same class gave other bits");
    lane.end();
    rig.end();
}

fn work(rig: &Rig, lane: &mut Lane) -> Vec<u32> {
    let (m, n, k) = (65, 130, 257);
    let (x, y, z) = (rig.block(m * k), rig.block(k * n), rig.block(m * n));
    for (sequence, block) in [x, y].into_iter().enumerate() {
        let key = PhiloxKey { seed: 9, sequence: sequence as u64, offset: 0 };
        lane.launch(Kernel::Randn { elements: block.words, key }, &[block.out()]);
    }
    let matmul = Kernel::Matmul { dtype: DType::F32, a: layout(&[m, k]), b: layout(&[k, n]) };
    lane.launch(matmul, &[z.out(), x.input(), y.input()]);
    let big = rig.block(500_001);
    let key = PhiloxKey { seed: 10, sequence: 0, offset: 0 };
    lane.launch(Kernel::Randn { elements: big.words, key }, &[big.out()]);
    let sums = rig.block(2);
    for (i, op) in [ReduceOp::Sum, ReduceOp::Mean].into_iter().enumerate() {
        lane.launch(
            Kernel::Reduce { op, dtype: DType::F32, a: layout(&[big.words]), kept: 0 },
            &[sums.part(i, 1).out(), big.input()],
        );
    }
    [x, y, z, sums].into_iter().flat_map(|block| rig.bits(lane, block)).collect()
}

pub(super) fn how_operands_lie_changes_no_bit(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    let types = [DType::F32, DType::F64, DType::F16, DType::BF16];
    for dtype in types {
        for lie in [Lie::Turned, Lie::Part] {
            for shape in [[37, 53], [3, 2_500], [2_000, 3]] {
                for op in [UnaryOp::Exp, UnaryOp::Log, UnaryOp::Tanh] {
                    same(&rig, &mut lane, dtype, lie, &[&shape], &|v| Kernel::Unary { op, dtype, a: v[0] });
                }
                let add = |v: &[Layout]| {
                    let views = Views::new([v[0], v[1]]).expect("views of one shape");
                    Kernel::Binary { op: BinaryOp::Div, dtype, views }
                };
                same(&rig, &mut lane, dtype, lie, &[&shape, &shape], &add);
                for kept in 0..2 {
                    let reduce = |v: &[Layout]| Kernel::Reduce { op: ReduceOp::Sum, dtype, a: v[0], kept };
                    same(&rig, &mut lane, dtype, lie, &[&shape], &reduce);
                }
            }
            for [m, k, n] in [[1, 64, 65], [64, 64, 1], [64, 64, 64], [65, 130, 37], [33, 300, 300]] {
                let product = |v: &[Layout]| Kernel::Matmul { dtype, a: v[0], b: v[1] };
                same(&rig, &mut lane, dtype, lie, &[&[m, k], &[k, n]], &product);
            }
        }
    }
    for dtype in types {
        let attention = |v: &[Layout]| {
            let views = Views::new([v[0], v[1], v[2]]).expect("views of one shape");
            Kernel::Attention { dtype, views, scale: 0.3, masked: false, biased: false }
        };
        for shape in [[2, 40, 2, 16], [1, 130, 3, 32]] {
            same(&rig, &mut lane, dtype, Lie::Part, &[&shape[..]; 3], &attention);
        }
    }
    lane.end();
    rig.end();
}

/// The same elements from operands that lie without holes and from operands that lie in another way.
fn same(rig: &Rig, lane: &mut Lane, dtype: DType, lie: Lie, shapes: &[&[usize]], kernel: &dyn Fn(&[Layout]) -> Kernel) {
    let views: Vec<Layout> = shapes.iter().map(|shape| lie.view(shape)).collect();
    let whole: Vec<Layout> = shapes.iter().map(|shape| layout(shape)).collect();
    let spread: Vec<Vec<u8>> = views.iter().zip(3..).map(|(view, seed)| tame(dtype, seed, view.extent())).collect();
    let dense: Vec<Vec<u8>> = views
        .iter()
        .zip(&spread)
        .map(|(view, bytes)| {
            let mut copy = vec![0; view.elements() * dtype.bytes()];
            interpret(&Kernel::Copy { dtype, a: *view }, &mut copy, &[bytes]).expect("a copy");
            copy
        })
        .collect();
    let mut run = |views: &[Layout], all: &[Vec<u8>]| {
        let slices: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
        rig.with_blocks(|| on_device(rig, lane, &kernel(views), &slices))
    };
    let (one, other) = (run(&whole, &dense), run(&views, &spread));
    assert!(one == other, "{:?}: {lie:?} operands gave other bits", kernel(&views));
}
