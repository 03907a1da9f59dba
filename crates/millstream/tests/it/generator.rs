//! Random numbers: a function of seed, sequence and offset alone.

use std::collections::BTreeSet;

use millstream::{Device, Generator, Tensor};

use crate::leaks::cpu;

fn bits(device: &Device, shape: &[usize], generator: &mut Generator) -> Vec<u32> {
    let values = Tensor::randn(device, shape, generator).and_then(|t| t.to_vec::<f32>()).expect("a draw");
    values.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn the_numbers_do_not_depend_on_thread_stream_or_kind_of_device() {
    let inline = cpu::open().unwrap();
    let expected = bits(&inline, &[37, 53], &mut Generator::new(9).split(4));
    let queued = cpu::open_queued().unwrap();
    let one = cpu::CpuOptions { threads: Some(1), ..cpu::CpuOptions::inline() };
    let one_core = cpu::open_with(one, |options| options.streams = 1).unwrap();
    for device in [&inline, &queued, &one_core] {
        std::thread::scope(|scope| {
            let draws: Vec<_> =
                (0..4).map(|_| scope.spawn(|| bits(device, &[37, 53], &mut Generator::new(9).split(4)))).collect();
            for draw in draws {
                assert_eq!(draw.join().unwrap(), expected, "{}", device.info().name);
            }
        });
    }
}

#[test]
fn draws_in_pieces_are_the_numbers_of_one_draw() {
    let device = cpu::open().unwrap();
    let whole = bits(&device, &[64], &mut Generator::new(3));
    let mut generator = Generator::new(3);
    let pieces = [bits(&device, &[16], &mut generator), bits(&device, &[6, 8], &mut generator)].concat();
    assert_eq!(pieces, whole);
    assert_eq!(bits(&device, &[8, 8], &mut Generator::new(3)), whole, "the shape does not matter");
}

#[test]
fn seeds_and_splits_are_apart() {
    let device = cpu::open().unwrap();
    let parent = Generator::new(1);
    let mut seen = BTreeSet::new();
    for i in 0..50 {
        assert!(seen.insert(bits(&device, &[8], &mut parent.split(i))), "split {i} repeats numbers");
        assert!(seen.insert(bits(&device, &[8], &mut Generator::new(1_000 + i))), "seed {i} repeats numbers");
    }
    assert_eq!(parent, Generator::new(1), "splitting moves nothing");
}

#[test]
fn the_numbers_are_standard_normal() {
    let device = cpu::open().unwrap();
    let values = Tensor::randn(&device, &[1 << 16], &mut Generator::new(5)).unwrap();
    let mean = values.mean().unwrap().item::<f32>().unwrap();
    let variance = values.mul(&values).unwrap().mean().unwrap().item::<f32>().unwrap();
    // Five standard errors of each.
    assert!(mean.abs() < 5.0 / 256.0, "mean {mean}");
    assert!((variance - 1.0).abs() < 5.0 * 2f32.sqrt() / 256.0, "variance {variance}");
    assert!(values.to_vec::<f32>().unwrap().iter().all(|x| x.is_finite()));
}
