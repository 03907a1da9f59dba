//! What the profiler keeps: call sites, hand-overs, stays in limbo, samples; and nothing when it is off.

use std::time::Duration;

use millstream::{Device, Generator, Kernel, Span, Tensor, Trace};

use crate::leaks::cpu;

const SLOW: Kernel = Kernel::Spin { micros: 20_000 };

fn drawn(device: &Device) -> Tensor {
    Tensor::randn(device, &[64, 64], &mut Generator::new(1)).expect("a draw")
}

fn syncs(trace: &Trace) -> Vec<&Span> {
    trace.spans.iter().filter(|span| span.host_sync).collect()
}

#[test]
fn a_host_sync_is_recorded_with_the_line_of_the_user_whether_or_not_it_waits() {
    let device = cpu::open_queued().unwrap();
    device.enqueue(SLOW).unwrap();
    let first = (line!() + 1, device.synchronize().unwrap()).0;
    let second = (line!(), device.current_stream().unwrap().synchronize().unwrap()).0;
    let third = (line!(), drawn(&device).sum().unwrap().item::<f32>().unwrap()).0;
    let trace = device.trace();
    let seen: Vec<(&str, u32)> = syncs(&trace).iter().map(|s| (s.name, s.at.map_or(0, |at| at.line()))).collect();
    assert_eq!(seen, [("stream", first - 1), ("stream", second), ("download", third)]);
    assert!(syncs(&trace).iter().all(|sync| sync.at.unwrap().file().ends_with("traces.rs")));
    assert!(syncs(&trace)[0].waited && !syncs(&trace)[1].waited, "{trace:?}");
    assert!(syncs(&trace)[0].end_us - syncs(&trace)[0].start_us > 10_000.0);
}

#[test]
fn a_hand_over_names_writer_and_reader_and_says_whether_the_device_waits() {
    let device = cpu::open_queued().unwrap();
    let side = device.acquire_stream().unwrap();
    let (ready, late) = {
        let _on_side = device.with_stream(&side).unwrap();
        let ready = drawn(&device);
        side.synchronize().unwrap();
        device.enqueue(SLOW).unwrap();
        let late = drawn(&device);
        // Later work of the writer's stream is not what the reader comes after.
        device.enqueue(SLOW).unwrap();
        (ready, late)
    };
    let sums = (ready.sum().unwrap(), late.sum().unwrap());
    let trace = device.trace();
    let (from, own) = (side.id().0, device.current_stream().unwrap().id().0);
    let arrows: Vec<_> = trace.arrows.iter().map(|arrow| (arrow.from, arrow.to, arrow.waited)).collect();
    assert_eq!(arrows, [((from, 1), (own, 1), false), ((from, 3), (own, 2), true)]);
    drop(sums);
}

#[test]
fn a_block_that_waits_for_another_stream_is_in_limbo_until_that_is_done() {
    let device = cpu::open_queued().unwrap();
    let shared = drawn(&device);
    let (bytes, own) = (64 * 64 * 4, device.current_stream().unwrap().id().0);
    device.synchronize().unwrap();
    let side = device.acquire_stream().unwrap();
    let reader = {
        let _on_side = device.with_stream(&side).unwrap();
        device.enqueue(SLOW).unwrap();
        shared.sum().unwrap()
    };
    drop(shared);
    // Looking for memory takes freed blocks out of the inbox.
    let other = device.allocate(bytes).unwrap();
    let there = device.trace().limbo;
    assert_eq!(there.len(), 1, "{there:?}");
    assert_eq!((there[0].bytes, there[0].stream, there[0].waits_for), (bytes, own, (side.id().0, 2)));
    assert_eq!(there[0].left_us, None);
    device.sample_memory();
    side.synchronize().unwrap();
    device.trim();
    device.sample_memory();
    let trace = device.trace();
    let stay = trace.limbo.first().unwrap();
    assert_eq!((trace.limbo.len(), stay.entered_us, stay.ticket), (1, there[0].entered_us, there[0].ticket));
    assert!(stay.left_us.unwrap() - stay.entered_us > 5_000.0, "{stay:?}");
    let limbo: Vec<usize> = trace.memory.iter().map(|sample| sample.limbo_bytes).collect();
    assert_eq!(limbo, [bytes, 0]);
    assert!(trace.memory.iter().all(|s| s.live_bytes >= bytes && s.reserved_bytes >= s.live_bytes), "{trace:?}");
    drop((reader, other));
}

#[test]
fn a_profiler_that_is_off_records_nothing_and_changes_no_value() {
    let off = cpu::open_with(cpu::CpuOptions::queued(), |options| options.profiler = false).unwrap();
    let on = cpu::open_queued().unwrap();
    let values = [&off, &on].map(|device| {
        let side = device.acquire_stream().unwrap();
        let late = {
            let _on_side = device.with_stream(&side).unwrap();
            device.enqueue(Kernel::Spin { micros: 1000 }).unwrap();
            drawn(device)
        };
        device.sample_memory();
        late.sum().unwrap().item::<f32>().unwrap().to_bits()
    });
    assert_eq!(values[0], values[1]);
    let (none, some) = (off.trace(), on.trace());
    assert!(none.spans.is_empty() && none.arrows.is_empty() && none.memory.is_empty() && none.limbo.is_empty());
    assert!(!some.spans.is_empty() && !some.arrows.is_empty() && !some.memory.is_empty());
    for device in [off, on] {
        assert!(device.shutdown(Duration::from_secs(5)).complete);
    }
}
