//! Rows of a table, chosen by number.

use super::number::Element;

/// Row `i` of `out` is row `indices[i]` of `table`, of which every `width` elements are a row; zeros where the table has no such row.
pub fn index_select<T: Element>(out: &mut [T], width: usize, table: &[T], indices: &[i64]) {
    let rows = table.len() / width.max(1);
    for (out, index) in out.chunks_exact_mut(width.max(1)).zip(indices) {
        match usize::try_from(*index) {
            Ok(row) if row < rows => out.copy_from_slice(&table[row * width..][..width]),
            _ => out.fill(T::default()),
        }
    }
}
