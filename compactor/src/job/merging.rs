//! Which deltas become one.

use foldback_log_tier::history::{COMMIT_INDEX_COMMITS_MAX, FileKind, ROW_GROUPS_MAX};
use foldback_log_tier::manifest::HistoryEntry;

use super::{Job, JobInputs};
use crate::kept::Kept;
use crate::nearness::keeps_bases_near;

/// A delta is rewritten without the rows that are not needed once it has so many bytes of them.
const DEAD_BYTES_MIN: u64 = 64 * 1024;

/// The first run of adjacent deltas of about one size that is long enough.
pub(super) fn merge(inputs: JobInputs<'_>) -> Option<Job> {
    let fanout = inputs.policy.merge_fanout;
    let mut deltas: Vec<_> = deltas(inputs).collect();
    deltas.sort_by_key(|delta| delta.first.seq);
    let alike = |left: &&HistoryEntry, right: &&HistoryEntry| {
        let adjoin = left.last.seq.next() == right.first.seq;
        adjoin && tier(left, fanout) == tier(right, fanout)
    };
    let mut runs: Vec<_> = deltas.chunk_by(alike).filter(|run| run.len() >= fanout).collect();
    runs.sort_by_key(|run| tier(run[0], fanout));
    let mut windows = runs.into_iter().flat_map(|run| run.windows(fanout));
    let run = windows.find(|run| fits(inputs, run) && keeps_bases_near(inputs.manifest, run))?;
    Some(Job::Merge(run.iter().map(|delta| (*delta).clone()).collect()))
}

/// The delta with the most bytes that nobody needs, if half of it is that.
pub(super) fn leave_out(inputs: JobInputs<'_>, kept: &Kept) -> Option<Job> {
    let dead = deltas(inputs).map(|delta| (kept.dead_bytes(delta), delta));
    let is_due = |(dead, delta): &(u64, &HistoryEntry)| {
        let bytes: u64 = delta.tables.iter().map(|entry| entry.bytes).sum();
        *dead >= DEAD_BYTES_MIN && dead.saturating_mul(2) >= bytes
    };
    let (_, delta) = dead.filter(is_due).max_by_key(|(dead, _)| *dead)?;
    Some(Job::Merge(vec![delta.clone()]))
}

fn deltas<'a>(inputs: JobInputs<'a>) -> impl Iterator<Item = &'a HistoryEntry> {
    let files = inputs.manifest.files.iter();
    let whole = |file: &&HistoryEntry| file.kind == FileKind::Delta && file.scope.is_none();
    files.filter(whole).filter(move |file| !inputs.is_avoided(file))
}

/// Whether one file can hold them all.
fn fits(inputs: JobInputs<'_>, run: &[&HistoryEntry]) -> bool {
    let bytes: u64 = run.iter().map(|delta| delta.bytes).sum();
    let commits = run[run.len() - 1].last.seq.0 - run[0].first.seq.0 + 1;
    let in_bounds = bytes <= inputs.policy.file_bytes_target && commits <= COMMIT_INDEX_COMMITS_MAX;
    in_bounds && row_groups_fit(run)
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
