//! The table: every lock of the workspace, and which may be taken inside which.
//!
//! | lock | guards | may be taken inside | re-entrant |
//! |---|---|---|---|
//! | `DeviceState` | caches and rings of a device's threads, its shutdown | nothing | no |
//! | `StreamSlots` | the waiters for a free stream | nothing, `DeviceState` | no |
//! | `StreamSubmit` | the order of one stream: sequence numbers, waits already made | nothing | by its owner |
//! | `BlockPool` | free blocks of one stream | nothing | no |
//! | `SegmentHeap` | segments and the byte budget of a device | nothing, `BlockPool` | no |
//! | `Limbo` | freed blocks that are still in use elsewhere | nothing | no |
//! | `EventPool` | native events at rest | nothing | no |
//! | `ProfilerSink` | the list of profiler rings | nothing | no |
//! | `BatchQueue` | the requests of a batch queue; the answer to one | nothing | no |
//!
//! Two of a kind are never held together. A crate above may declare an isolated lock of its own with [`crate::isolated_lock!`].

/// What the recorder and the reports know of a level.
#[derive(Debug)]
pub struct LevelInfo {
    /// Name as in the table.
    pub name: &'static str,
    /// Whether its owner may enter again.
    pub reentrant: bool,
}

/// A level of the table. An empty type.
pub trait Level: 'static {
    /// The level's entry.
    const INFO: &'static LevelInfo;
}

/// `Self` is held: may a lock of level `Inner` be taken?
#[diagnostic::on_unimplemented(
    message = "a `{Inner}` lock may not be taken while a `{Self}` lock is held",
    label = "this nesting is not in the table of millstream-sync::lock::levels",
    note = "release the outer lock first, or argue for a new row in the table with a decision page"
)]
pub trait MayTake<Inner: Level>: Level {}

/// A level whose owner may enter again.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` lock may not be entered again by its owner",
    label = "this level is not re-entrant",
    note = "use the guard that is held; a level is re-entrant only when the table says so"
)]
pub trait Reentrant: Level {}

/// No lock is held.
#[derive(Debug)]
pub enum Nothing {}

impl Level for Nothing {
    const INFO: &'static LevelInfo = &LevelInfo { name: "nothing", reentrant: false };
}

impl<Inner: Level> MayTake<Inner> for Nothing {}

/// Declares levels in their order, outer ones first, and the allowed nestings. A nesting against that order, and so every cycle,
/// does not compile.
#[macro_export]
macro_rules! lock_table {
    (levels { $($(#[$meta:meta])* $level:ident $(($flag:ident))?;)* } nestings { $($outer:ident > $inner:ident;)* }) => {
        $crate::lock_table!(@levels 0usize; $($(#[$meta])* $level $(($flag))?;)*);
        $(
            impl $crate::lock::MayTake<$inner> for $outer {}
            const _: () = assert!(
                $outer::ORDER < $inner::ORDER,
                concat!("the nesting ", stringify!($outer), " > ", stringify!($inner), " is against the order of the levels: it would close a cycle"),
            );
        )*
        /// Every level, outer ones first.
        pub const LEVELS: &[&$crate::lock::LevelInfo] = &[$(<$level as $crate::lock::Level>::INFO),*];
        /// Every allowed nesting, (held, taken).
        pub const NESTINGS: &[(&str, &str)] = &[$((stringify!($outer), stringify!($inner))),*];
    };
    (@levels $order:expr; $(#[$meta:meta])* $level:ident $(($flag:ident))?; $($rest:tt)*) => {
        $(#[$meta])*
        #[derive(Debug)]
        pub enum $level {}
        impl $level {
            /// Place in the table.
            pub const ORDER: usize = $order;
        }
        impl $crate::lock::Level for $level {
            const INFO: &'static $crate::lock::LevelInfo =
                &$crate::lock::LevelInfo { name: stringify!($level), reentrant: $crate::lock_table!(@flag $($flag)?) };
        }
        $($crate::lock_table!(@flag_trait $flag $level);)?
        $crate::lock_table!(@levels $order + 1; $($rest)*);
    };
    (@levels $order:expr;) => {};
    (@flag_trait reentrant $level:ident) => {
        impl $crate::lock::Reentrant for $level {}
    };
    (@flag reentrant) => { true };
    (@flag) => { false };
}

/// Declares a lock level that is taken alone, for a crate above this one.
#[macro_export]
macro_rules! isolated_lock {
    ($(#[$meta:meta])* $vis:vis $level:ident) => {
        $(#[$meta])*
        #[derive(Debug)]
        $vis enum $level {}
        impl $crate::lock::Level for $level {
            const INFO: &'static $crate::lock::LevelInfo =
                &$crate::lock::LevelInfo { name: stringify!($level), reentrant: false };
        }
    };
}

lock_table! {
    levels {
        /// Caches and rings of a device's threads, its shutdown.
        DeviceState;
        /// Waiters for a free stream.
        StreamSlots;
        /// Order of one stream.
        StreamSubmit (reentrant);
        /// Free blocks of one stream.
        BlockPool;
        /// Segments and byte budget of a device.
        SegmentHeap;
        /// Freed blocks still in use elsewhere.
        Limbo;
        /// Native events at rest.
        EventPool;
        /// List of profiler rings.
        ProfilerSink;
        /// Requests of a batch queue; the answer to one.
        BatchQueue;
    }
    nestings {
        DeviceState > StreamSlots;
        BlockPool > SegmentHeap;
    }
}
