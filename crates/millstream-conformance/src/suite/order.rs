//! Order: inside a stream, and between streams through events.

use super::Make;
use super::rig::{Lane, Rig, synchronize};

/// Long enough that a missing wait shows.
const SPIN_MICROS: u32 = 5_000;

pub(super) fn a_stream_runs_in_order(make: Make<'_>) {
    const LINKS: usize = 100;
    let rig = Rig::new(make);
    let mut lane = rig.lane();
    let (x, all) = (rig.block(64), rig.block(64 * LINKS));
    for i in 0..LINKS {
        lane.fill(x, i as f32);
        lane.copy(all.part(i * 64, 64), x);
    }
    let values = rig.values(&mut lane, all);
    for (i, chunk) in values.chunks_exact(64).enumerate() {
        assert!(chunk.iter().all(|v| *v == i as f32), "copy {i} saw {:?}", chunk[0]);
    }
    lane.end();
    rig.end();
}

pub(super) fn a_wait_really_waits(make: Make<'_>) {
    let rig = Rig::new(make);
    let (mut a, mut b) = (rig.lane(), rig.lane());
    let (x, y, event) = (rig.block(1_000), rig.block(1_000), rig.event());
    a.fill(x, -1.0);
    a.finish();
    for i in 0..6 {
        a.spin(SPIN_MICROS);
        a.fill(x, i as f32);
        a.record(event);
        b.wait(event);
        b.copy(y, x);
        b.finish();
        assert_eq!(rig.values(&mut b, y), [i as f32; 1_000], "the reader did not wait, round {i}");
    }
    end(&rig, [a, b], &[event]);
    rig.end();
}

pub(super) fn a_late_reader_is_waited_for(make: Make<'_>) {
    let rig = Rig::new(make);
    let (mut a, mut b) = (rig.lane(), rig.lane());
    let (x, y, written, read) = (rig.block(1_000), rig.block(1_000), rig.event(), rig.event());
    for i in 0..6 {
        a.fill(x, i as f32);
        a.record(written);
        b.wait(written);
        b.spin(SPIN_MICROS);
        b.copy(y, x);
        b.record(read);
        a.wait(read);
        a.fill(x, -1.0);
        b.finish();
        assert_eq!(rig.values(&mut b, y), [i as f32; 1_000], "the writer did not wait, round {i}");
        a.finish();
    }
    end(&rig, [a, b], &[written, read]);
    rig.end();
}

/// The second mark of `e` comes after the wait for the first, through `f`: who waits for the newest mark waits for ever.
pub(super) fn a_wait_keeps_the_mark_of_its_call(make: Make<'_>) {
    let rig = Rig::new(make);
    let (mut a, mut b) = (rig.lane(), rig.lane());
    let (x, y, e, f) = (rig.block(100), rig.block(100), rig.event(), rig.event());
    for i in 0..4 {
        a.spin(1_000);
        a.fill(x, i as f32);
        a.record(e);
        b.wait(e);
        b.spin(1_000);
        b.copy(y, x);
        b.record(f);
        a.wait(f);
        a.fill(x, -1.0);
        a.record(e);
        b.finish();
        assert_eq!(rig.values(&mut b, y), [i as f32; 100]);
        synchronize(&rig.backend, e);
    }
    end(&rig, [a, b], &[e, f]);
    rig.end();
}

pub(super) fn a_chain_through_many_streams_counts_every_link(make: Make<'_>) {
    let rig = Rig::new(make);
    let count = rig.backend.info().streams.clamp(2, 12);
    let mut lanes: Vec<Lane> = (0..count).map(|_| rig.lane()).collect();
    let events: Vec<_> = (0..count).map(|_| rig.event()).collect();
    let (one, blocks) = (rig.block(64), [rig.block(64), rig.block(64)]);
    lanes[0].fill(one, 1.0);
    lanes[0].fill(blocks[0], 0.0);
    let links = 4 * count;
    lanes[count - 1].finish();
    for link in 0..links {
        let (lane, from) = (link % count, (link + count - 1) % count);
        if link > 0 {
            lanes[lane].wait(events[from]);
        }
        lanes[lane].spin(100);
        lanes[lane].add(blocks[(link + 1) % 2], blocks[link % 2], one);
        lanes[lane].record(events[lane]);
    }
    let last = (links - 1) % count;
    let values = rig.values(&mut lanes[last], blocks[links % 2]);
    assert_eq!(values, [links as f32; 64], "links were lost or ran too early");
    end(&rig, lanes, &events);
    rig.end();
}

fn end(rig: &Rig, lanes: impl IntoIterator<Item = Lane>, events: &[millstream_hal::RawEvent]) {
    lanes.into_iter().for_each(Lane::end);
    events.iter().for_each(|e| rig.backend.destroy_event(*e).expect("a give-back"));
}
