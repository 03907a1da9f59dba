//! A further attempt: tensors that go from stream to stream. Late producers, late users of which a fourth thread drops the last handle, chains, weights that all share.
//!
//! Where the stress counts on numbers, each probe here makes one hole as wide as milliseconds: the producer or the reader stands behind long work, and whatever the
//! allocator gives out meanwhile is overwritten with poison.

use millstream::evidence::Step;
use millstream::{Buffer, Device, Tensor};
use millstream_sync::Arc;
use millstream_sync::BoundedQueue;

use super::probes::{Driven, Verdict, What, opened, queued, text, threads, zero};
use super::sheet::{Row, Sheet};
use super::stage::{Steps, at_rest, check, filled, fingerprint, poisoned, spin};
use crate::plan::Plan;

/// Steps that the attempt claims to drive.
pub const CLAIMS: [Step; 6] = [
    Step::WaitInserted,
    Step::LateSecondUser,
    Step::LimboEntered,
    Step::LimboLeft,
    Step::InboxHandBack,
    Step::WantedRecorded,
];

const ORDER: &str = "Order between streams";
const USES: &str = "Use set";
const MASK: &str = "Mask of users";

const WORDS: usize = 1 << 14;

/// The attempt.
pub static SHEET: Sheet = Sheet {
    id: "hand_over",
    title: "Cross-Stream Hand-Over",
    methods: &[
        "A producer behind 4 ms of work, or more where the readers come later, hands over before it has written; three threads read at once, over memory that holds poison",
        "A second and a third user behind 4 to 10 ms of work; a fourth thread drops the last handle while the maker allocates poison over it",
        "Chains through eight threads without a host wait, users that end at once, weights that twelve streams share",
    ],
    rows: &[
        Row {
            pattern: ORDER,
            place: ("crates/millstream-runtime/src/stream/order.rs", "fn enqueue("),
            mechanism: "a use on another stream waits on the device for the writer's position, unless ordered already",
        },
        Row {
            pattern: USES,
            place: ("crates/millstream-sync/src/use_set.rs", "pub fn add"),
            mechanism: "exact positions of two foreign streams, noted before the submission lock is released",
        },
        Row {
            pattern: MASK,
            place: ("crates/millstream-runtime/src/memory/limbo.rs", "fn stamps_of"),
            mechanism: "from the third stream on a mask; at the last drop a masked stream stands for its tail",
        },
    ],
    probes: &[
        Driven { pattern: ORDER, name: "a late producer and three readers", runs: 20, what: What::Here(late_producer) },
        Driven { pattern: ORDER, name: "a chain through eight threads", runs: 10, what: What::Here(chain) },
        Driven { pattern: ORDER, name: "a user that ends at once", runs: 10, what: What::Here(ends_at_once) },
        Driven {
            pattern: USES,
            name: "late second and third users, dropped by a fourth",
            runs: 20,
            what: What::Here(late_users),
        },
        Driven { pattern: MASK, name: "weights that twelve streams share", runs: 10, what: What::Here(weights) },
    ],
    properties: &[
        "Every reader saw every element of its producer's value, however late the producer was",
        "No block was written again under a second or third user, whoever dropped it",
    ],
};

/// How late the producer is, in microseconds: on a busy machine readers may come later than the first of these. What they read is compared each time.
const LATE: [u32; 3] = [4_000, 40_000, 400_000];

/// Until a stream was made to wait.
fn late_producer(plan: &Plan, run: u64) -> Verdict {
    for micros in LATE {
        if waits_behind(plan, run, micros)? > 0 {
            return Ok(());
        }
    }
    Err(format!("no stream was made to wait for a producer behind {} ms of work", LATE[LATE.len() - 1] / 1_000))
}

/// The memory that comes next holds poison; the producer writes over it late; three threads have the buffer long before. How many waits were inserted.
fn waits_behind(plan: &Plan, run: u64, micros: u32) -> Result<u64, String> {
    const READERS: usize = 3;
    let device = opened(&queued(plan), plan.seed ^ run, READERS + 2)?;
    let value = 1.25 + run as f32;
    let mail = Arc::new(BoundedQueue::<Buffer>::with_capacity(READERS));
    let (handed, read) = (Arc::new(Steps::default()), Arc::new(Steps::default()));
    let producer = {
        let (device, mail, handed, read) = (device.clone(), mail.clone(), handed.clone(), read.clone());
        std::thread::spawn(move || -> Verdict {
            drop(poisoned(&device, WORDS).map_err(text)?);
            device.synchronize().map_err(text)?;
            spin(&device, micros).map_err(text)?;
            // The poisoned block, by the cache.
            let made = filled(&device, WORDS, value).map_err(text)?;
            for _ in 0..READERS {
                let _ = mail.try_push(made.clone());
            }
            drop(made);
            handed.advance();
            // Stays: its stream is held while the others read.
            read.wait_for(READERS as u32)
        })
    };
    let d = device.clone();
    let readers = threads(READERS, move |reader| {
        handed.wait_for(1)?;
        let theirs = mail.try_pop().ok_or("a reader has no buffer")?;
        let hash = fingerprint(&d, &theirs, WORDS).map_err(text)?;
        drop(theirs);
        let verdict = check(&d, &hash, WORDS, value, &format!("reader {} of a late producer", reader + 1));
        read.advance();
        verdict
    });
    producer.join().map_err(|_| "the producer panicked".to_owned())??;
    readers?;
    let waits = device.evidence().count(Step::WaitInserted);
    at_rest(&device)?;
    Ok(waits)
}

/// Eight threads in a row add one each and pass on; only the last value is read. Each drops what it got, far from its home.
fn chain(plan: &Plan, run: u64) -> Verdict {
    const THREADS: usize = 8;
    let device = opened(&queued(plan), plan.seed ^ run, THREADS + 1)?;
    let places: Arc<Vec<BoundedQueue<Tensor>>> =
        Arc::new((0..=THREADS).map(|_| BoundedQueue::with_capacity(1)).collect());
    let step = Arc::new(Steps::default());
    let start = Tensor::from_slice(&device, &[0.0f32; 256], &[256]).map_err(text)?;
    let _ = places[0].try_push(start);
    let (d, p, s) = (device.clone(), places.clone(), step.clone());
    threads(THREADS, move |thread| {
        let one = Tensor::from_slice(&d, &[1.0f32; 256], &[256]).map_err(text)?;
        s.wait_for(thread as u32)?;
        let got = p[thread].try_pop().ok_or("the chain is broken")?;
        spin(&d, 800).map_err(text)?;
        let next = got.add(&one).map_err(text)?;
        drop((got, one));
        let _ = p[thread + 1].try_push(next);
        s.advance();
        // Whatever comes next on this stream writes over what was dropped, if it may.
        drop(poisoned(&d, 256).map_err(text)?);
        s.wait_for(THREADS as u32)
    })?;
    let last = places[THREADS].try_pop().ok_or("the chain has no end")?;
    let found = last.to_vec::<f32>().map_err(text)?;
    if let Some(wrong) = found.iter().find(|x| **x != THREADS as f32) {
        return Err(format!("an element is {wrong} after {THREADS} additions of one"));
    }
    drop((last, places));
    at_rest(&device)
}

/// The thread that reads ends with its read not even begun; its block, its stream and its answer outlive it.
fn ends_at_once(plan: &Plan, run: u64) -> Verdict {
    let device = opened(&queued(plan), plan.seed ^ run, 3)?;
    let value = 3.5 + run as f32;
    spin(&device, 3_000).map_err(text)?;
    let made = filled(&device, WORDS, value).map_err(text)?;
    let d = device.clone();
    let hash = std::thread::spawn(move || fingerprint(&d, &made, WORDS))
        .join()
        .map_err(|_| "the reading thread panicked".to_owned())?
        .map_err(text)?;
    let poison: Vec<Buffer> = (0..3).map(|_| poisoned(&device, WORDS)).collect::<Result<_, _>>().map_err(text)?;
    check(&device, &hash, WORDS, value, "a thread that ended at once")?;
    drop((hash, poison));
    at_rest(&device)
}

/// Three users behind work of their own, the last handle dropped by a fourth thread, and a maker that goes on allocating over it.
fn late_users(plan: &Plan, run: u64) -> Verdict {
    const USERS: usize = 3;
    let device = opened(&queued(plan), plan.seed ^ run, USERS + 3)?;
    let value = 2.75 + run as f32;
    // Keeps the segment: memory that is written too early must show in values, and not end the process.
    let pin = filled(&device, 64, 0.0).map_err(text)?;
    let made = filled(&device, WORDS, value).map_err(text)?;
    let (used, dropped) = (Arc::new(Steps::default()), Arc::new(Steps::default()));
    let handles: Vec<_> = (0..USERS)
        .map(|user| {
            let (device, theirs) = (device.clone(), made.clone());
            let (used, dropped) = (used.clone(), dropped.clone());
            std::thread::spawn(move || -> Verdict {
                spin(&device, 4_000 + 3_000 * user as u32).map_err(text)?;
                let hash = fingerprint(&device, &theirs, WORDS).map_err(text)?;
                drop(theirs);
                used.advance();
                dropped.wait_for(1)?;
                // A submission of its own while somebody waits for its progress.
                drop(filled(&device, 64, 0.0).map_err(text)?);
                check(&device, &hash, WORDS, value, &format!("user {} of {USERS}", user + 1))
            })
        })
        .collect();
    used.wait_for(USERS as u32)?;
    std::thread::spawn(move || drop(made)).join().map_err(|_| "the dropping thread panicked".to_owned())?;
    let poison: Vec<Buffer> = (0..4).map(|_| poisoned(&device, WORDS)).collect::<Result<_, _>>().map_err(text)?;
    // Limbo wants to see how far the users have come; each of them submits once more and records it.
    device.trim();
    dropped.advance();
    let mut verdict = Ok(());
    for handle in handles {
        verdict = verdict.and(handle.join().map_err(|_| "a user panicked".to_owned())?);
    }
    verdict?;
    let late = device.evidence().count(Step::LateSecondUser);
    drop((poison, pin));
    at_rest(&device)?;
    if late == 0 { Err("the block met no second user".to_owned()) } else { Ok(()) }
}

/// Twelve streams read one buffer again and again, which its maker drops in the middle. Every stream is noted once, and none is forgotten.
fn weights(plan: &Plan, run: u64) -> Verdict {
    const STREAMS: usize = 12;
    let device = opened(&queued(plan), plan.seed ^ run, STREAMS + 1)?;
    let value = 0.5 + run as f32;
    // As above: keeps the segment.
    let pin = filled(&device, 64, 0.0).map_err(text)?;
    let weights = filled(&device, WORDS, value).map_err(text)?;
    let used = Arc::new(Steps::default());
    let handles: Vec<_> = (0..STREAMS)
        .map(|stream| {
            let (device, theirs, used) = (device.clone(), weights.clone(), used.clone());
            std::thread::spawn(move || -> Verdict { read_often(&device, theirs, &used, stream, value) })
        })
        .collect();
    used.wait_for(STREAMS as u32)?;
    drop(weights);
    let verdict = overwrite(&device);
    let mut readers = Ok(());
    for handle in handles {
        readers = readers.and(handle.join().map_err(|_| "a reader panicked".to_owned())?);
    }
    readers.and(verdict)?;
    drop(pin);
    zero("leases given back twice", device.evidence().count(Step::DoubleReturn))?;
    at_rest(&device)
}

/// Reads three times: the last time behind long work, after which the handle is gone.
fn read_often(device: &Device, theirs: Buffer, used: &Steps, stream: usize, value: f32) -> Verdict {
    let mut hashes = Vec::new();
    for round in 0..3 {
        if round == 2 {
            spin(device, 1_000 + 400 * stream as u32).map_err(text)?;
        }
        hashes.push(fingerprint(device, &theirs, WORDS).map_err(text)?);
    }
    drop(theirs);
    used.advance();
    let who = format!("stream {stream} of the shared weights");
    hashes.iter().try_for_each(|hash| check(device, hash, WORDS, value, &who))
}

/// Poison over whatever the allocator gives out, again and again while the readers are at work.
fn overwrite(device: &Device) -> Verdict {
    for _ in 0..6 {
        let poison: Vec<Buffer> = (0..3).map(|_| poisoned(device, WORDS)).collect::<Result<_, _>>().map_err(text)?;
        device.synchronize().map_err(text)?;
        drop(poison);
        device.trim();
    }
    Ok(())
}
