//! The tables of the documents.

/// Rows of the tables in a document whose head names this.
pub fn rows(document: &'static str, head: &str) -> Vec<Vec<&'static str>> {
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
    let mut all = Vec::new();
    let mut inside = false;
    for line in document.lines() {
        let is_row = line.starts_with('|');
        if is_row && inside && !line.starts_with("|--") {
            all.push(cells(line));
        }
        inside = is_row && (inside || cells(line).contains(&head));
    }
    all
}
