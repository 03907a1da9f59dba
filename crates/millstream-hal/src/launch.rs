//! One launch: a kernel and its operands.

use crate::{DevicePtr, Kernel};

/// Most operands of a launch, its workspace included.
pub const MAX_OPERANDS: usize = 6;

/// How a kernel touches an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads only.
    Read,
    /// Writes every byte that the kernel's shape names.
    Write,
}

/// A range of memory that a kernel touches. Staging memory is given by its host address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand {
    /// First byte.
    pub ptr: DevicePtr,
    /// Size in bytes.
    pub bytes: usize,
    /// Read or written.
    pub access: Access,
    /// Whether `ptr` is a host address of staging memory.
    pub staging: bool,
}

/// A kernel and its operands, inline: a copy can wait in a queue. `seq` is the position in its stream that completing this launch
/// reaches; the runtime counts it, the backend may report it.
#[derive(Clone, Copy, Debug)]
pub struct Launch {
    /// What to run.
    pub kernel: Kernel,
    /// Position in the stream.
    pub seq: u64,
    operands: [Operand; MAX_OPERANDS],
    len: u8,
}

impl Launch {
    /// A launch of `kernel` over `operands`, outputs first. Panics above [`MAX_OPERANDS`]: a kernel's operands are fixed by its variant.
    #[inline]
    #[must_use]
    pub fn new(kernel: Kernel, seq: u64, operands: &[Operand]) -> Self {
        assert!(operands.len() <= MAX_OPERANDS, "{} operands, at most {MAX_OPERANDS}", operands.len());
        let none = Operand { ptr: DevicePtr(0), bytes: 0, access: Access::Read, staging: false };
        let mut launch = Self { kernel, seq, operands: [none; MAX_OPERANDS], len: 0 };
        operands.iter().for_each(|operand| launch.push(*operand));
        launch
    }

    /// One operand more, behind the others. Panics above [`MAX_OPERANDS`].
    #[inline]
    pub fn push(&mut self, operand: Operand) {
        self.operands[usize::from(self.len)] = operand;
        self.len += 1;
    }

    /// The operands, outputs first.
    #[inline]
    #[must_use]
    pub fn operands(&self) -> &[Operand] {
        &self.operands[..usize::from(self.len)]
    }
}
