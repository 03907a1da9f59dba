//! Same work, same bits: on another stream, on another device, with other work beside it.

use millstream_hal::{DType, Kernel, PhiloxKey, ReduceOp};

use super::Make;
use super::rig::{Lane, Rig, layout};

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
