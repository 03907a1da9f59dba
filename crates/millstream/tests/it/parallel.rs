//! Any number of threads on one device compute the sequential bits.

use millstream::{Device, Generator, Result, Tensor, read_all};

use crate::leaks::cpu;

fn iteration(device: &Device, thread: u64, i: u64, n: usize) -> Result<[Tensor; 2]> {
    let mut generator = Generator::new(42).split(thread << 32 | i);
    let a = Tensor::randn(device, &[n, n], &mut generator)?;
    let b = Tensor::randn(device, &[n, n], &mut generator)?;
    let c = a.matmul(&b)?;
    Ok([c.sum()?, c.mean()?])
}

fn run(device: &Device, thread: u64, iterations: u64, n: usize) -> Result<Vec<u32>> {
    let mut out = Vec::new();
    let mut pending = Vec::new();
    for i in 0..iterations {
        pending.extend(iteration(device, thread, i, n)?);
        if (i + 1) % 10 == 0 || i + 1 == iterations {
            out.extend(read_all::<f32>(&pending.iter().collect::<Vec<_>>())?.iter().map(|x| x.to_bits()));
            pending.clear();
        }
    }
    Ok(out)
}

#[test]
fn twenty_threads_compute_the_sequential_bits() {
    for device in [cpu::open().unwrap(), cpu::open_queued().unwrap()] {
        let sequential: Vec<Vec<u32>> = (0..20).map(|t| run(&device, t, 30, 33).unwrap()).collect();
        let parallel: Vec<Vec<u32>> = std::thread::scope(|scope| {
            let device = &device;
            let workers: Vec<_> = (0..20).map(|t| scope.spawn(move || run(device, t, 30, 33).unwrap())).collect();
            workers.into_iter().map(|w| w.join().unwrap()).collect()
        });
        assert_eq!(sequential, parallel);
        let report = device.shutdown(std::time::Duration::from_secs(5));
        assert!(report.complete, "{report:?}");
        assert_eq!((report.stranded_bytes, report.reserved_bytes_left), (0, 0), "{report:?}");
    }
}

#[test]
fn a_tensor_made_on_one_thread_is_used_on_another_without_a_host_wait() {
    let device = cpu::open_queued().unwrap();
    let made: Vec<Tensor> = std::thread::scope(|scope| {
        let device = &device;
        let maker = scope.spawn(move || {
            device.enqueue(millstream::Kernel::Spin { micros: 20_000 }).unwrap();
            (0..4u64).map(|i| Tensor::randn(device, &[64, 64], &mut Generator::new(i)).unwrap()).collect::<Vec<_>>()
        });
        maker.join().unwrap()
    });
    let expected: Vec<Vec<f32>> = {
        let fresh = cpu::open().unwrap();
        (0..4u64).map(|i| Tensor::randn(&fresh, &[64, 64], &mut Generator::new(i)).unwrap().to_vec().unwrap()).collect()
    };
    for (tensor, expected) in made.iter().zip(&expected) {
        let doubled = tensor.add(tensor).unwrap().to_vec::<f32>().unwrap();
        assert!(doubled.iter().zip(expected).all(|(d, e)| d.to_bits() == (e + e).to_bits()));
    }
    assert!(device.evidence().count(millstream::evidence::Step::WaitInserted) > 0);
}
