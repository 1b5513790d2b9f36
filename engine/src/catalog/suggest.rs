//! Near names, for the error that a misspelt name gets.

/// Most edits between a name and one that is suggested for it.
const EDITS_MAX: usize = 2;
/// Most names suggested.
const NAMES_MAX: usize = 3;

/// The names that resemble `asked`, nearest first.
pub(crate) fn near<'a>(asked: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut near: Vec<(usize, &str)> = names
        .map(|name| (edits(asked, name), name))
        .filter(|(edits, name)| *edits <= EDITS_MAX.min(name.len() / 2) || name.starts_with(asked))
        .collect();
    near.sort_unstable();
    near.into_iter().take(NAMES_MAX).map(|(_, name)| name.to_owned()).collect()
}

/// The fewest insertions, removals and replacements of a byte that make one name the other.
fn edits(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}
