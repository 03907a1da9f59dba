//! Standard output and standard error, without a panic when either is closed.

use std::io::{self, Write};

use serde::Serialize;

use crate::exit::{Stop, code};

/// One line, or a block of lines, on standard output. Errors: [`Stop::ClosedPipe`], and what else writing gives.
pub fn say(text: &str) -> Result<(), Stop> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}

/// One object on one line. Errors: as [`say`].
pub fn say_json(value: &impl Serialize) -> Result<(), Stop> {
    let text = serde_json::to_string(value)
        .map_err(|error| Stop::Error(code::INTERNAL, format!("a result has no JSON: {error}")))?;
    say(&text)
}

/// Objects, one a line, in one piece; nothing for none. Errors: as [`say`].
#[cfg(feature = "models")]
pub fn say_lines(objects: impl Iterator<Item = serde_json::Result<String>>) -> Result<(), Stop> {
    let lines: Vec<String> = objects
        .collect::<serde_json::Result<_>>()
        .map_err(|error| Stop::Error(code::INTERNAL, format!("a result has no JSON: {error}")))?;
    if lines.is_empty() { Ok(()) } else { say(&lines.join("\n")) }
}

/// One line on standard error; where that is closed too, nobody can be told.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Rows as aligned columns, two blanks apart, no blank at the end of a line. Numbers are right-aligned where `right` says so.
pub fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]], right: [bool; N]) -> String {
    let heading = heading.map(str::to_owned);
    let all = || std::iter::once(&heading).chain(rows);
    let width = |column: usize| all().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells: Vec<String> = (0..N)
            .map(|i| {
                let gap = " ".repeat(widths[i].saturating_sub(row[i].chars().count()));
                if right[i] { format!("{gap}{}", row[i]) } else { format!("{}{gap}", row[i]) }
            })
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    all().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_without_blanks() {
        let rows =
            [["a".to_owned(), "1.0".to_owned(), String::new()], ["long".to_owned(), "12.0".to_owned(), "x".to_owned()]];
        let text = table(["Name", "Figure", "Note"], &rows, [false, true, false]);
        assert_eq!(text, "Name  Figure  Note\na        1.0\nlong    12.0  x");
    }
}
