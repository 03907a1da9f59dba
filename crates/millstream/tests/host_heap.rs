//! What a launch takes from the host's heap once its thread is warm: nothing.

use millstream::{DType, Device, Generator, Kernel, Result, Tensor, cpu};

const FILL: usize = 4096;

fn devices() -> [Device; 2] {
    [cpu::open().expect("the CPU is always there"), cpu::open_queued().expect("the CPU is always there")]
}

fn fill(device: &Device) -> millstream::Buffer {
    let kernel = Kernel::Fill { elements: FILL / 4, dtype: DType::F32, value: 1.0f32.into() };
    device.launch(kernel, FILL, &[]).expect("a launch")
}

/// Heap allocations of this thread during `rounds` calls of `f`.
fn heap(rounds: usize, mut f: impl FnMut()) -> u64 {
    allocation_counter::measure(|| (0..rounds).for_each(|_| f())).count_total
}

#[test]
fn the_hit_path_takes_nothing_from_the_host_heap() {
    for device in devices() {
        let name = &device.info().name;
        for _ in 0..1000 {
            drop(device.allocate(FILL).unwrap());
            drop(fill(&device));
        }
        device.synchronize().unwrap();
        assert_eq!(heap(10_000, || drop(device.allocate(FILL).unwrap())), 0, "{name}: allocate, drop");
        assert_eq!(heap(1000, || drop(fill(&device))), 0, "{name}: allocate, launch, drop");
    }
}

type Work<'a> = Box<dyn FnMut() -> Result<Tensor> + 'a>;

/// Every kind of operation, over three tensors of one small shape.
fn operations<'a>(device: &'a Device, a: &'a Tensor, b: &'a Tensor, mask: &'a Tensor) -> Vec<(&'static str, Work<'a>)> {
    let mut generator = Generator::new(1);
    let mut other = Generator::new(2);
    let row = a.narrow(0, 1, 1).expect("a row");
    vec![
        ("zeros", Box::new(move || Tensor::zeros(device, &[8, 8]))),
        ("full", Box::new(move || Tensor::full(device, &[8, 8], 0.5, DType::F16))),
        ("arange", Box::new(move || Tensor::arange(device, 0, 64, 1, DType::I64))),
        ("randn", Box::new(move || Tensor::randn(device, &[8, 8], &mut generator))),
        ("uniform", Box::new(move || Tensor::uniform(device, &[8, 8], 0.0, 1.0, &mut other))),
        ("add", Box::new(move || a.add(b))),
        ("add, broadcast", Box::new(move || a.add(&row))),
        ("mul by a number", Box::new(move || a.mul(0.5))),
        ("lt", Box::new(move || a.lt(b))),
        ("tanh", Box::new(move || a.tanh())),
        ("where", Box::new(move || mask.where_cond(a, b))),
        ("to_dtype", Box::new(move || a.to_dtype(DType::BF16))),
        (
            "views",
            Box::new(move || {
                a.transpose(0, 1)?.narrow(1, 2, 4)?.unsqueeze(0)?.broadcast_to(&[3, 8, 4])?.permute(&[1, 0, 2])
            }),
        ),
        ("reshape, a view", Box::new(move || a.reshape(&[2, 4, 8])?.flatten())),
        ("reshape, a copy", Box::new(move || a.transpose(0, 1)?.reshape(&[64]))),
        ("matmul", Box::new(move || a.matmul(b))),
        ("matmul, batched", Box::new(move || a.reshape(&[2, 4, 8])?.matmul(b))),
        ("sum", Box::new(move || a.sum())),
        ("mean over an axis", Box::new(move || a.mean_keepdim(&[1]))),
        ("max over an axis", Box::new(move || a.max_over(&[0]))),
        ("argmax", Box::new(move || a.argmax())),
    ]
}

#[test]
fn operations_of_tensors_take_nothing_from_the_host_heap() {
    for device in devices() {
        let mut draw = Generator::new(3);
        let mut randn = || Tensor::randn(&device, &[8, 8], &mut draw).expect("a draw");
        let (a, b) = (randn(), randn());
        let mask = a.gt(&b).expect("a mask");
        for (name, mut work) in operations(&device, &a, &b, &mask) {
            for _ in 0..200 {
                drop(work().expect(name));
            }
            device.synchronize().expect("the device works");
            // The kernel of a product packs its factors on the heap of the thread that runs it: here the caller, on `cpu:queued` a worker.
            if name.starts_with("matmul") && device.info().name == "cpu" {
                continue;
            }
            assert_eq!(heap(500, || drop(work().expect(name))), 0, "{}: {name}", device.info().name);
        }
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(heap(10, || drop(std::hint::black_box(Box::new(1)))), 10);
}
