//! Capture: launched again as one, or refused with a word.

use millstream_hal::{BinaryOp, DType, Error, Kernel};

use super::Make;
use super::rig::{Rig, binary, layout};

pub(super) fn a_capture_is_replayed_or_unsupported(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    let (x, copy, one) = (rig.block(64), rig.block(64), rig.block(64));
    lane.fill(x, 0.0);
    lane.fill(one, 1.0);
    lane.finish();
    match rig.backend.begin_capture(lane.stream) {
        Ok(()) => {
            let view = layout(&[64]);
            lane.enqueue(Kernel::Copy { dtype: DType::F32, a: view }, &[copy.out(), x.input()]);
            let add = binary(BinaryOp::Add, view, view);
            lane.enqueue(add, &[x.out(), copy.input(), one.input()]);
            let graph = rig.backend.end_capture(lane.stream).expect("a graph");
            assert_eq!(rig.values(&mut lane, x), [0.0; 64], "captured launches ran");
            for _ in 0..5 {
                lane.seq += 1;
                rig.backend.launch_graph(lane.stream, graph, lane.seq).expect("a launch of a graph");
                lane.drive();
            }
            assert_eq!(rig.values(&mut lane, x), [5.0; 64], "a graph of one step was launched five times");
            rig.backend.destroy_graph(graph).expect("a give-back");
        }
        Err(Error::Unsupported { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    lane.end();
    rig.end();
}
