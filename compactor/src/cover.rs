//! Covering keys with bases: for each range of keys, the newest of those given.

use foldback_log_tier::KeyRange;
use foldback_log_tier::manifest::HistoryEntry;

/// Ranges of keys, each with the base that covers it, and ranges that no base covers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cover<'a> {
    /// Ranges with their bases, ascending.
    pub covered: Vec<(KeyRange, &'a HistoryEntry)>,
    /// Ranges that no base covers.
    pub bare: Vec<KeyRange>,
}

/// Covers `ranges` with `bases`, of one table, the newest first wherever several would do.
#[must_use]
pub fn cover<'a>(
    bases: impl IntoIterator<Item = &'a HistoryEntry>,
    ranges: &[KeyRange],
) -> Cover<'a> {
    let mut bases: Vec<_> =
        bases.into_iter().filter_map(|file| Some((file, &file.scope.as_ref()?.keys))).collect();
    bases.sort_by_key(|(file, _)| std::cmp::Reverse(file.holds_to().seq));
    let mut cover = Cover { covered: Vec::new(), bare: ranges.to_vec() };
    for (base, keys) in bases {
        let mut still_bare = Vec::new();
        for range in cover.bare {
            let shared = range.intersection(keys);
            if shared.is_empty() {
                still_bare.push(range);
                continue;
            }
            still_bare.extend(remainders(&range, &shared));
            cover.covered.push((shared, base));
        }
        cover.bare = still_bare;
    }
    cover.covered.sort_by(|(left, _), (right, _)| left.from.cmp(&right.from));
    cover
}

/// What is left of `range`, below and above, without `shared`, which lies within it.
fn remainders(range: &KeyRange, shared: &KeyRange) -> impl Iterator<Item = KeyRange> {
    let below = KeyRange { from: range.from.clone(), until: Some(shared.from.clone()) };
    let above = shared
        .until
        .as_ref()
        .map(|until| KeyRange { from: until.clone(), until: range.until.clone() });
    [Some(below), above].into_iter().flatten().filter(|range| !range.is_empty())
}
