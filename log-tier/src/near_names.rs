//! Near names: what a mistyped name was probably meant to be, for the errors of every crate.

#[cfg(test)]
mod tests;

/// How many names are offered at most: more is a listing, not a hint.
const SUGGESTIONS_MAX: usize = 3;

/// Names longer than this are not compared: the distance takes the product of both lengths.
const NAME_CHARACTERS_MAX: usize = 256;

/// The names of `known` that `asked` is probably a slip for, nearest first, at most three.
#[must_use]
pub fn near_names<'a>(asked: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let asked_letters = letters_of(asked);
    if asked_letters.len() > NAME_CHARACTERS_MAX {
        return Vec::new();
    }
    // A third of the letters may differ: fewer misses real slips, more offers strangers.
    let distance_max = (asked_letters.len() / 3).max(1);
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .filter(|name| *name != asked && name.chars().count() <= NAME_CHARACTERS_MAX)
        .map(|name| (edit_distance(&asked_letters, &letters_of(name)), name))
        .filter(|(distance, _)| *distance <= distance_max)
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(SUGGESTIONS_MAX).map(|(_, name)| name).collect()
}

/// `; did you mean "a", "b" or "c"?`, or nothing when no name is near: an error's last clause.
#[must_use]
pub fn did_you_mean<'a>(asked: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near: Vec<String> =
        near_names(asked, known).into_iter().map(|name| format!("{name:?}")).collect();
    match near.split_last() {
        None => String::new(),
        Some((last, [])) => format!("; did you mean {last}?"),
        Some((last, others)) => format!("; did you mean {} or {last}?", others.join(", ")),
    }
}

/// Names are compared without regard to case, and `-` is taken for `_`.
fn letters_of(name: &str) -> Vec<char> {
    name.chars().flat_map(char::to_lowercase).map(|c| if c == '-' { '_' } else { c }).collect()
}

/// The fewest insertions, deletions, replacements and swaps of neighbours from `from` to `to`.
fn edit_distance(from: &[char], to: &[char]) -> usize {
    // Three rows of the table are alive at a time: row[t] is the distance of the letters of
    // `from` read so far to the first t letters of `to`.
    let mut row_before_last = vec![0; to.len() + 1];
    let mut row_last: Vec<usize> = (0..=to.len()).collect();
    let mut row = vec![0; to.len() + 1];
    for f in 1..=from.len() {
        row[0] = f;
        for t in 1..=to.len() {
            let replaced = row_last[t - 1] + usize::from(from[f - 1] != to[t - 1]);
            row[t] = replaced.min(row_last[t] + 1).min(row[t - 1] + 1);
            let swapped = f > 1 && t > 1 && from[f - 1] == to[t - 2] && from[f - 2] == to[t - 1];
            if swapped {
                row[t] = row[t].min(row_before_last[t - 2] + 1);
            }
        }
        std::mem::swap(&mut row_before_last, &mut row_last);
        std::mem::swap(&mut row_last, &mut row);
    }
    row_last[to.len()]
}
