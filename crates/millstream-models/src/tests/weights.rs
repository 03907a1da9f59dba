//! Files that are cut off or say other things.

use std::io::Write;

use millstream_cpu::{CpuBackend, CpuOptions};
use millstream_hal::Backend;
use millstream_runtime::DeviceOptions;
use millstream_sync::Arc;

use super::*;

fn cpu() -> Device {
    let backend = CpuBackend::new(CpuOptions::inline());
    let options = DeviceOptions::of(backend.info());
    Device::open_with(Arc::new(backend), options)
}

/// A file of this header and data.
fn file(header: &str, data: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.write_all(data).unwrap();
    file
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

const HEADER: &str = r#"{"__metadata__":{"format":"pt"},"m.a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"m.h":{"dtype":"BF16","shape":[2],"data_offsets":[24,28]},"m.i":{"dtype":"I64","shape":[1],"data_offsets":[20,28]}}"#;

fn data() -> Vec<u8> {
    [floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), vec![0x80, 0x3f, 0x00, 0xc0]].concat()
}

#[test]
fn tensors_are_found_behind_a_prefix_and_halves_become_f32() {
    let (device, file) = (cpu(), file(HEADER, &data()));
    let weights = Weights::open(&device, file.path()).unwrap().behind(&["", "m."], "a");
    assert_eq!(weights.tensor("a", &[2, 3]).unwrap().to_vec::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(weights.tensor("h", &[2]).unwrap().to_vec::<f32>().unwrap(), [1.0, -2.0]);
}

#[test]
fn elements_that_lie_at_an_odd_byte_are_read_and_not_mapped() {
    let header = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}}"#.to_owned();
    for pad in 0..4 {
        let device = cpu();
        let file = file(&(header.clone() + &" ".repeat(pad)), &[vec![7], floats(&[8.0, 9.0])].concat());
        let weights = Weights::open(&device, file.path()).unwrap();
        assert_eq!(weights.tensor("a", &[2]).unwrap().to_vec::<f32>().unwrap(), [8.0, 9.0]);
    }
}

#[test]
fn what_the_file_does_not_have_is_named() {
    let (device, file) = (cpu(), file(HEADER, &data()));
    let weights = Weights::open(&device, file.path()).unwrap();
    let refused = |name: &str, shape: &[usize]| weights.tensor(name, shape).unwrap_err().to_string();
    assert!(refused("a", &[2, 3]).ends_with("has no tensor a"));
    assert!(refused("m.a", &[3, 2]).ends_with("m.a is [2, 3], [3, 2] is needed"));
    assert!(refused("m.i", &[1]).ends_with("m.i is I64, F32, F16 or BF16 is needed"));
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_an_error_that_says_so() {
    let device = cpu();
    let whole = std::fs::read(file(HEADER, &data()).path()).unwrap();
    for length in 0..whole.len() {
        let mut cut = tempfile::NamedTempFile::new().unwrap();
        cut.write_all(&whole[..length]).unwrap();
        match Weights::open(&device, cut.path()) {
            Err(Error::Damaged { reason, .. }) => assert!(!reason.is_empty()),
            other => panic!("{length} bytes of {}: {:?}", whole.len(), other.err()),
        }
    }
}

#[test]
fn a_header_that_lies_about_its_tensors_is_an_error() {
    let device = cpu();
    for header in [
        "no json",
        "[]",
        r#"{"a":{"dtype":"F32","shape":[2]}}"#,
        r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#,
        r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9]}}"#,
        r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}}"#,
        r#"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#,
    ] {
        let file = file(header, &[0; 8]);
        assert!(matches!(Weights::open(&device, file.path()), Err(Error::Damaged { .. })), "{header}");
    }
    // As many bytes as there are, but not those of the shape.
    let file = file(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,7]}}"#, &[0; 8]);
    let weights = Weights::open(&device, file.path()).unwrap();
    assert!(weights.tensor("a", &[2]).unwrap_err().to_string().contains("has 7 bytes, 8 are needed"));
}
