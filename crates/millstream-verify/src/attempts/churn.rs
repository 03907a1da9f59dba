//! A further attempt: thousands of threads that come, make one iteration, hand their tensor over and leave. Nothing is stranded, and memory stays flat.

use millstream::evidence::Step;
use millstream::{Device, Tensor};
use millstream_sync::{Arc, BoundedQueue};

use super::probes::{Driven, Verdict, What, opened, queued, text, threads, work, zero};
use super::sheet::{Row, Sheet};
use super::stage::at_rest;
use crate::plan::{DeviceName, Plan};

/// Steps that the attempt claims to drive.
pub const CLAIMS: [Step; 6] =
    [Step::LeaseClaimed, Step::LeaseReturned, Step::Flush, Step::InboxHandBack, Step::WaitElided, Step::WaitInserted];

const WIDTH: usize = 16;
const GENERATIONS: usize = 125;
/// Generations after which everything that is kept has been made.
const SETTLED: usize = 25;
/// What the process may grow by afterwards. Its own allocator keeps some; a ring or a cache for each of 1,600 threads would be far more.
const HOST_GROWTH_MAX: u64 = 24 << 20;

const LEASES: &str = "Lease";
const MEMORY: &str = "Device memory";
const HOST: &str = "Host memory";

/// The attempt.
pub static SHEET: Sheet = Sheet {
    id: "churn",
    title: "Churn",
    methods: &[
        "125 generations of 16 threads, inline and asynchronous: each uses the tensor of a thread that has gone, makes one, hands it over and leaves, some without a wait",
        "After each generation leases, live bytes and reserved bytes are looked at; the process's own memory at the end",
    ],
    rows: &[
        Row {
            pattern: LEASES,
            place: ("crates/millstream-runtime/src/thread_state.rs", "fn leave(mut self)"),
            mechanism: "caches flushed, ring closed, then the lease: a stream is free when its blocks are home",
        },
        Row {
            pattern: MEMORY,
            place: ("crates/millstream-runtime/src/memory/trim.rs", "pub(crate) fn flush"),
            mechanism: "a leaving thread's cache goes to its stream's pool, what it left to others to the inbox",
        },
        Row {
            pattern: HOST,
            place: ("crates/millstream-runtime/src/device/shared.rs", "fn retire"),
            mechanism: "caches and rings of threads that ended are retired",
        },
    ],
    probes: &[
        Driven {
            pattern: LEASES,
            name: "2,000 threads, asynchronous streams",
            runs: 1,
            what: What::Measured(queued_churn),
        },
        Driven {
            pattern: MEMORY,
            name: "2,000 threads, the plan's device",
            runs: 1,
            what: What::Measured(plain_churn),
        },
        Driven { pattern: HOST, name: "2,000 threads after 400", runs: 1, what: What::Measured(host_memory) },
    ],
    properties: &[
        "Every lease came home after every generation, and no lease twice",
        "Device memory was flat: what the first generations took served all that followed, and went back whole",
        "The process did not grow with the number of threads that had been there",
    ],
};

fn queued_churn(plan: &Plan, run: u64) -> Result<String, String> {
    on(plan, run, &queued(plan))
}

fn plain_churn(plan: &Plan, run: u64) -> Result<String, String> {
    on(plan, run, &plan.device)
}

fn on(plan: &Plan, run: u64, name: &DeviceName) -> Result<String, String> {
    let device = opened(name, plan.seed ^ run, WIDTH / 2)?;
    let expected = references(plan)?;
    let world = World::new(&device, expected);
    let mut settled = 0;
    for generation in 0..GENERATIONS {
        world.generation(generation)?;
        zero("streams claimed after a generation", device.leases() as u64)?;
        let stats = device.memory_stats();
        if generation == SETTLED {
            settled = stats.reserved_bytes;
        }
        // A small segment for each thread of a generation at most: threads that share a stream and miss at the same time may each take one.
        let most = settled.max(WIDTH * (2 << 20));
        if generation > SETTLED && stats.reserved_bytes > most {
            return Err(format!(
                "{} bytes reserved in generation {generation}, {most} is enough",
                stats.reserved_bytes
            ));
        }
        zero("bytes in caches with no thread there", stats.cached_bytes as u64)?;
    }
    let (most, returned) = (device.memory_stats().reserved_bytes_max, device.evidence().count(Step::LeaseReturned));
    drop(world);
    at_rest(&device)?;
    Ok(format!("{returned} leases came home, at most {most} bytes reserved"))
}

/// What the threads of a generation share, and leave to the next.
struct World {
    device: Device,
    expected: Arc<Vec<u32>>,
    left: Arc<BoundedQueue<(u64, Tensor)>>,
}

const KEYS: u64 = 16;

fn references(plan: &Plan) -> Result<Arc<Vec<u32>>, String> {
    let device = opened(&plan.device, plan.seed, 1)?;
    let value = |key: u64| work(&device, key).and_then(|sum| sum.item()).map(f32::to_bits);
    (0..KEYS).map(value).collect::<Result<Vec<u32>, _>>().map(Arc::new).map_err(text)
}

impl World {
    fn new(device: &Device, expected: Arc<Vec<u32>>) -> Self {
        Self { device: device.clone(), expected, left: Arc::new(BoundedQueue::with_capacity(4 * WIDTH)) }
    }

    fn generation(&self, generation: usize) -> Verdict {
        let (device, expected, left) = (self.device.clone(), self.expected.clone(), self.left.clone());
        threads(WIDTH, move |thread| {
            let key = (thread + generation) as u64 % KEYS;
            let mine = work(&device, key).map_err(text)?;
            if let Some((theirs_key, theirs)) = left.try_pop() {
                // Made by a thread that has gone, on a stream that somebody else may have now.
                let sum = theirs.add(&mine).map_err(text)?;
                drop(theirs);
                if thread % 3 == 0 {
                    let of = |key: u64| f32::from_bits(expected[key as usize]);
                    let (found, wanted) = (sum.item::<f32>().map_err(text)?, of(theirs_key) + of(key));
                    if found.to_bits() != wanted.to_bits() {
                        return Err(format!("generation {generation}: {found} in place of {wanted}"));
                    }
                }
            }
            // To the next generation; what finds no room is dropped here.
            let _ = left.try_push((key, mine));
            Ok(())
        })
    }
}

/// Pages of the process in use, in bytes. `None`: this system does not say.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(text.split_whitespace().nth(1)?.parse::<u64>().ok()? * 4096)
}

/// The same crowd once more; the process is measured after 400 threads and after 2,000.
fn host_memory(plan: &Plan, run: u64) -> Result<String, String> {
    let device = opened(&plan.device, plan.seed ^ run, WIDTH / 2)?;
    let world = World::new(&device, references(plan)?);
    let mut before = None;
    for generation in 0..GENERATIONS {
        if generation == SETTLED {
            before = resident();
        }
        world.generation(generation)?;
    }
    let grown = before.and_then(|before| Some(resident()?.saturating_sub(before)));
    drop(world);
    at_rest(&device)?;
    match grown {
        Some(grown) if grown > HOST_GROWTH_MAX => {
            Err(format!("the process grew by {grown} bytes over {} threads", (GENERATIONS - SETTLED) * WIDTH))
        }
        Some(grown) => Ok(format!("grew by {grown} bytes, {HOST_GROWTH_MAX} allowed")),
        None => Ok("not measured: this system does not say what a process uses".to_owned()),
    }
}
