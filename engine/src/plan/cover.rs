//! Covering the selected keys with the newest bases at or below the target.

use foldback_log_tier::history::FileKind;
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::{KeyRange, Seq};

use super::PlanInputs;
use crate::{Error, Result};

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
        return Err(no_base(inputs));
    }
    covered.extend(bare.into_iter().map(|range| (range, None)));
    covered.sort_by(|(left, _), (right, _)| left.from.cmp(&right.from));
    let parts = covered.into_iter().flat_map(|(range, base)| {
        let floor = base.map_or(inputs.history_first, |base| base.last.seq);
        split_at_deltas(inputs, range, floor).into_iter().map(move |part| (part, base))
    });
    Ok(parts.collect())
}

/// Splits a range where a delta that was cut by key begins or ends inside it, so that each delta
/// covers all of a part or nothing of it. Deltas that end at `floor` or before do not count.
fn split_at_deltas(inputs: &PlanInputs<'_>, range: KeyRange, floor: Seq) -> Vec<KeyRange> {
    let counts = |file: &&HistoryEntry| {
        let in_time = floor < file.last.seq && file.first.seq <= inputs.target.seq;
        file.kind == FileKind::Delta && in_time
    };
    let scopes = inputs.manifest.files.iter().filter(counts).filter_map(|file| file.scope.as_ref());
    let own = scopes.filter(|scope| scope.table == inputs.table);
    let ends = own.flat_map(|scope| [Some(&scope.keys.from), scope.keys.until.as_ref()]).flatten();
    let mut ends: Vec<_> =
        ends.filter(|end| **end != range.from && range.contains(end)).cloned().collect();
    ends.sort_unstable();
    ends.dedup();
    let mut parts = Vec::new();
    let mut from = range.from;
    for end in ends {
        parts.push(KeyRange { from, until: Some(end.clone()) });
        from = end;
    }
    parts.push(KeyRange { from, until: range.until });
    parts
}

/// The table had keys when its history began, and there is no base to say which.
fn no_base(inputs: &PlanInputs<'_>) -> Error {
    Error::Lost(format!(
        "table {:?} cannot be restored to #{}: it had keys when its history began with #{}, and no \
         base from then on holds all of those asked for; nothing was changed",
        inputs.table_name, inputs.target.seq, inputs.history_first,
    ))
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
