//! Values of the CPU and of the device over the same inputs, against a double-precision reference: a table.

use millstream_cpu::{CpuBackend, CpuOptions};
use millstream_runtime::Device;
use millstream_sync::Arc;
use millstream_tensor::{Generator, Tensor};

const EPS: f64 = f32::EPSILON as f64;

pub(crate) fn run() {
    let cuda = crate::open(0).unwrap();
    let cpu = crate::over(Arc::new(CpuBackend::new(CpuOptions::inline())));
    let both = [&cpu, &cuda];
    println!("| operation | shape | bound of an element's error | largest error over its bound: CPU | CUDA |");
    println!("|---|---|---|---:|---:|");
    for (m, k, n) in [(64, 64, 64), (256, 256, 256), (200, 1000, 77), (33, 4096, 65), (512, 512, 512)] {
        product(both, m, k, n);
    }
    for count in [1000, 4097, 100_003, 1 << 20, (1 << 24) + 3] {
        sum(both, count);
    }
    for count in [1, 1001, 1 << 20] {
        uniform(both, count);
    }
}

fn host(count: usize, seed: u64, cpu: &Device) -> Vec<f32> {
    Tensor::randn(cpu, &[count], &mut Generator::new(seed)).unwrap().to_vec().unwrap()
}

fn product(both: [&Device; 2], m: usize, k: usize, n: usize) {
    let (a, b) = (host(m * k, 1, both[0]), host(k * n, 2, both[0]));
    let ratios = both.map(|device| {
        let [x, y] = [(&a, [m, k]), (&b, [k, n])].map(|(v, shape)| Tensor::from_slice(device, v, &shape).unwrap());
        let got: Vec<f32> = x.matmul(&y).unwrap().to_vec().unwrap();
        let mut worst = 0.0f64;
        for row in 0..m {
            for column in 0..n {
                let terms = (0..k).map(|i| f64::from(a[row * k + i]) * f64::from(b[i * n + column]));
                let (exact, size) = terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()));
                let bound = 4.0 * (k as f64).sqrt() * EPS * size;
                worst = worst.max((f64::from(got[row * n + column]) - exact).abs() / bound);
            }
        }
        worst
    });
    println!("| matmul f32 | {m} x {k} x {n} | 4 sqrt(k) eps (\\|A\\|\\|B\\|) | {:.4} | {:.4} |", ratios[0], ratios[1]);
    assert!(ratios.iter().all(|ratio| *ratio <= 1.0), "{ratios:?}");
}

fn sum(both: [&Device; 2], count: usize) {
    let x = host(count, 3, both[0]);
    let (exact, size) = x.iter().fold((0.0, 0.0), |(sum, size), v| (sum + f64::from(*v), size + f64::from(v.abs())));
    let bound = 4.0 * (count as f64).log2() * EPS * size;
    let ratios = both.map(|device| {
        let got: f32 = Tensor::from_slice(device, &x, &[count]).unwrap().sum().unwrap().item().unwrap();
        (f64::from(got) - exact).abs() / bound
    });
    println!("| sum f32 | {count} | 4 log2(n) eps sum\\|x\\| | {:.2e} | {:.2e} |", ratios[0], ratios[1]);
    assert!(ratios.iter().all(|ratio| *ratio <= 1.0), "{ratios:?}");
}

/// A uniform number is 24 bits of Philox's integers, so equal numbers are equal integers.
fn uniform(both: [&Device; 2], count: usize) {
    let bits = both.map(|device| {
        let mut generator = Generator::new(0x1234_5678_9abc_def0).split(7);
        let drawn = [count, 3].map(|n| Tensor::uniform(device, &[n], 0.0, 1.0, &mut generator).unwrap());
        drawn.iter().flat_map(|t| t.to_vec::<f32>().unwrap()).map(f32::to_bits).collect::<Vec<u32>>()
    });
    assert!(bits[0] == bits[1], "Philox differs");
    println!("| uniform f32 (Philox4x32-10) | {count} + 3 | the CPU's bits | 0 | 0 differ |");
}
