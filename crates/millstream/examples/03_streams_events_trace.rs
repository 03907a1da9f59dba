//! Streams, events, figures of the memory, a trace and an orderly end.
//!
//! By default a thread never meets a stream: it gets one. Here a thread takes a second one, makes it current for a scope, orders the two
//! by an event, and looks at what the device did: the time between two events, the memory statistics, the trace (open the file in Perfetto
//! or in `chrome://tracing`) and the report of the shutdown.
//!
//! `cargo run --release --example 03_streams_events_trace`

use std::time::Duration;

use millstream::{Event, EventState, Generator, Kernel, Tensor, cpu};

const SPIN_MICROS: u32 = 5_000;

/// Runs the example. Errors: those of the library, or of writing the trace; a wrong claim panics.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = cpu::open_queued()?;
    let own = device.current_stream()?;
    let side = device.acquire_stream()?;
    assert_ne!(own.id(), side.id(), "an acquired stream is apart from the current one");

    // On the side stream: something slow between two timing events, then a tensor.
    let (before, after) = (Event::new(&device, true), Event::new(&device, true));
    let tensor = {
        let _on_side = device.with_stream(&side)?;
        assert_eq!(device.current_stream()?.id(), side.id());
        before.record()?;
        device.enqueue(Kernel::Spin { micros: SPIN_MICROS })?;
        after.record()?;
        Tensor::randn(&device, &[64, 64], &mut Generator::new(3))?
    };
    assert_eq!(device.current_stream()?.id(), own.id(), "the guard gives the stream back");

    // Our own stream goes on after the event: a wait on the device, the host does not block.
    after.wait()?;
    device.synchronize()?;
    assert_eq!(after.query()?, EventState::Done, "what came after the wait is done, so the event is");

    // The tensor was written on the side stream; using it here needs no event at all.
    let mean = tensor.mean()?.item::<f32>()?;
    assert!(mean.abs() < 0.2, "{mean} is not the mean of 4,096 normal numbers");

    // It came after both records in its stream, so their time is there.
    let elapsed = before.elapsed(&after)?;
    assert!(elapsed >= Duration::from_micros(u64::from(SPIN_MICROS) * 9 / 10), "{elapsed:?} is less than the spin");
    println!("between the events: {} us", elapsed.as_micros());

    let stats = device.memory_stats();
    assert!(stats.live_bytes >= 64 * 64 * 4 && stats.live_bytes <= stats.reserved_bytes, "{stats:?}");
    println!("memory: {} bytes live of {} reserved", stats.live_bytes, stats.reserved_bytes);

    let trace = device.trace();
    let path = std::env::temp_dir().join(format!("millstream-trace-{}.json", std::process::id()));
    trace.write_chrome(std::fs::File::create(&path)?)?;
    let text = std::fs::read_to_string(&path)?;
    std::fs::remove_file(&path)?;
    assert!(text.starts_with('{') && text.contains("\"traceEvents\"") && text.contains("\"spin\""));
    assert!(!trace.arrows.is_empty(), "the hand-over from the side stream is an arrow of the trace");
    println!("trace: {} spans, {} hand-overs, {} bytes of JSON", trace.spans.len(), trace.arrows.len(), text.len());

    drop(tensor);
    drop(side);
    let report = device.shutdown(Duration::from_secs(5));
    assert!(report.complete, "{report:?}");
    assert_eq!((report.live_bytes, report.stranded_bytes), (0, 0), "{report:?}");
    println!("shutdown: {} streams drained, {} bytes given back", report.streams_drained, report.released_bytes);
    Ok(())
}
