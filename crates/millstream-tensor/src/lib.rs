//! Tensors and their operations.
