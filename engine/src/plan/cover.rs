//! Covering the selected keys with the newest bases at or below the target.

use foldback_log_tier::KeyRange;
use foldback_log_tier::history::FileKind;
use foldback_log_tier::manifest::HistoryEntry;

use super::{PlanInputs, gap};
use crate::Result;

/// Splits the selection into ranges, ascending, each with the newest base that covers it; a range
/// has none if the table was empty when its history began.
pub(super) fn cover<'a>(
    inputs: &PlanInputs<'a>,
) -> Result<Vec<(KeyRange, Option<&'a HistoryEntry>)>> {
    let mut bases: Vec<_> = inputs
        .manifest
        .files
        .iter()
        .filter(|file| file.kind == FileKind::Base)
        .filter(|file| (inputs.history_first..=inputs.target.seq).contains(&file.last.seq))
        .filter_map(|file| {
            let scope = file.scope.as_ref().filter(|scope| scope.table == inputs.table)?;
            Some((file, &scope.keys))
        })
        .collect();
    bases.sort_by_key(|(file, _)| std::cmp::Reverse(file.last.seq));

    let mut bare = inputs.selection.as_ranges().to_vec();
    let mut covered = Vec::new();
    for (base, keys) in bases {
        let mut still_bare = Vec::new();
        for range in bare {
            let shared = range.intersection(keys);
            if shared.is_empty() {
                still_bare.push(range);
                continue;
            }
            still_bare.extend(remainders(&range, &shared));
            covered.push((shared, Some(base)));
        }
        bare = still_bare;
    }
    if !inputs.starts_empty && !bare.is_empty() {
        return Err(gap(inputs, inputs.history_first.prev(), inputs.target.seq.next()));
    }
    covered.extend(bare.into_iter().map(|range| (range, None)));
    covered.sort_by(|(left, _), (right, _)| left.from.cmp(&right.from));
    Ok(covered)
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
