//! A tensor is made on one thread, used on two others while its work may still be running, and dropped on a fourth.
//!
//! The streams are queued here: a call returns before the work is done, and a worker per stream does it. A spin before the tensor's own work makes sure that the
//! users come too early. The runtime makes their streams wait on the device, not their threads, and keeps the memory until the last user is
//! done. The counters of `device.evidence()` show each of these steps.
//!
//! `cargo run --release --example 02_hand_over`

use millstream::evidence::Step;
use millstream::{Generator, Kernel, Result, Tensor, cpu};

const SIZE: usize = 48;

/// Runs the example. Errors: those of the library; a wrong value or a step that was not taken panics.
pub fn main() -> Result<()> {
    // What the users must see, from another device and without threads.
    let plain = cpu::open()?;
    let expected = Tensor::randn(&plain, &[SIZE, SIZE], &mut Generator::new(5))?;
    let expected = [expected.add(&expected)?.to_vec::<f32>()?, expected.mul(&expected)?.to_vec::<f32>()?];

    let device = cpu::open_queued()?;
    // The users hold streams before the tensor exists, so that none of them gets the maker's.
    let (first, second) = (device.acquire_stream()?, device.acquire_stream()?);
    let found: [Vec<f32>; 2] = std::thread::scope(|scope| {
        let device = &device;
        let maker = scope.spawn(move || {
            device.enqueue(Kernel::Spin { micros: 20_000 })?;
            Tensor::randn(device, &[SIZE, SIZE], &mut Generator::new(5))
        });
        let tensor = maker.join().expect("the maker panicked")?;

        let shared = tensor.clone();
        let adder = scope.spawn(move || {
            let _on = device.with_stream(&first)?;
            shared.add(&shared)
        });
        let shared = tensor.clone();
        let multiplier = scope.spawn(move || {
            let _on = device.with_stream(&second)?;
            shared.mul(&shared)
        });
        let sum = adder.join().expect("the adder panicked")?;
        let product = multiplier.join().expect("the multiplier panicked")?;
        // The last handle goes on a thread that never used the device.
        scope.spawn(move || drop(tensor)).join().expect("a drop never panics");
        Ok::<_, millstream::Error>([sum.to_vec()?, product.to_vec()?])
    })?;
    for (found, expected) in found.iter().zip(&expected) {
        assert!(found.iter().zip(expected).all(|(f, e)| f.to_bits() == e.to_bits()), "a user came too early");
    }

    device.trim();
    let steps = [Step::WaitInserted, Step::InboxHandBack, Step::LateSecondUser, Step::LimboEntered, Step::LimboLeft];
    for step in steps {
        let taken = device.evidence().count(step);
        println!("{:>18}: {taken}", step.name());
        assert!(taken > 0, "{} was not taken", step.name());
    }
    let report = device.shutdown(std::time::Duration::from_secs(5));
    assert_eq!((report.complete, report.stranded_bytes, report.reserved_bytes_left), (true, 0, 0), "{report:?}");
    println!("made on one thread, used on two, dropped on a fourth: {} bytes came back", report.released_bytes);
    Ok(())
}
