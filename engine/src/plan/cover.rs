//! Covering the selected keys with the newest bases at or below the target.
//!
//! Ranges are split where bases and deltas begin and end, and not where the selection does, so that
//! the number of pieces does not grow with the number of keys that are asked for.

use foldback_log_tier::history::FileKind;
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::{KeyRange, Seq};

use super::PlanInputs;
use crate::{Error, Result};

/// A range from the first to the last selected key of a part, and what its state is built on.
pub(super) struct Ground<'a> {
    pub(super) keys: KeyRange,
    /// The newest base at or below the target; none if the keys were absent at `floor`.
    pub(super) base: Option<&'a HistoryEntry>,
    /// Events at or below are in the base, or are not of this history.
    pub(super) floor: Seq,
}

/// Splits what is selected into ranges, ascending, each with the newest base that covers it; a
/// range has none if the table was empty when its history began, and has not been folded yet.
pub(super) fn cover<'a>(inputs: &PlanInputs<'a>) -> Result<Vec<Ground<'a>>> {
    let in_time = inputs.history_first..=inputs.target.seq;
    let bases = inputs.manifest.files.iter().filter(|file| file.is_base_of(inputs.table));
    let bases = bases.filter(|file| in_time.contains(&file.last.seq));
    let found = foldback_compactor::cover(bases, &[KeyRange::all()]);
    let selected = |keys: KeyRange| inputs.selection.hull_within(&keys);
    let bare: Vec<_> = found.bare.into_iter().filter_map(selected).collect();
    if !inputs.starts_empty && !bare.is_empty() {
        return Err(no_base(inputs));
    }
    let empty_since = inputs.earliest.unwrap_or(inputs.history_first);
    let bare = bare.into_iter().map(|keys| (keys, None, empty_since));
    let mut ranges: Vec<_> = found
        .covered
        .into_iter()
        .filter_map(|(keys, base)| Some((selected(keys)?, base)))
        .map(|(keys, base)| (keys, Some(base), base.holds_to().seq.min(inputs.target.seq)))
        .chain(bare)
        .collect();
    ranges.sort_by(|(left, ..), (right, ..)| left.from.cmp(&right.from));
    let parts = ranges.into_iter().flat_map(|(range, base, floor)| {
        let parts = split_at_deltas(inputs, range, floor).into_iter();
        parts.filter_map(selected).map(move |keys| Ground { keys, base, floor })
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
