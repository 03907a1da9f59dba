//! Many host threads on one device.

use millstream_hal::{DType, Kernel, PhiloxKey, ReduceOp};
use millstream_sync::atomic::{AtomicU32, Ordering};
use millstream_sync::{OwnedCell, thread};

use super::Make;
use super::rig::{Block, Lane, Rig, layout};

const SIDE: usize = 16;

/// Blocks of one worker.
#[derive(Clone, Copy)]
struct Bench {
    a: Block,
    b: Block,
    c: Block,
    sums: Block,
}

impl Bench {
    fn new(rig: &Rig, rounds: usize) -> Self {
        let matrix = || rig.block(SIDE * SIDE);
        Self { a: matrix(), b: matrix(), c: matrix(), sums: rig.block(rounds) }
    }

    /// Random matrices, product, sum: round after round on one lane.
    fn work(self, lane: &mut Lane, worker: u64, rounds: usize) {
        let view = layout(&[SIDE, SIDE]);
        let elements = SIDE * SIDE;
        for round in 0..rounds {
            for (sequence, block) in [self.a, self.b].into_iter().enumerate() {
                let key = PhiloxKey { seed: worker, sequence: sequence as u64, offset: (round * 64) as u64 };
                lane.launch(Kernel::Randn { elements, key }, &[block.out()]);
            }
            let matmul = Kernel::Matmul { dtype: DType::F32, a: view, b: view };
            lane.launch(matmul, &[self.c.out(), self.a.input(), self.b.input()]);
            let sum = Kernel::Reduce { op: ReduceOp::Sum, dtype: DType::F32, a: layout(&[elements]), kept: 0 };
            lane.launch(sum, &[self.sums.part(round, 1).out(), self.c.input()]);
            if round % 10 == 9 {
                lane.finish();
            }
        }
        lane.finish();
    }
}

pub(super) fn many_threads_each_on_its_own_stream(make: Make<'_>) {
    const THREADS: usize = 8;
    const ROUNDS: usize = 30;
    let rig = Rig::new(make);
    let benches: Vec<Bench> = (0..THREADS).map(|_| Bench::new(&rig, ROUNDS)).collect();
    let backend = &rig.backend;
    thread::scope(|scope| {
        for (worker, bench) in benches.iter().enumerate() {
            scope.spawn(move || {
                let mut lane = Lane::new(backend);
                bench.work(&mut lane, worker as u64, ROUNDS);
                lane.end();
            });
        }
    });
    let mut lane = rig.lane();
    let alone = Bench::new(&rig, ROUNDS);
    for (worker, bench) in benches.iter().enumerate() {
        alone.work(&mut lane, worker as u64, ROUNDS);
        let [with_others, by_itself] = [bench.sums, alone.sums].map(|block| rig.bits(&mut lane, block));
        assert_eq!(with_others, by_itself, "sums of thread {worker} differ from those computed alone");
    }
    lane.end();
    rig.end();
}

pub(super) fn one_stream_driven_by_several_threads(make: Make<'_>) {
    const THREADS: usize = 4;
    const ROUNDS: usize = 50;
    let rig = Rig::new(make);
    let (one, x, copy) = (rig.block(64), rig.block(64), rig.block(64));
    let mut lane = rig.lane();
    lane.fill(one, 1.0);
    lane.fill(x, 0.0);
    let shared = OwnedCell::new(lane);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    let step = |lane: &mut Lane| {
                        lane.copy(copy, x);
                        lane.add(x, copy, one);
                    };
                    while shared.try_with(step).is_none() {
                        thread::yield_now();
                    }
                }
            });
        }
    });
    let mut shared = shared;
    let values = rig.values(shared.value_mut(), x);
    assert_eq!(values, [(THREADS * ROUNDS) as f32; 64], "steps were lost or changed places");
    // The lane ends with its cell.
    shared.value_mut().finish();
    rig.backend.destroy_stream(shared.value_mut().stream).expect("a give-back");
    rig.end();
}

pub(super) fn a_result_is_handed_from_thread_to_thread(make: Make<'_>) {
    const ROUNDS: u32 = 30;
    let rig = Rig::new(make);
    let (x, all) = (rig.block(64), rig.block(64 * ROUNDS as usize));
    let (written, read) = (rig.event(), rig.event());
    // Even: the writer's turn, odd: the reader's.
    let turn = AtomicU32::new(0);
    let turn = &turn;
    let until = move |wanted: u32| {
        // ORDER: Acquire so that the other thread's enqueues come before ours; pairs with the Release in `pass`.
        while turn.load(Ordering::Acquire) != wanted {
            thread::yield_now();
        }
    };
    // ORDER: Release so that our enqueues come before the other thread's; pairs with the Acquire in `until`.
    let pass = move |to: u32| turn.store(to, Ordering::Release);
    let backend = &rig.backend;
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut lane = Lane::new(backend);
            for round in 0..ROUNDS {
                until(2 * round);
                if round > 0 {
                    lane.wait(read);
                }
                lane.spin(300);
                lane.fill(x, round as f32);
                lane.record(written);
                pass(2 * round + 1);
            }
            lane.end();
        });
        scope.spawn(move || {
            let mut lane = Lane::new(backend);
            for round in 0..ROUNDS {
                until(2 * round + 1);
                lane.wait(written);
                lane.spin(100);
                lane.copy(all.part(64 * round as usize, 64), x);
                lane.record(read);
                pass(2 * round + 2);
            }
            lane.end();
        });
    });
    let mut lane = rig.lane();
    for (round, values) in rig.values(&mut lane, all).chunks_exact(64).enumerate() {
        assert!(values.iter().all(|v| *v == round as f32), "round {round} saw {}", values[0]);
    }
    lane.end();
    [written, read].into_iter().for_each(|e| backend.destroy_event(e).expect("a give-back"));
    rig.end();
}
