//! What to do next: a pure decision from what the manifest and the local log hold.

use std::collections::BTreeSet;

use foldback_log_tier::history::{COMMIT_INDEX_COMMITS_MAX, FileKind, ROW_GROUPS_MAX};
use foldback_log_tier::local_log::SegmentInfo;
use foldback_log_tier::manifest::{HistoryEntry, Manifest};
use foldback_log_tier::{Commit, Seq, TableId};

use crate::FoldInputs;

/// A piece of background work.
#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    /// Turn this sealed segment, the first that history does not cover, into a delta file.
    Seal(SegmentInfo),
    /// Write the first base of a table that had keys when its protection began.
    Base(TableId),
    /// Make one delta of these, which adjoin, oldest first.
    Merge(Vec<HistoryEntry>),
    /// Fold a table's newest base and the deltas above it into the next base.
    Fold(FoldInputs),
}

/// When history is rewritten.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// A table is folded once the deltas above its newest base have this many times its bytes: so
    /// a restore of the latest state reads at most `1 + fold_ratio` times the state.
    pub fold_ratio: f64,
    /// A table is not folded for fewer bytes of deltas than this.
    pub fold_bytes_min: u64,
    /// So many adjacent deltas of about one size are merged: each byte is rewritten once for each
    /// time that history grows by this factor.
    pub merge_fanout: usize,
    /// Deltas are not merged beyond this size, and base files are cut there.
    pub file_bytes_target: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            fold_ratio: 1.0,
            fold_bytes_min: 256 * 1024,
            merge_fanout: 8,
            file_bytes_target: 128 * 1024 * 1024,
        }
    }
}

/// A table whose history is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtectedTable {
    /// The table.
    pub table: TableId,
    /// Where the protection interval that is open began.
    pub first: Seq,
    /// Whether the table had no key then; if it had some, it needs a base first.
    pub starts_empty: bool,
}

/// All that the decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct JobInputs<'a> {
    /// The newest manifest.
    pub manifest: &'a Manifest,
    /// The local segments in order, the active one last.
    pub segments: &'a [SegmentInfo],
    /// The tables whose history is kept, the catalog among them.
    pub tables: &'a [ProtectedTable],
    /// When history is rewritten.
    pub policy: Policy,
}

/// The next job, or `None` if all is done.
///
/// Sealing comes first: it is what gets acknowledged commits off this machine.
#[must_use]
pub fn next_job(inputs: JobInputs<'_>) -> Option<Job> {
    let sealed = inputs.manifest.sealed.seq;
    let to_seal = inputs.segments.iter().find(|info| info.sealed && info.last > sealed);
    let seal = || to_seal.map(|segment| Job::Seal(*segment));
    seal().or_else(|| first_base(inputs)).or_else(|| merge(inputs)).or_else(|| fold(inputs))
}

fn first_base(inputs: JobInputs<'_>) -> Option<Job> {
    let lacks_base = |table: &&ProtectedTable| {
        !table.starts_empty && newest_base(inputs.manifest, table).is_none()
    };
    inputs.tables.iter().find(lacks_base).map(|table| Job::Base(table.table))
}

/// The commit of the table's newest base in its open interval.
fn newest_base(manifest: &Manifest, table: &ProtectedTable) -> Option<Commit> {
    let bases = manifest.files.iter().filter(|file| is_base_of(file, table.table));
    bases.map(|base| base.last).filter(|commit| commit.seq >= table.first).max()
}

fn is_base_of(file: &HistoryEntry, table: TableId) -> bool {
    file.kind == FileKind::Base && file.scope.as_ref().is_some_and(|scope| scope.table == table)
}

/// The first run of adjacent deltas of about one size that is long enough.
///
/// Deltas on both sides of a base are not merged: a restore from that base would have to read
/// what lies below it too.
fn merge(inputs: JobInputs<'_>) -> Option<Job> {
    let Policy { merge_fanout, file_bytes_target, .. } = inputs.policy;
    let files = &inputs.manifest.files;
    let bases: BTreeSet<Seq> =
        files.iter().filter(|file| file.kind == FileKind::Base).map(|file| file.last.seq).collect();
    let mut deltas: Vec<_> =
        files.iter().filter(|file| file.kind == FileKind::Delta && file.scope.is_none()).collect();
    deltas.sort_by_key(|delta| delta.first.seq);
    let alike = |left: &&HistoryEntry, right: &&HistoryEntry| {
        let adjoin = left.last.seq.next() == right.first.seq && !bases.contains(&left.last.seq);
        adjoin && tier(left, merge_fanout) == tier(right, merge_fanout)
    };
    let mut runs: Vec<_> = deltas.chunk_by(alike).filter(|run| run.len() >= merge_fanout).collect();
    runs.sort_by_key(|run| tier(run[0], merge_fanout));
    let fits = |run: &&[&HistoryEntry]| {
        let run = &run[..merge_fanout];
        let bytes: u64 = run.iter().map(|delta| delta.bytes).sum();
        let commits = run[merge_fanout - 1].last.seq.0 - run[0].first.seq.0 + 1;
        bytes <= file_bytes_target && commits <= COMMIT_INDEX_COMMITS_MAX && row_groups_fit(run)
    };
    let run = runs.into_iter().find(fits)?;
    Some(Job::Merge(run.iter().take(merge_fanout).map(|delta| (*delta).clone()).collect()))
}

/// Whether the merged delta of a run has few enough row groups: about as many as its parts, which
/// each have at least one for each of their tables.
fn row_groups_fit(run: &[&HistoryEntry]) -> bool {
    let of_one = |delta: &&HistoryEntry| {
        let last = delta.tables.last().map(|entry| entry.row_group_last);
        last.map_or(0, |last| usize::try_from(last).unwrap_or(usize::MAX).saturating_add(1))
    };
    run.iter().map(of_one).sum::<usize>() <= ROW_GROUPS_MAX
}

/// The size class of a delta: each is `fanout` times the one before.
fn tier(delta: &HistoryEntry, fanout: usize) -> u32 {
    const SMALLEST: u64 = 64 * 1024;
    let fanout = u64::try_from(fanout.max(2)).unwrap_or(u64::MAX);
    (delta.bytes / SMALLEST).max(1).ilog(fanout)
}

/// The table whose deltas outweigh its base the most, if any does so enough.
fn fold(inputs: JobInputs<'_>) -> Option<Job> {
    let Policy { fold_ratio, fold_bytes_min, file_bytes_target, .. } = inputs.policy;
    let due = inputs.tables.iter().filter_map(|table| {
        let fold = fold_of(inputs.manifest, table, file_bytes_target)?;
        let bytes = |files: &[HistoryEntry]| -> u64 {
            files.iter().filter_map(|file| file.table(table.table)).map(|entry| entry.bytes).sum()
        };
        let (base_bytes, delta_bytes) = (bytes(&fold.base), bytes(&fold.deltas));
        let is_due = delta_bytes >= fold_bytes_min && is_over(delta_bytes, fold_ratio, base_bytes);
        is_due.then_some((delta_bytes, fold))
    });
    due.max_by_key(|(delta_bytes, _)| *delta_bytes).map(|(_, fold)| Job::Fold(fold))
}

/// What folding a table up to what is sealed would read.
fn fold_of(
    manifest: &Manifest,
    table: &ProtectedTable,
    file_bytes_target: u64,
) -> Option<FoldInputs> {
    let newest = newest_base(manifest, table);
    if newest.is_none() && !table.starts_empty {
        return None;
    }
    let floor = newest.map_or(table.first, |base| base.seq);
    let at = manifest.sealed;
    let mut base: Vec<_> = manifest
        .files
        .iter()
        .filter(|file| is_base_of(file, table.table) && Some(file.last) == newest)
        .cloned()
        .collect();
    base.sort_by(|left, right| left.scope_from().cmp(&right.scope_from()));
    let mut deltas: Vec<_> = manifest
        .files
        .iter()
        .filter(|file| file.kind == FileKind::Delta && file.last.seq > floor)
        .filter(|file| file.table(table.table).is_some_and(|entry| entry.seq_max > floor))
        .cloned()
        .collect();
    deltas.sort_by_key(|delta| delta.first.seq);
    let is_worth_it = at.seq > floor && !deltas.is_empty();
    let table = table.table;
    is_worth_it.then_some(FoldInputs { table, at, base, floor, deltas, file_bytes_target })
}

/// Whether `bytes >= ratio * of`.
#[expect(clippy::cast_precision_loss, reason = "sizes decide only when, and nearly is enough")]
fn is_over(bytes: u64, ratio: f64, of: u64) -> bool {
    bytes as f64 >= ratio * of as f64
}

#[cfg(test)]
mod tests;
