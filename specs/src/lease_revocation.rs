//! The lease of an idle thread, taken away by one that wants its stream.
//!
//! It exists because the taking races with the owner's next operation, with its exit, with the drop of the handles that keep the
//! lease, and with the block that the owner frees meanwhile; it changes when that protocol does. It does not model who is idle for
//! long enough, how a freed slot is given to those who wait (`lease_and_permits`), or leases that are shared.
//!
//! **Life** of the owner: outside, inside, leaving an operation; closing, flushing, giving back, gone. Of a rival: wanting, with the
//! bins in its hands, emptying, freeing, using, done. Of a handle: not made, held, dropped.
//!
//! **Invariants**
//! - `never-while-busy`: no rival takes or uses the stream of an owner that is inside an operation.
//! - `never-while-kept`: no lease is revoked while a handle keeps it.
//! - `not-kept-for-ever`: with the owner outside and every handle dropped the lease can be revoked.
//! - `home-before-free`: when the slot is free or another's, the owner's cache is empty, or somebody is about to empty it.
//! - `returned-once`: the slot is given back once, by the owner or by who revoked its lease.
//! - `no-block-lost`: every block is in a hand, the cache, the pool or the inbox.
//!
//! **Checked by** `tests/cases.rs`; the code by the loom cases `lease_word`.

use stateright::{Model, Property};

use crate::check::{Case, protocol};

mod rival;

pub use rival::Rival;

/// The bugs that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The rival takes the lease whatever its owner does.
    RevokeBusy,
    /// The rival looks at the word and then writes it.
    LookThenRevoke,
    /// The owner leaves an operation without a look at the handles.
    HandlesForgotten,
    /// The owner does not look at the handles again after it left the word at kept.
    NoSecondLook,
    /// A kept word is like another: the drop of a handle does not see that the owner has been inside meanwhile.
    NoNumber,
    /// The drop of the last handle does not look whether there are new ones.
    NewHandleForgotten,
    /// The slot is freed before the cache is emptied.
    FreedFirst,
    /// The owner puts a block into its cache without a look at the word.
    CachedAfter,
    /// The owner gives back without a look at the word.
    GivenBackTwice,
    /// What was in the cache is dropped.
    CacheDropped,
    /// Who had the bins in vain does not look whether the owner closed the lease meanwhile.
    LeftBehind,
}

/// One configuration of the model.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Threads that want the stream.
    pub rivals: usize,
    /// Operations of the owner.
    pub operations: u8,
    /// Handles that the owner makes at most, each dropped by a thread of its own.
    pub handles: usize,
    /// Blocks that the owner has in its hand.
    pub blocks: u8,
    /// The planted bug.
    pub bug: Option<Bug>,
}

/// The word of the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Word {
    /// The owner is outside and nobody keeps it.
    Idle,
    /// The owner is inside.
    Busy,
    /// The owner is outside and a handle keeps it; each time another number.
    Kept(u8),
    /// It was taken away.
    Revoked,
    /// The owner gives it back.
    Closed,
}

/// Where the owner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// Outside of every operation.
    Outside,
    /// Inside one.
    Inside,
    /// Saw no handle, about to make the word idle.
    EndingIdle,
    /// Saw a handle, about to make the word kept.
    EndingKept,
    /// Made it kept, about to look at the handles again.
    LookingAgain,
    /// Closed the word, about to flush its cache.
    Flushing,
    /// About to give the slot back.
    GivingBack,
    /// Has no lease any more.
    Gone,
}

/// Where a handle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Handle {
    /// Not made yet.
    None,
    /// Held.
    Held,
    /// Counted off as the last one, about to look at the word.
    Last,
    /// Saw the word kept with this number, about to look for new handles.
    Saw(u8),
    /// Saw none, about to make the word idle if it is still that.
    Sure(u8),
    /// Dropped.
    Dropped,
}

/// A state of the lease and its threads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    word: Word,           // the lease
    count: u8,            // handles, as counted
    kept: u8,             // how often the owner has left the word at kept
    bins: Option<usize>,  // the rival that has the owner word of the cache
    claims: i8,           // claims on the slot; free at zero
    owner: Owner,         // the owner
    operations: u8,       // operations that it will make
    in_hand: u8,          // blocks in its hand
    cached: u8,           // blocks in its cache
    home: u8,             // blocks in the pool and the inbox
    rivals: Vec<Rival>,   // each rival's place
    handles: Vec<Handle>, // each handle's place
}

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The owner goes on with its operation, its end or its exit; or begins an operation.
    Go,
    /// The owner makes this handle.
    Make(usize),
    /// The owner frees a block.
    Free,
    /// The owner leaves the device.
    Close,
    /// The handle's thread goes on.
    Drop(usize),
    /// The rival goes on.
    Want(usize),
}

impl Config {
    fn owner_goes(&self, s: &mut State) {
        match s.owner {
            Owner::Outside => {
                s.operations -= 1;
                s.owner = match s.word {
                    Word::Revoked => Owner::Gone,
                    _ => Owner::Inside,
                };
                if s.owner == Owner::Inside {
                    s.word = Word::Busy;
                }
            }
            Owner::Inside if s.count == 0 || self.has(Bug::HandlesForgotten) => s.owner = Owner::EndingIdle,
            Owner::Inside => s.owner = Owner::EndingKept,
            Owner::EndingIdle => (s.word, s.owner) = (Word::Idle, Owner::Outside),
            Owner::EndingKept => {
                s.kept += 1;
                s.word = Word::Kept(s.kept);
                s.owner = if self.has(Bug::NoSecondLook) { Owner::Outside } else { Owner::LookingAgain };
            }
            Owner::LookingAgain => {
                if s.count == 0 && s.word == Word::Kept(s.kept) {
                    s.word = Word::Idle;
                }
                s.owner = Owner::Outside;
            }
            Owner::Flushing => {
                // Never waits: who has the bins takes what is in them.
                if s.bins.is_none() {
                    s.home += std::mem::take(&mut s.cached);
                }
                s.owner = Owner::GivingBack;
            }
            Owner::GivingBack => {
                s.claims -= 1;
                s.owner = Owner::Gone;
            }
            Owner::Gone => {}
        }
    }

    fn owner_can_go(&self, s: &State) -> bool {
        match s.owner {
            Owner::Outside => s.operations > 0,
            Owner::Gone => false,
            _ => true,
        }
    }

    /// A block that the owner frees outside of an operation: into the cache if it is the owner's, else to the inbox.
    fn free(&self, s: &mut State) {
        s.in_hand -= 1;
        let own = !matches!(s.word, Word::Revoked | Word::Closed) || self.has(Bug::CachedAfter);
        if s.bins.is_none() && own && s.owner != Owner::Gone {
            s.cached += 1;
        } else {
            s.home += 1;
        }
    }

    fn drops(&self, s: &mut State, handle: usize) {
        match s.handles[handle] {
            Handle::Held => {
                s.count -= 1;
                s.handles[handle] = if s.count == 0 { Handle::Last } else { Handle::Dropped };
            }
            Handle::Last => {
                s.handles[handle] = match s.word {
                    Word::Kept(number) => Handle::Saw(number),
                    _ => Handle::Dropped,
                };
            }
            Handle::Saw(number) => {
                let sure = s.count == 0 || self.has(Bug::NewHandleForgotten);
                s.handles[handle] = if sure { Handle::Sure(number) } else { Handle::Dropped };
            }
            Handle::Sure(number) => {
                let same = match s.word {
                    Word::Kept(now) => now == number || self.has(Bug::NoNumber),
                    _ => false,
                };
                if same {
                    s.word = Word::Idle;
                }
                s.handles[handle] = Handle::Dropped;
            }
            Handle::None | Handle::Dropped => {}
        }
    }
}

impl State {
    fn rival_has_it(&self) -> bool {
        self.rivals.iter().any(|rival| matches!(rival, Rival::Emptying | Rival::Freeing | Rival::Using))
    }

    fn was_revoked(&self) -> bool {
        self.word == Word::Revoked
    }
}

impl Model for Config {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            word: Word::Idle,
            count: 0,
            kept: 0,
            bins: None,
            claims: 1,
            owner: Owner::Outside,
            operations: self.operations,
            in_hand: self.blocks,
            cached: 0,
            home: 0,
            rivals: vec![Rival::Wanting; self.rivals],
            handles: vec![Handle::None; self.handles],
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Step>) {
        if self.owner_can_go(state) {
            actions.push(Step::Go);
        }
        if state.owner == Owner::Inside
            && let Some(handle) = state.handles.iter().position(|handle| *handle == Handle::None)
        {
            actions.push(Step::Make(handle));
        }
        if matches!(state.owner, Owner::Outside | Owner::Gone) && state.in_hand > 0 {
            actions.push(Step::Free);
        }
        if state.owner == Owner::Outside {
            actions.push(Step::Close);
        }
        for (handle, at) in state.handles.iter().enumerate() {
            if !matches!(at, Handle::None | Handle::Dropped) {
                actions.push(Step::Drop(handle));
            }
        }
        actions.extend((0..self.rivals).filter(|rival| self.can_want(state, *rival)).map(Step::Want));
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::Go => self.owner_goes(&mut state),
            Step::Make(handle) => {
                state.count += 1;
                state.handles[handle] = Handle::Held;
            }
            Step::Free => self.free(&mut state),
            Step::Close => {
                let own = state.word != Word::Revoked || self.has(Bug::GivenBackTwice);
                state.owner = if own { Owner::Flushing } else { Owner::Gone };
                if state.word != Word::Revoked {
                    state.word = Word::Closed;
                }
            }
            Step::Drop(handle) => self.drops(&mut state, handle),
            Step::Want(rival) => self.wants(&mut state, rival),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("never-while-busy", |_, s: &State| {
                !((s.rival_has_it() || s.was_revoked()) && s.owner == Owner::Inside)
            }),
            Property::always("home-before-free", |_, s: &State| {
                let others = s.claims == 0 || s.rivals.contains(&Rival::Using);
                let under_way = s.rivals.iter().any(|rival| matches!(rival, Rival::Revoking | Rival::LookingBack));
                !(others && s.cached > 0 && !under_way)
            }),
            Property::always("returned-once", |_, s: &State| {
                let using = s.rivals.iter().filter(|rival| **rival == Rival::Using).count();
                s.claims >= 0 && using <= 1
            }),
            Property::always("no-block-lost", |m: &Self, s: &State| s.in_hand + s.cached + s.home == m.blocks),
            Property::sometimes("a lease is revoked", |_, s: &State| s.was_revoked()),
            Property::sometimes("an owner closes first", |_, s: &State| s.word == Word::Closed),
        ];
        if self.handles > 0 {
            properties.push(Property::always("never-while-kept", |_, s: &State| {
                !(s.was_revoked() && s.handles.contains(&Handle::Held))
            }));
            properties.push(Property::always("not-kept-for-ever", |_, s: &State| {
                let dropped = s.handles.iter().all(|handle| matches!(handle, Handle::None | Handle::Dropped));
                !(matches!(s.word, Word::Kept(_)) && s.owner == Owner::Outside && dropped)
            }));
        }
        properties
    }
}

const PLAIN: Config = Config { rivals: 1, operations: 2, handles: 0, blocks: 1, bug: None };
const RIVALS: Config = Config { rivals: 2, operations: 2, handles: 0, blocks: 2, bug: None };
const KEPT: Config = Config { handles: 1, ..PLAIN };
const TWICE: Config = Config { handles: 2, ..PLAIN };
const FULL: Config = Config { rivals: 2, operations: 3, handles: 2, blocks: 2, bug: None };

protocol!("lease_revocation");

/// Every configuration, with what must come out.
pub const CASES: &[Case<Config>] = &[
    Case::holds("1 rival, 2 operations", PLAIN, 212),
    Case::holds("2 rivals, 2 operations, 2 blocks", RIVALS, 1_223),
    Case::holds("1 rival, 2 operations, 1 handle", KEPT, 1_814),
    Case::holds("1 rival, 2 operations, 2 handles", TWICE, 8_704),
    Case::holds("2 rivals, 3 operations, 2 handles, 2 blocks", FULL, 116_840),
    Case::fails("revoked while busy", PLAIN.with(Bug::RevokeBusy), "never-while-busy"),
    Case::fails("a look and a write for the exchange", PLAIN.with(Bug::LookThenRevoke), "never-while-busy"),
    Case::fails("handles are not looked at", KEPT.with(Bug::HandlesForgotten), "never-while-kept"),
    Case::fails("handles are not looked at again", KEPT.with(Bug::NoSecondLook), "not-kept-for-ever"),
    Case::fails("kept words have no number", TWICE.with(Bug::NoNumber), "never-while-kept"),
    Case::fails("a new handle is not looked for", TWICE.with(Bug::NewHandleForgotten), "never-while-kept"),
    Case::fails("the slot is freed first", PLAIN.with(Bug::FreedFirst), "home-before-free"),
    Case::fails("a block is cached after the revocation", PLAIN.with(Bug::CachedAfter), "home-before-free"),
    Case::fails("given back by the owner too", RIVALS.with(Bug::GivenBackTwice), "returned-once"),
    Case::fails("nobody looks back", PLAIN.with(Bug::LeftBehind), "home-before-free"),
    Case::fails("the cache is dropped", PLAIN.with(Bug::CacheDropped), "no-block-lost"),
];
