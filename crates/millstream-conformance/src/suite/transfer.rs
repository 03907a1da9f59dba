//! Staging, uploads, downloads, fingerprints: bytes as they are.

use millstream_hal::{Access, DType, DevicePtr, Kernel, Launch, Operand, RawStaging};

use super::Make;
use super::host;
use super::rig::{Rig, values};
use super::typed::{both, elements};

fn operand(staging: &RawStaging, access: Access) -> Operand {
    Operand { ptr: DevicePtr(staging.host), bytes: staging.bytes, access, staging: true }
}

pub(super) fn staging_carries_bytes_there_and_back(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    for bytes in [1usize, 3, 4, 5, 63, 64, 1_000, 70_001, 1 << 20] {
        let block = rig.block(bytes.div_ceil(4));
        let there = rig.backend.allocate_staging(bytes).expect("staging");
        let back = rig.backend.allocate_staging(bytes).expect("staging");
        assert_eq!((there.host % 64, back.host % 64), (0, 0), "staging is aligned to 64 bytes");
        let sent: Vec<u8> = (0..bytes).map(|i| (i * 7 + i / 251) as u8).collect();
        host::write(&there, 0, &sent);
        lane.launch(Kernel::Upload { bytes }, &[block.out(), operand(&there, Access::Read)]);
        let download = Kernel::Download { bytes, from: 0, to: 0 };
        lane.launch(download, &[operand(&back, Access::Write), block.input()]);
        lane.finish();
        assert!(host::read(&back, 0, bytes) == sent, "{bytes} bytes came back changed");
        rig.backend.release_staging(there).expect("a give-back");
        rig.backend.release_staging(back).expect("a give-back");
    }
    lane.end();
    rig.end();
}

pub(super) fn a_download_leaves_the_bytes_around_it_alone(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    let block = rig.block(64);
    rig.put(&mut lane, block, &values(1, 64));
    let staging = rig.backend.allocate_staging(100).expect("staging");
    host::write(&staging, 0, &[0xee; 100]);
    let kernel = Kernel::Download { bytes: 21, from: 5, to: 33 };
    lane.launch(kernel, &[operand(&staging, Access::Write), block.input()]);
    lane.finish();
    let wanted: Vec<u8> = values(1, 64).iter().flat_map(|x| x.to_le_bytes()).skip(5).take(21).collect();
    let got = host::read(&staging, 0, 100);
    assert_eq!(got[33..54], wanted, "the bytes asked for");
    assert!(got[..33].iter().chain(&got[54..]).all(|b| *b == 0xee), "bytes around a download were written");
    rig.backend.release_staging(staging).expect("a give-back");
    lane.end();
    rig.end();
}

pub(super) fn joined_downloads_bring_each_its_bytes(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    let block = rig.block(4_096);
    rig.put(&mut lane, block, &values(1, 4_096));
    let bytes: Vec<u8> = values(1, 4_096).iter().flat_map(|x| x.to_le_bytes()).collect();
    let staging = rig.backend.allocate_staging(40_000).expect("staging");
    host::write(&staging, 0, &[0xee; 40_000]);
    let operands = [operand(&staging, Access::Write), block.input()];
    let mut wanted = vec![0xee; 40_000];
    let (mut launches, mut to) = (Vec::new(), 0);
    // Words as of reductions, ends between words, and one that is large; a byte is left out after each.
    for n in 0..200 {
        let (bytes_of_it, from) =
            if n == 150 { (9_001, 7) } else { (if n % 5 == 4 { 70 + n } else { 4 }, n * 12 + n % 3) };
        wanted[to..to + bytes_of_it].copy_from_slice(&bytes[from..from + bytes_of_it]);
        launches.push(Launch::new(Kernel::Download { bytes: bytes_of_it, from, to }, 0, &operands));
        to += bytes_of_it.next_multiple_of(4) + if n % 7 == 0 { 1 } else { 4 };
    }
    lane.launch_joined(&mut launches);
    lane.finish();
    assert!(host::read(&staging, 0, 40_000) == wanted, "a download among several brought other bytes than alone");
    rig.backend.release_staging(staging).expect("a give-back");
    lane.end();
    rig.end();
}

pub(super) fn a_fingerprint_is_that_of_the_bytes(make: Make<'_>) {
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    for bytes in [0, 1, 2, 3, 4, 5, 7, 8, 64, 1_001, 4_000, 262_148, 1_200_003] {
        let input = elements(DType::U8, bytes as u64, bytes);
        let [got, wanted] = both(&rig, &mut lane, &Kernel::Fingerprint { bytes }, &[&input]);
        assert_eq!(got, wanted, "fingerprint of {bytes} bytes");
    }
    lane.end();
    rig.end();
}
