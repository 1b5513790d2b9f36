//! The restore plan: which bases, deltas, row groups and segments a view of a table reads.
//!
//! A pure function of one manifest, the local segments and the target. For each range of keys it
//! takes the newest base at or below the target, and above it every delta and segment up to the
//! target, and nothing else. It is contiguous, or it is an error that names the gap.

use std::sync::Arc;

use foldback_compactor::{RowGroupsOf, bucket_requests};
use foldback_log_tier::history::FileKind;
use foldback_log_tier::local_log::SegmentInfo;
use foldback_log_tier::manifest::{HistoryEntry, Manifest};
use foldback_log_tier::{Commit, DatabaseId, KeyRange, Seq, TableId};

use crate::{Error, Result, Selection};

mod choosing;
mod cover;
mod explain;

use cover::Ground;
pub use explain::{FileUse, Reason};

/// What a view of a table at one commit reads. It can be printed before it is run.
#[derive(Clone, Debug)]
pub struct RestorePlan {
    /// The database that it is of.
    pub database: DatabaseId,
    /// The table.
    pub table: TableId,
    /// Its name.
    pub table_name: String,
    /// The commit whose state is read.
    pub target: Commit,
    /// The keys it is for.
    pub selection: Selection,
    /// The commit that asked for the backup that it is of; none if it is of an instant of a window.
    pub backup: Option<Seq>,
    /// The manifest that the plan is bound to.
    pub manifest: u64,
    /// What is read of each range of keys, ascending.
    pub pieces: Vec<PlanPiece>,
    /// The local segments that hold what history does not cover yet.
    pub segments: Vec<SegmentInfo>,
    /// History covers every commit up to here; segments are read for those after it.
    pub sealed: Seq,
}

/// What is read of one range of keys.
#[derive(Clone, Debug)]
pub struct PlanPiece {
    /// The least range that holds its selected keys; which of them are, the plan's selection says.
    pub keys: KeyRange,
    /// The newest base at or below the target; `None` if the table was empty when its history
    /// began.
    pub base: Option<FileRead>,
    /// The deltas above the base that hold events of these keys, oldest first.
    pub deltas: Vec<FileRead>,
    /// Events at or below this seq do not count: they are in the base, or, without one, older than
    /// a history that began with no key. A delta may hold such events of an earlier history.
    pub floor: Seq,
}

/// What is read of one history file.
#[derive(Clone, Debug)]
pub struct FileRead {
    /// The file.
    pub file: Arc<HistoryEntry>,
    /// Its row groups that may hold rows of the plan, ascending.
    pub row_groups: Vec<u32>,
    /// Bytes of those row groups.
    pub bytes: u64,
}

impl PlanPiece {
    /// The files, the base first.
    pub fn files(&self) -> impl Iterator<Item = &FileRead> {
        self.base.iter().chain(&self.deltas)
    }
}

impl RestorePlan {
    /// Every read of a history file.
    pub fn files(&self) -> impl Iterator<Item = &FileRead> {
        self.pieces.iter().flat_map(PlanPiece::files)
    }

    /// Bytes of row groups that are read from the bucket.
    #[must_use]
    pub fn bucket_bytes(&self) -> u64 {
        self.files().map(|read| read.bytes).sum()
    }

    /// Requests to the bucket, about: one for each file, and more where there is much to read.
    #[must_use]
    pub fn bucket_requests(&self) -> u64 {
        bucket_requests(&self.merges())
    }

    /// What is read of each file, a merge for each piece.
    pub(crate) fn merges(&self) -> Vec<Vec<RowGroupsOf>> {
        let reads = |read: &FileRead| (Arc::clone(&read.file), read.row_groups.clone());
        self.pieces.iter().map(|piece| piece.files().map(reads).collect()).collect()
    }

    /// Bytes of local segments that are read.
    #[must_use]
    pub fn segment_bytes(&self) -> u64 {
        self.segments.iter().map(|info| info.bytes).sum()
    }
}

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanInputs<'a> {
    pub(crate) manifest: &'a Manifest,
    /// The local segments, in order.
    pub(crate) segments: &'a [SegmentInfo],
    pub(crate) table: TableId,
    pub(crate) table_name: &'a str,
    /// The commit at which the table's history began with no key, or with bases.
    pub(crate) history_first: Seq,
    /// Whether the table had no key at `history_first`.
    pub(crate) starts_empty: bool,
    /// The earliest commit since whose state is still kept, if that is not `history_first` any
    /// more.
    pub(crate) earliest: Option<Seq>,
    pub(crate) target: Commit,
    pub(crate) selection: &'a Selection,
}

/// Makes the plan; which row groups it reads of a file is chosen by what the manifest says of them
/// until [`RestorePlan::choose_row_groups`] has seen the file's own statistics.
pub(crate) fn plan(inputs: PlanInputs<'_>) -> Result<RestorePlan> {
    let mut pieces = Vec::new();
    for Ground { keys, base, floor } in cover::cover(&inputs)? {
        let deltas = chain(&inputs, &keys, floor)?;
        let read = |file: &HistoryEntry| read_whole_table(file, inputs.table);
        let deltas = deltas.into_iter().map(read).collect();
        pieces.push(PlanPiece { keys, base: base.map(read), deltas, floor });
    }
    let mut plan = RestorePlan {
        database: inputs.manifest.database,
        table: inputs.table,
        table_name: inputs.table_name.to_owned(),
        target: inputs.target,
        selection: inputs.selection.clone(),
        backup: None,
        manifest: inputs.manifest.number,
        pieces,
        segments: unsealed_segments(&inputs)?,
        sealed: inputs.manifest.sealed.seq,
    };
    plan.choose_by_cuts();
    Ok(plan)
}

/// The deltas that hold events of `keys` after `floor` and up to the target, oldest first; checks
/// that the deltas leave no seq in between uncovered.
fn chain<'a>(
    inputs: &PlanInputs<'a>,
    keys: &KeyRange,
    floor: Seq,
) -> Result<Vec<&'a HistoryEntry>> {
    let mut deltas: Vec<_> = inputs
        .manifest
        .files
        .iter()
        .filter(|file| file.kind == FileKind::Delta && covers(file, inputs.table, keys))
        .collect();
    deltas.sort_by_key(|delta| (delta.first.seq, delta.last.seq));
    let end = inputs.target.seq.min(inputs.manifest.sealed.seq);
    let (mut covered, mut chain) = (floor, Vec::new());
    for delta in deltas {
        if delta.last.seq <= covered || covered >= end {
            continue;
        }
        if delta.first.seq > covered.next() {
            return Err(gap(inputs, covered, delta.first.seq));
        }
        covered = delta.last.seq;
        let holds = |entry: &foldback_log_tier::manifest::TableEntry| {
            let in_time = entry.seq_min <= inputs.target.seq && floor < entry.seq_max;
            in_time && inputs.selection.meets(keys, &entry.key_min, &entry.key_max)
        };
        if delta.table(inputs.table).is_some_and(holds) {
            chain.push(delta);
        }
    }
    match covered < end {
        true => Err(gap(inputs, covered, end.next())),
        false => Ok(chain),
    }
}

/// Whether the file's rectangle spans all of these keys of the table.
fn covers(file: &HistoryEntry, table: TableId, keys: &KeyRange) -> bool {
    file.scope
        .as_ref()
        .is_none_or(|scope| scope.table == table && scope.keys.intersection(keys) == *keys)
}

/// The segments that hold commits after what is sealed, up to the target.
fn unsealed_segments(inputs: &PlanInputs<'_>) -> Result<Vec<SegmentInfo>> {
    let (sealed, target) = (inputs.manifest.sealed.seq, inputs.target.seq);
    let holds = |info: &&SegmentInfo| info.last > sealed && info.first <= target;
    let segments: Vec<_> = inputs.segments.iter().filter(holds).cloned().collect();
    let mut covered = sealed;
    for info in &segments {
        if info.first > covered.next() {
            return Err(gap(inputs, covered, info.first));
        }
        covered = info.last;
    }
    match covered < target {
        true => Err(gap(inputs, covered, target.next())),
        false => Ok(segments),
    }
}

/// All row groups of a table in a file.
fn read_whole_table(file: &HistoryEntry, table: TableId) -> FileRead {
    let (row_groups, bytes) = match file.table(table) {
        Some(entry) => ((entry.row_group_first..=entry.row_group_last).collect(), entry.bytes),
        None => (Vec::new(), 0),
    };
    FileRead { file: Arc::new(file.clone()), row_groups, bytes }
}

/// No file and no segment covers the commits after `covered` and before `next`.
fn gap(inputs: &PlanInputs<'_>, covered: Seq, next: Seq) -> Error {
    let after = inputs
        .manifest
        .files
        .iter()
        .filter(|file| file.kind == FileKind::Base && file.first.seq >= next.prev())
        .filter(|file| file.scope.as_ref().is_some_and(|scope| scope.table == inputs.table))
        .map(|file| file.first.seq)
        .min();
    let after = match after {
        Some(base) => format!("and from #{base} on"),
        None => "and none after it, as no base lies above the gap".to_owned(),
    };
    Error::Lost(format!(
        "table {:?} cannot be restored to #{}: neither the bucket nor the local log holds commits \
         #{} to #{}; nothing was changed; states up to #{covered} can be restored, {after}",
        inputs.table_name,
        inputs.target.seq,
        covered.next(),
        next.prev(),
    ))
}

#[cfg(test)]
mod tests;
