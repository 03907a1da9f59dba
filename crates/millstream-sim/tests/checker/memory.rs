//! Life and contents of memory.

use millstream_hal::{Access, Backend, DType, Kernel, Launch, Layout};
use millstream_sim::Finding;

use super::rig::{Rig, SEEDS, fill};

#[test]
fn a_read_of_bytes_that_were_never_written_is_found_with_its_range() {
    for seed in SEEDS {
        let rig = Rig::new(seed);
        rig.fill(rig.a, 0, 16, 1.0);
        rig.copy(rig.a, 128, 0, 64);
        let findings = rig.findings();
        assert!(
            matches!(&findings[..], [Finding::UninitialisedRead { range, .. }] if *range == (64..256)),
            "{findings:?}"
        );
    }
}

#[test]
fn a_read_of_poison_is_found() {
    let rig = Rig::new(1);
    rig.fill(rig.a, 0, 64, 1.0);
    rig.launch(rig.a, Kernel::Poison { bytes: 256 }, &[rig.operand(0, 64, Access::Write)]);
    rig.copy(rig.a, 128, 0, 64);
    assert!(matches!(rig.findings()[..], [Finding::PoisonedRead { .. }]));
}

#[test]
fn a_release_with_work_that_the_host_has_not_seen_complete_is_found_even_if_it_has_run() {
    for seed in SEEDS {
        let rig = Rig::new(seed);
        rig.fill(rig.a, 0, 64, 1.0);
        rig.sim.release_segment(rig.segment).unwrap();
        assert!(matches!(rig.sim.findings()[..], [Finding::ReleaseUnfinished { .. }, ..]), "seed {seed}");
    }
}

#[test]
fn a_release_after_a_synchronise_is_correct() {
    for seed in SEEDS {
        let rig = Rig::new(seed);
        rig.fill(rig.a, 0, 64, 1.0);
        rig.finish();
        rig.sim.release_segment(rig.segment).unwrap();
        assert_eq!(rig.sim.findings(), []);
    }
}

#[test]
fn a_use_after_the_release_is_found_and_harms_nobody() {
    let rig = Rig::new(2);
    rig.sim.release_segment(rig.segment).unwrap();
    rig.fill(rig.a, 0, 64, 1.0);
    assert!(matches!(rig.findings()[..], [Finding::UseAfterRelease { .. }]));
}

#[test]
fn a_second_release_is_found() {
    let rig = Rig::new(2);
    rig.sim.release_segment(rig.segment).unwrap();
    rig.sim.release_segment(rig.segment).unwrap();
    assert!(matches!(rig.sim.findings()[..], [Finding::ReleaseUnknown { .. }]));
}

#[test]
fn an_access_beyond_the_segment_or_the_operand_is_out_of_bounds() {
    let rig = Rig::new(3);
    rig.fill(rig.a, 1_000, 64, 1.0);
    rig.launch(rig.a, fill(64, 1.0), &[rig.operand(0, 63, Access::Write)]);
    let findings = rig.findings();
    assert!(
        matches!(findings[..], [Finding::OutOfBounds { bytes: 256, .. }, Finding::OutOfBounds { .. }]),
        "{findings:?}"
    );
}

#[test]
fn an_operand_that_says_read_where_the_kernel_writes_is_found() {
    let rig = Rig::new(3);
    rig.launch(rig.a, fill(1, 1.0), &[rig.operand(0, 1, Access::Read)]);
    assert!(matches!(rig.findings()[..], [Finding::WrongAccess { .. }]));
}

#[test]
fn a_launch_without_its_operands_is_found() {
    let rig = Rig::new(3);
    let a = Layout::contiguous(&[4]).unwrap();
    rig.launch(rig.a, Kernel::Copy { dtype: DType::F32, a }, &[rig.operand(0, 4, Access::Write)]);
    assert!(matches!(rig.findings()[..], [Finding::BadLaunch { .. }]));
}

#[test]
fn a_position_that_goes_back_is_found() {
    let rig = Rig::new(4);
    for seq in [5, 5] {
        let launch = Launch::new(Kernel::Spin { micros: 0 }, seq, &[]);
        rig.sim.launch(rig.a, &launch).unwrap();
    }
    assert!(matches!(rig.sim.findings()[..], [Finding::SeqNotIncreasing { before: 5, seq: 5, .. }]));
}

#[test]
fn an_operation_may_write_what_it_reads() {
    let rig = Rig::new(5);
    rig.fill(rig.a, 0, 64, 1.0);
    rig.copy(rig.a, 0, 0, 64);
    rig.assert_clean();
}
