//! What can go wrong around a round, by what the caller would do about it.
//!
//! A finding is not an error: it belongs to the round. Errors here are about files: a tree that is not one, a ledger
//! that is damaged or busy, a folder that cannot be written. Each knows the exit code of the command line.

use std::io;
use std::path::PathBuf;

use crate::ledger::LedgerError;
use crate::open::Absent;

/// An error of the verification crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The ledger could not be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The folder named as the source is not inside a tree of this project.
    #[error(
        "{} is not in a millstream source tree (no crates/millstream-verify/Cargo.toml at or above it)",
        path.display()
    )]
    NotATree {
        /// The folder as given.
        path: PathBuf,
    },
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A report could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The text is not the JSON of a round.
    #[error("not the JSON of a round")]
    NotARound {
        /// Where and why the parser stopped.
        source: serde_json::Error,
    },
    /// The text is JSON of a round of another schema.
    #[error("the round has schema {found:?}, this binary reads {expected:?}")]
    Schema {
        /// The schema in the file.
        found: String,
        /// The schema of this binary.
        expected: &'static str,
    },
    /// The device of the round cannot be opened.
    #[error(transparent)]
    Absent(#[from] Absent),
    /// The stress would not fit into the device's memory.
    #[error(
        "{threads} threads with matrices [{size}, {size}] need {needed} bytes (5 matrices each), device {device} has {available}: \
         use a smaller --size or fewer --threads"
    )]
    TooLarge {
        /// Threads asked for.
        threads: usize,
        /// Side of the matrices asked for.
        size: usize,
        /// The device.
        device: String,
        /// Bytes that the threads hold at once.
        needed: u128,
        /// Bytes that the device has.
        available: usize,
    },
    /// No attempt has this id.
    #[error("there is no attempt {id:?}: the attempts are {known}")]
    UnknownAttempt {
        /// As asked for.
        id: String,
        /// The ids there are.
        known: String,
    },
    /// The attempt is about a model, and none is there.
    #[error("attempt {id} needs a model: name its folder with --model")]
    NoModel {
        /// The attempt.
        id: &'static str,
    },
    /// The folder of the model is no model, or not one that is supported.
    #[cfg(feature = "models")]
    #[error(transparent)]
    Model(#[from] millstream::models::Error),
    /// The attempt has probes that run in processes of their own.
    #[error("attempt {id} starts processes of its own: name the millstream binary with `Rounds::binary`")]
    NeedsBinary {
        /// The attempt.
        id: String,
    },
    /// A round of another subject cannot be replayed by this binary.
    #[error(
        "the round belongs to another subject: it needs a build of source {source_sha256} ({rustc}, features {features}), \
         this binary is of source {built}"
    )]
    OtherSubject {
        /// Hash of the sources that the round needs.
        source_sha256: String,
        /// Its compiler.
        rustc: String,
        /// Its features.
        features: String,
        /// Hash of the sources of this binary.
        built: String,
    },
    /// The round file holds a value that this binary cannot run.
    #[error("the round cannot be replayed: {why}")]
    NotReplayable {
        /// What does not fit.
        why: String,
    },
    /// A build without the feature was asked for what the feature adds.
    #[error("this build has no {feature}: run `{command}`")]
    FeatureAbsent {
        /// Name of the feature.
        feature: &'static str,
        /// The command that has it.
        command: &'static str,
    },
}

impl Error {
    /// The exit code of the command line for this error: 64 bad input, 65 damaged data, 69 absent, 70 internal, 73 cannot
    /// write, 75 busy.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Ledger(error) => error.exit_code(),
            Error::NotATree { .. }
            | Error::TooLarge { .. }
            | Error::UnknownAttempt { .. }
            | Error::NoModel { .. }
            | Error::NeedsBinary { .. } => 64,
            #[cfg(feature = "models")]
            Error::Model(error) => of_model(error),
            Error::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => 64,
            Error::Read { .. } => 70,
            Error::Write { .. } => 73,
            Error::NotARound { .. } | Error::Schema { .. } => 65,
            Error::OtherSubject { .. } | Error::NotReplayable { .. } => 65,
            Error::Absent(_) | Error::FeatureAbsent { .. } => 69,
        }
    }
}

/// The exit code of an error of a model: 64 bad input, 65 damaged files, 70 internal.
#[cfg(feature = "models")]
fn of_model(error: &millstream::models::Error) -> u8 {
    use millstream::models::Error as Model;
    use millstream::{Error as Tensor, RuntimeError};
    match error {
        Model::Damaged { .. } | Model::NoTensor { .. } | Model::Shape { .. } | Model::WeightType { .. } => 65,
        Model::Tensor(Tensor::Runtime(RuntimeError::OutOfMemory { .. })) => 64,
        Model::Tensor(_) => 70,
        _ => 64,
    }
}
