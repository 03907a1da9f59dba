//! Figures with peaks, and pictures of the memory.

use std::time::Duration;

use millstream::{BlockState, Device, Kernel, MemoryAction, MemorySnapshot, Rung, Tensor};

use crate::kernels;
use crate::leaks::cpu;

const MIB: usize = 1 << 20;

/// Every segment is covered without gap or overlap, and the parts are those of the figures.
fn check(device: &Device) -> MemorySnapshot {
    let (snapshot, stats) = (device.memory_snapshot().expect("a picture"), device.memory_stats());
    for segment in &snapshot.segments {
        let mut at = segment.address;
        for block in &segment.blocks {
            assert_eq!(block.address, at, "{segment:?}");
            at += block.bytes as u64;
        }
        assert_eq!(at, segment.address + segment.bytes as u64, "{segment:?}");
    }
    let bytes = |state| snapshot.bytes(state);
    assert_eq!(snapshot.reserved_bytes(), stats.reserved_bytes);
    assert_eq!(bytes(BlockState::Live), stats.live_bytes);
    assert_eq!(bytes(BlockState::Cached), stats.cached_bytes);
    assert_eq!(bytes(BlockState::Pooled), stats.pooled_bytes + stats.empty_segment_bytes);
    assert_eq!(bytes(BlockState::Imported), stats.imported_bytes);
    assert_eq!(snapshot.segments.len(), stats.segments);
    let staged: usize = snapshot.staging.iter().map(|piece| piece.bytes).sum();
    assert_eq!(staged, stats.staging_bytes);
    snapshot
}

#[test]
fn every_block_is_in_the_picture_with_its_state_and_the_totals_add_up() {
    let device = cpu::open_queued().unwrap();
    check(&device);
    let live = device.allocate(1000).unwrap();
    drop(device.allocate(5000).unwrap());
    let (by_two, elsewhere) = (device.allocate(3 * MIB).unwrap(), device.allocate(70_000).unwrap());
    device.synchronize().unwrap();
    let other = device.acquire_stream().unwrap();
    {
        let _current = device.with_stream(&other).unwrap();
        device.enqueue(Kernel::Spin { micros: 800_000 }).unwrap();
        drop(device.launch(kernels::copy(1), 4, &[&by_two]).unwrap());
    }
    drop(by_two);
    // Its inbox is emptied, the user is still at work: limbo.
    drop(device.allocate(80_000).unwrap());
    std::thread::scope(|scope| scope.spawn(|| drop(elsewhere)).join().unwrap());
    let snapshot = check(&device);
    let bytes = |state| snapshot.bytes(state);
    assert_eq!((bytes(BlockState::Live), bytes(BlockState::Limbo)), (1024, 3 * MIB));
    assert!(bytes(BlockState::Cached) >= 5000 && bytes(BlockState::Inbox) >= 70_000, "{snapshot:?}");
    let blocks: Vec<_> = snapshot.segments.iter().flat_map(|segment| &segment.blocks).collect();
    let of = |state| blocks.iter().find(|block| block.state == state).unwrap();
    assert_eq!(of(BlockState::Live).requested_bytes, 1000);
    assert_eq!(of(BlockState::Limbo).users, [(other.id().0, Some(2))], "the copy is the second operation there");
    assert_eq!(of(BlockState::Limbo).stream, Some(live.last_write().stream));
    device.synchronize_all(None).unwrap();
    drop(live);
    device.trim();
    assert_eq!(check(&device).segments, []);
}

#[test]
fn the_json_form_has_the_same_totals() {
    let device = cpu::open().unwrap();
    let tensor = Tensor::from_slice(&device, &[1.0f32; 300], &[300]).unwrap();
    let json = check(&device).to_json();
    let (stats, totals) = (device.memory_stats(), &json["totals"]);
    assert_eq!(totals["reserved_bytes"], stats.reserved_bytes);
    assert_eq!(totals["live_bytes"], 1280);
    assert_eq!(totals["staging_bytes"], stats.staging_bytes);
    let parts = ["live_bytes", "cached_bytes", "pooled_bytes", "limbo_bytes", "inbox_bytes"];
    let sum: u64 = parts.iter().map(|part| totals[part].as_u64().unwrap()).sum();
    assert_eq!(totals["reserved_bytes"], sum);
    let block = &json["segments"][0]["blocks"][0];
    assert_eq!((&block["state"], &block["requested_bytes"]), (&"live".into(), &1200.into()));
    assert_eq!(block["last_use"]["written_at"], tensor.stamp().seq);
}

#[test]
fn the_pickled_form_has_the_segments_and_the_history() {
    let device = cpu::open().unwrap();
    device.start_memory_history(64);
    let kept = device.allocate(5000).unwrap();
    drop(device.allocate(9000).unwrap());
    let pickle = check(&device).to_memory_viz();
    let value: serde_json::Value =
        serde_pickle::from_slice(&pickle, serde_pickle::DeOptions::new()).expect("a pickle of plain values");
    let segment = &value["segments"][0];
    assert_eq!((&segment["total_size"], &segment["segment_type"]), (&(2 * MIB).into(), &"small".into()));
    assert_eq!((&segment["allocated_size"], &segment["requested_size"]), (&5120.into(), &5000.into()));
    assert_eq!(segment["blocks"][0]["state"], "active_allocated");
    assert_eq!(segment["blocks"][1]["state"], "inactive", "a cached block is free for its stream");
    let trace = value["device_traces"][0].as_array().unwrap();
    let actions: Vec<&str> = trace.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["segment_alloc", "alloc", "alloc", "free_requested", "free_completed"]);
    assert_eq!(trace[1]["addr"], segment["blocks"][0]["address"]);
    drop(kept);
}

#[test]
fn the_history_keeps_the_last_events_and_tells_every_end_once() {
    let device = cpu::open().unwrap();
    drop(device.allocate(100).unwrap());
    assert_eq!(device.memory_snapshot().unwrap().history, [], "it is off until asked for");
    device.start_memory_history(16);
    for _ in 0..100 {
        drop(device.allocate(100).unwrap());
    }
    let last = device.memory_snapshot().unwrap().history;
    assert_eq!(last.len(), 16);
    assert_eq!(last.iter().filter(|event| event.action == MemoryAction::FreeCompleted).count(), 6);
    let elsewhere = device.allocate(100).unwrap();
    std::thread::scope(|scope| scope.spawn(|| drop(elsewhere)).join().unwrap());
    let requested = device.memory_snapshot().unwrap().history.pop().unwrap();
    assert_eq!(requested.action, MemoryAction::FreeRequested, "it is in the inbox");
    device.trim();
    let history = device.memory_snapshot().unwrap().history;
    let about = history.iter().filter(|event| event.time_us >= requested.time_us && event.bytes == requested.bytes);
    let about: Vec<_> = about.map(|event| event.action).collect();
    assert!(about.ends_with(&[MemoryAction::FreeRequested, MemoryAction::FreeCompleted]), "{history:?}");
    assert!(history.iter().any(|event| event.action == MemoryAction::SegmentFree));
    device.stop_memory_history();
    drop(device.allocate(100).unwrap());
    assert_eq!(device.memory_snapshot().unwrap().history, history);
}

#[test]
fn peaks_are_kept_until_they_are_reset() {
    let device = cpu::open().unwrap();
    let three: Vec<_> = (0..3).map(|_| device.allocate(MIB).unwrap()).collect();
    assert_eq!(device.memory_stats().live_bytes_max, 3 * MIB);
    drop(three);
    let stats = device.memory_stats();
    assert_eq!((stats.live_bytes, stats.live_bytes_max), (0, 3 * MIB));
    assert_eq!((stats.cached_bytes, stats.cached_bytes_max), (3 * MIB, 3 * MIB));
    assert_eq!((stats.reserved_bytes, stats.reserved_bytes_max), (4 * MIB, 4 * MIB));
    device.trim();
    assert_eq!(device.memory_stats().reserved_bytes_max, 4 * MIB);
    device.reset_peaks();
    let stats = device.memory_stats();
    assert_eq!((stats.live_bytes_max, stats.cached_bytes_max, stats.reserved_bytes_max), (0, 0, 0));
    let _one = device.allocate(MIB).unwrap();
    assert_eq!(device.memory_stats().live_bytes_max, MIB);
}

#[test]
fn free_memory_in_pieces_is_fragmented() {
    let device = cpu::open_with(cpu::CpuOptions::inline(), |options| options.cache_bytes_max = 0).unwrap();
    assert_eq!(device.memory_stats().fragmentation(), 0.0);
    let mut blocks: Vec<_> = (0..8).map(|_| Some(device.allocate(MIB / 4).unwrap())).collect();
    for at in [0, 2, 4, 6] {
        blocks[at] = None;
    }
    // The inbox comes home with the next search.
    let _larger = device.allocate(MIB).unwrap();
    let stats = device.memory_stats();
    assert_eq!((stats.pooled_bytes, stats.largest_free_bytes), (2 * MIB, MIB), "four quarters and half a segment");
    assert_eq!(stats.fragmentation(), 0.5);
    assert_eq!(stats.served(Rung::Grow), 2);
}

#[test]
fn a_picture_may_be_taken_while_threads_allocate() {
    let device = cpu::open_queued().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for i in 0..2000 {
                    let a = device.allocate(1000 + i).unwrap();
                    drop(device.launch(kernels::copy(1), 4, &[&a]).unwrap());
                }
            });
        }
        for _ in 0..20 {
            let snapshot = device.memory_snapshot().unwrap();
            let all: usize = snapshot.segments.iter().flat_map(|s| &s.blocks).map(|b| b.bytes).sum();
            assert_eq!(all, snapshot.reserved_bytes(), "a segment with a gap");
        }
    });
    assert!(device.shutdown(Duration::from_secs(10)).complete);
    assert_eq!(device.memory_snapshot().unwrap().segments, []);
}
