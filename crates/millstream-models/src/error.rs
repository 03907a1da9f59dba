//! What a caller of a model can act on.

use std::path::{Path, PathBuf};

use millstream_hal::DType;
use millstream_sync::Arc;
use millstream_sync::batch_queue::BatchError;

/// Result of a call of a model.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a model. Those of a folder come before anything is computed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the folder cannot be read: absent, no permission, no folder.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// A file of the folder is not what its name says: cut off, or no such format.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The weights lack a tensor of the architecture.
    #[error("{} has no tensor {name}", path.display())]
    NoTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A tensor has not the shape that the configuration says.
    #[error("{}: {name} is {found:?}, {expected:?} is needed", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What the configuration says.
        expected: Vec<usize>,
        /// What the file has.
        found: Vec<usize>,
    },
    /// A tensor has a type that no weight has here.
    #[error("{}: {name} is {found}, F32, F16 or BF16 is needed", path.display())]
    WeightType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The type as the file writes it.
        found: String,
    },
    /// No model of this kind is here.
    #[error("{}: architecture {found} is not supported; supported: {supported}", path.display())]
    Architecture {
        /// `config.json`.
        path: PathBuf,
        /// What it names.
        found: String,
        /// What there is.
        supported: &'static str,
    },
    /// The folder asks for something that is not built.
    #[error("{}: {what} {found} is not supported; supported: {supported}", path.display())]
    Unsupported {
        /// The file that asks.
        path: PathBuf,
        /// What kind of thing.
        what: &'static str,
        /// What it asks for.
        found: String,
        /// What there is.
        supported: &'static str,
    },
    /// A text or a pair has more tokens than the model takes, and cutting it was not asked for.
    #[error("a text or pair of {tokens} tokens, {limit} at most; ask for it to be cut, or split it")]
    TooLong {
        /// Its tokens, special ones included.
        tokens: usize,
        /// Most tokens.
        limit: usize,
    },
    /// More tokens were asked for than the model takes, or fewer than its special ones.
    #[error("{asked} tokens at most were asked for, not in {least}..={most}")]
    Limit {
        /// What was asked for.
        asked: usize,
        /// Special tokens and one more.
        least: usize,
        /// What the model takes.
        most: usize,
    },
    /// The tokenizer does not take a text, or the model does not know what it makes of it.
    #[error("the text cannot be used: {0}")]
    Text(String),
    /// A batch queue did not compute it; what it said.
    #[error("{0}")]
    NotComputed(String),
    /// A device that computes no products of this type, or a failed one, or no memory.
    #[error(transparent)]
    Tensor(#[from] millstream_tensor::Error),
}

/// The model's own error, or what the queue in front of it said.
impl From<BatchError<Error>> for Error {
    fn from(error: BatchError<Error>) -> Self {
        match error {
            BatchError::Work(error) => error,
            other => Self::NotComputed(other.to_string()),
        }
    }
}

impl Error {
    pub(crate) fn read(path: &Path) -> impl Fn(std::io::Error) -> Self {
        |source| Self::Read { path: path.to_owned(), source: Arc::new(source) }
    }

    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.into() }
    }
}

/// The type of a weight by the name that a file gives it.
pub(crate) fn weight_type(name: &str) -> Option<DType> {
    match name {
        "F32" => Some(DType::F32),
        "F16" => Some(DType::F16),
        "BF16" => Some(DType::BF16),
        _ => None,
    }
}
