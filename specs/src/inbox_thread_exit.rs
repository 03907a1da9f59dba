//! The way home of blocks that are freed on another thread, while their home thread may exit at any time.
//!
//! It exists because the inbox belongs to the stream slot and outlives the thread that fills or empties it; it changes
//! when pushing, emptying, flushing or leaving does. The pool lock is one step. It does not model how a slot is claimed
//! (`lease_and_permits`), device order (`stamps_and_reuse`), the shutdown of the pool (`shutdown_and_flush`), nor the
//! owner word by which an idle owner's cache is taken.
//!
//! **Life** of a thread: away, running with a lease, flushed, without a lease, gone. What it still holds after the
//! flush goes to the inboxes. Of a trim: any inbox at any time; when all threads have gone, one last pass over all.
//!
//! **Invariants**
//! - `no-block-lost`: every block is in a hand, a cache, a chain or a pool.
//! - `no-block-twice`: no block is in two of these places, or in one of them twice.
//! - `trim-brings-all-home`: after the last pass of a trim every block is in the pool of its home.
//! - `no-deadlock`: where nothing can move, all threads have gone and the last pass has ended.
//!
//! **Checked by** `tests/cases.rs`; the code by the loom cases `inbox`.

use stateright::{Model, Property};

use crate::check::{Case, can_move, protocol};

/// The bugs that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Only the first lessee of a slot empties its inbox.
    StrandedInbox,
    /// The push stores the head without comparing.
    PushWithoutCompare,
    /// The exiting thread does not flush its cache.
    CacheNotFlushed,
    /// The exiting thread does not give its lease back.
    LeaseKept,
}

/// One configuration of the model.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Threads, each of which lives once.
    pub threads: usize,
    /// Stream slots.
    pub slots: usize,
    /// Blocks; block `b` is at home in slot `b % slots`.
    pub blocks: usize,
    /// The planted bug.
    pub bug: Option<Bug>,
}

/// Where a thread, or the trim, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// Has no lease yet.
    Away,
    /// Works with a lease; nothing under way.
    Running,
    /// Frees this block to its home's inbox: about to load the head.
    Push(usize),
    /// Loaded this head, about to write it into the block's link.
    Link(usize, Option<usize>),
    /// Wrote the link, about to swing the head if it is still this.
    Swing(usize, Option<usize>),
    /// Took the chain that begins here from this slot's inbox.
    Took(usize, usize),
    /// Flushed its cache, about to give the lease back.
    Flushed,
    /// Without a lease; what it holds goes to the inboxes.
    Late,
    /// Nothing left to do.
    Gone,
}

/// A state of slots, blocks, threads and the trim.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    lessee: Vec<Option<usize>>, // who has the lease of each slot
    first: Vec<Option<usize>>,  // `StrandedInbox`: who had it first
    head: Vec<Option<usize>>,   // the head of each slot's inbox
    link: Vec<Option<usize>>,   // the link of each block; cleared when a chain is taken apart
    pool: Vec<u8>,              // the blocks in each slot's pool, as a mask
    at: Vec<At>,                // each thread's place
    slot: Vec<usize>,           // each thread's slot while it has a lease
    cache: Vec<u8>,             // the blocks in each thread's cache, as a mask
    held: Vec<u8>,              // the blocks in each thread's hands, as a mask
    trim: At,                   // the trim: `Running` between two inboxes, `Gone` after its last pass
    to_visit: usize,            // the slots that the last pass has yet to visit
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The thread claims the slot.
    Claim(usize, usize),
    /// The thread takes a block from its cache, else from its stream's pool.
    Allocate(usize),
    /// The first thread hands the block to the second.
    Give(usize, usize, usize),
    /// The thread frees the block.
    Free(usize, usize),
    /// The thread takes the chain of its slot's inbox.
    Drain(usize),
    /// The thread flushes its cache and begins to exit.
    Exit(usize),
    /// The thread goes on with what it has begun.
    Go(usize),
    /// The trim takes the chain of this slot's inbox.
    Trim(usize),
    /// The trim goes on with what it has begun.
    TrimGoes,
}

fn members(mask: u8) -> impl Iterator<Item = usize> {
    (0..8).filter(move |block| mask & (1 << block) != 0)
}

impl State {
    /// The blocks of a chain; a chain that bites its tail is cut off at twice the number of blocks.
    fn chain(&self, head: Option<usize>) -> Vec<usize> {
        std::iter::successors(head, |block| self.link[*block]).take(2 * self.link.len()).collect()
    }

    /// Takes a private chain apart and answers its blocks as a mask.
    fn unlink(&mut self, first: usize) -> u8 {
        let blocks = self.chain(Some(first));
        blocks.into_iter().fold(0, |mask, block| {
            self.link[block] = None;
            mask | 1 << block
        })
    }

    /// How often each block is somewhere.
    fn places(&self) -> Vec<usize> {
        let mut count = vec![0; self.link.len()];
        let masks = self.pool.iter().chain(&self.cache).chain(&self.held);
        masks.flat_map(|mask| members(*mask)).for_each(|block| count[block] += 1);
        let inboxes = self.head.iter().copied();
        let taken = self.at.iter().chain([&self.trim]).map(|at| match at {
            At::Took(_, first) => Some(*first),
            _ => None,
        });
        inboxes.chain(taken).flat_map(|head| self.chain(head)).for_each(|block| count[block] += 1);
        count
    }
}

impl Config {
    fn home(&self, block: usize) -> usize {
        block % self.slots
    }

    fn may_drain(&self, s: &State, slot: usize, thread: Option<usize>) -> bool {
        s.head[slot].is_some() && (!self.has(Bug::StrandedInbox) || (thread.is_some() && s.first[slot] == thread))
    }

    fn thread_actions(&self, s: &State, t: usize, actions: &mut Vec<Step>) {
        match s.at[t] {
            At::Away => {
                let free = (0..self.slots).filter(|slot| s.lessee[*slot].is_none());
                actions.extend(free.map(|slot| Step::Claim(t, slot)));
            }
            At::Running => {
                if s.cache[t] != 0 || s.pool[s.slot[t]] != 0 {
                    actions.push(Step::Allocate(t));
                }
                for block in members(s.held[t]) {
                    actions.push(Step::Free(t, block));
                    let others = (0..self.threads).filter(|other| *other != t && s.at[*other] == At::Running);
                    actions.extend(others.map(|other| Step::Give(t, other, block)));
                }
                if self.may_drain(s, s.slot[t], Some(t)) {
                    actions.push(Step::Drain(t));
                }
                actions.push(Step::Exit(t));
            }
            At::Late if s.held[t] != 0 => actions.extend(members(s.held[t]).map(|block| Step::Free(t, block))),
            At::Gone => {}
            _ => actions.push(Step::Go(t)),
        }
    }

    fn trim_actions(&self, s: &State, actions: &mut Vec<Step>) {
        match s.trim {
            At::Running => {
                let slots = (0..self.slots).filter(|slot| self.may_drain(s, *slot, None));
                actions.extend(slots.map(Step::Trim));
                if s.at.iter().all(|at| *at == At::Gone) {
                    actions.push(Step::TrimGoes);
                }
            }
            At::Gone => {}
            _ => actions.push(Step::TrimGoes),
        }
    }

    fn allocate(&self, s: &mut State, t: usize) {
        let from = if s.cache[t] != 0 { &mut s.cache[t] } else { &mut s.pool[s.slot[t]] };
        let block = *from & from.wrapping_neg();
        *from &= !block;
        s.held[t] |= block;
    }

    fn free(&self, s: &mut State, t: usize, block: usize) {
        if s.at[t] == At::Running && self.home(block) == s.slot[t] {
            s.held[t] &= !(1 << block);
            s.cache[t] |= 1 << block;
        } else {
            s.at[t] = At::Push(block);
        }
    }

    fn go(&self, s: &mut State, t: usize) {
        match s.at[t] {
            At::Push(block) => s.at[t] = At::Link(block, s.head[self.home(block)]),
            At::Link(block, seen) => {
                s.link[block] = seen;
                s.at[t] = At::Swing(block, seen);
            }
            At::Swing(block, seen) => {
                let home = self.home(block);
                if s.head[home] == seen || self.has(Bug::PushWithoutCompare) {
                    s.head[home] = Some(block);
                    s.held[t] &= !(1 << block);
                    s.at[t] = if s.lessee.contains(&Some(t)) { At::Running } else { At::Late };
                } else {
                    s.link[block] = None;
                    s.at[t] = At::Link(block, s.head[home]);
                }
            }
            At::Took(_, first) => {
                s.cache[t] |= s.unlink(first);
                s.at[t] = At::Running;
            }
            At::Flushed => {
                if !self.has(Bug::LeaseKept) {
                    s.lessee[s.slot[t]] = None;
                }
                s.slot[t] = 0;
                s.at[t] = At::Late;
            }
            At::Late => s.at[t] = At::Gone,
            At::Away | At::Running | At::Gone => {}
        }
    }

    fn exit(&self, s: &mut State, t: usize) {
        let cached = std::mem::take(&mut s.cache[t]);
        if !self.has(Bug::CacheNotFlushed) {
            s.pool[s.slot[t]] |= cached;
        }
        s.at[t] = At::Flushed;
    }

    /// The trim's private chain goes to its slot's pool; the last pass visits the slots in turn.
    fn trim_goes(&self, s: &mut State) {
        match s.trim {
            At::Took(slot, first) => {
                s.pool[slot] |= s.unlink(first);
                s.trim = At::Running;
            }
            _ if s.to_visit == 0 => s.trim = At::Gone,
            _ => {
                s.to_visit -= 1;
                if self.may_drain(s, s.to_visit, None) {
                    self.take_for_trim(s, s.to_visit);
                }
            }
        }
    }

    fn take_for_trim(&self, s: &mut State, slot: usize) {
        if let Some(first) = s.head[slot].take() {
            s.trim = At::Took(slot, first);
        }
    }
}

impl Model for Config {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let at_home = |slot: usize| (slot..self.blocks).step_by(self.slots).fold(0, |mask, block| mask | 1 << block);
        vec![State {
            lessee: vec![None; self.slots],
            first: vec![None; self.slots],
            head: vec![None; self.slots],
            link: vec![None; self.blocks],
            pool: (0..self.slots).map(at_home).collect(),
            at: vec![At::Away; self.threads],
            slot: vec![0; self.threads],
            cache: vec![0; self.threads],
            held: vec![0; self.threads],
            trim: At::Running,
            to_visit: self.slots,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        for thread in 0..self.threads {
            self.thread_actions(state, thread, actions);
        }
        self.trim_actions(state, actions);
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut s = last.clone();
        match step {
            Step::Claim(t, slot) => {
                s.lessee[slot] = Some(t);
                if self.has(Bug::StrandedInbox) {
                    s.first[slot] = s.first[slot].or(Some(t));
                }
                s.slot[t] = slot;
                s.at[t] = At::Running;
            }
            Step::Allocate(t) => self.allocate(&mut s, t),
            Step::Give(from, to, block) => {
                s.held[from] &= !(1 << block);
                s.held[to] |= 1 << block;
            }
            Step::Free(t, block) => self.free(&mut s, t, block),
            Step::Drain(t) => {
                if let Some(first) = s.head[s.slot[t]].take() {
                    s.at[t] = At::Took(s.slot[t], first);
                }
            }
            Step::Exit(t) => self.exit(&mut s, t),
            Step::Go(t) => self.go(&mut s, t),
            Step::Trim(slot) => self.take_for_trim(&mut s, slot),
            Step::TrimGoes => self.trim_goes(&mut s),
        }
        Some(s)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no-block-lost", |_, s: &State| s.places().iter().all(|count| *count >= 1)),
            Property::always("no-block-twice", |_, s: &State| s.places().iter().all(|count| *count <= 1)),
            Property::always("trim-brings-all-home", |m: &Self, s: &State| {
                let is_home = |block: usize| s.pool[m.home(block)] & (1 << block) != 0;
                s.trim != At::Gone || (0..m.blocks).all(is_home)
            }),
            Property::always("no-deadlock", |m: &Self, s: &State| can_move(m, s) || s.trim == At::Gone),
            Property::sometimes("a push meets a moved head", |m: &Self, s: &State| {
                s.at.iter().any(|at| matches!(at, At::Swing(block, seen) if s.head[m.home(*block)] != *seen))
            }),
            Property::sometimes("a push goes to a slot without a lessee", |m: &Self, s: &State| {
                s.at.iter().any(|at| matches!(at, At::Push(block) if s.lessee[m.home(*block)].is_none()))
            }),
        ]
    }
}

const TWO: Config = Config { threads: 2, slots: 1, blocks: 3, bug: None };
const THREE: Config = Config { threads: 3, slots: 2, ..TWO };

protocol!("inbox_thread_exit");

/// Every configuration, with what must come out.
pub const CASES: &[Case<Config>] = &[
    Case::holds("2 threads, 1 slot, 3 blocks", TWO, 8_154),
    Case::holds("3 threads, 1 slot, 3 blocks", Config { slots: 1, ..THREE }, 77_600),
    Case::holds("3 threads, 2 slots, 3 blocks", THREE, 148_494),
    Case::holds("2 threads, 2 slots, 4 blocks", Config { slots: 2, blocks: 4, ..TWO }, 102_972),
    Case::fails("inbox left to its first lessee", THREE.with(Bug::StrandedInbox), "trim-brings-all-home"),
    Case::fails("push stores without comparing, a block is lost", THREE.with(Bug::PushWithoutCompare), "no-block-lost"),
    Case::fails(
        "push stores without comparing, a block is twice",
        THREE.with(Bug::PushWithoutCompare),
        "no-block-twice",
    ),
    Case::fails("cache not flushed at exit", THREE.with(Bug::CacheNotFlushed), "no-block-lost"),
    Case::fails("lease kept at exit", THREE.with(Bug::LeaseKept), "no-deadlock"),
];
