//! Tables of a page, by the titles of their columns.

/// The rows of the table whose first columns have these titles; a first cell that is empty is that of the row above. None where there is no
/// such table.
pub fn rows(page: &str, titles: &[&str]) -> Vec<Vec<String>> {
    let lines = page.lines().skip_while(|line| !cells(line).iter().map(String::as_str).eq(titles.iter().copied()));
    let mut rows: Vec<Vec<String>> = Vec::new();
    for line in lines.skip(2).take_while(|line| line.starts_with('|')) {
        let mut row = cells(line);
        if let (Some(first), Some(above)) = (row.first_mut(), rows.last())
            && first.is_empty()
        {
            first.clone_from(&above[0]);
        }
        row.resize(titles.len(), String::new());
        rows.push(row);
    }
    rows
}

fn cells(line: &str) -> Vec<String> {
    let inside = line.strip_prefix('|').and_then(|line| line.trim_end().strip_suffix('|'));
    inside.map_or_else(Vec::new, |inside| inside.split('|').map(|cell| cell.trim().to_owned()).collect())
}

/// What stands in backticks.
pub fn ticked(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// What stands in backticks, with the word before it.
pub fn kinds(cell: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = cell.split('`').collect();
    parts.chunks_exact(2).map(|pair| (pair[0].trim_matches([' ', ',']), pair[1])).collect()
}
