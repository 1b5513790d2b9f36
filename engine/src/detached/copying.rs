//! What is written for a detached backup: a whole state, or what happened since another.

use foldback_compactor::{BaseIdentity, BaseWriter, DeltaWriter, Reading};
use foldback_log_tier::history::FileKind;
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::remote::DetachedBackup;
use foldback_log_tier::{EventRow, KeyRange};

use super::Copying;
use crate::increment::{Increment, KnownState};
use crate::restore_rows::{RestoreRows, RestoreWatch, Watch};
use crate::steady_rows::SteadyRows;
use crate::{RestorePlan, Result};

/// Bytes of deltas for each byte of bases from which on a state is copied whole again: what a
/// restore reads stays within twice the state.
const DELTA_BYTES_PER_BASE_BYTE: u64 = 1;

/// What a backup consists of.
#[derive(Debug)]
pub(super) struct Files {
    /// The backup that it is built on, all of whose files belong to it.
    pub(super) previous: Option<DetachedBackup>,
    /// Those that were written for it.
    pub(super) written: Vec<HistoryEntry>,
}

/// The backup that one of what a plan reads can be built on: the newest of the same table that is
/// of no later commit.
pub(super) fn choose_previous(
    backups: Vec<DetachedBackup>,
    plan: &RestorePlan,
) -> Option<DetachedBackup> {
    let can_be = |backup: &DetachedBackup| {
        let is_of_table = (backup.database, backup.table) == (plan.database, plan.table);
        // A commit with the same number and another instant is of a history that was lost.
        let is_earlier = backup.target.seq < plan.target.seq || backup.target == plan.target;
        is_of_table && is_earlier
    };
    let backups = backups.into_iter().filter(can_be);
    backups.max_by_key(|backup| (backup.target.seq, backup.made))
}

/// The state that a backup holds.
pub(super) fn known_state(backup: &DetachedBackup) -> KnownState {
    KnownState { target: backup.target, covered: backup.covered() }
}

/// Writes rows as a base, and leaves nothing behind if that fails or is cancelled.
pub(super) fn copy_rows(
    reading: Reading<'_>,
    copying: Copying<'_>,
    rows: SteadyRows<'_>,
    watch: Watch<'_>,
) -> Result<Vec<HistoryEntry>> {
    let (table, at) = (copying.plan.table, copying.plan.target);
    let identity = BaseIdentity { table, keys: KeyRange::all(), at };
    let mut base = BaseWriter::new(reading, identity, copying.file_bytes_target);
    match push_rows(&mut base, copying, rows, watch) {
        Ok(()) => Ok(base.finish()?),
        Err(error) => {
            let completed = base.completed().to_vec();
            // The one that is being written is aborted.
            drop(base);
            delete(reading, &completed)?;
            Err(error)
        }
    }
}

/// Writes what happened since `previous` as deltas; `None` if they are too many bytes to be worth
/// it. Leaves nothing behind then, nor if it fails or is cancelled.
pub(super) fn add_events(
    reading: Reading<'_>,
    copying: Copying<'_>,
    (previous, mut increment): (&DetachedBackup, Increment<'_>),
    watch: Watch<'_>,
) -> Result<Option<Vec<HistoryEntry>>> {
    let bytes_max = previous.bytes_of(FileKind::Base).saturating_mul(DELTA_BYTES_PER_BASE_BYTE);
    let bytes_max = bytes_max.saturating_sub(previous.bytes_of(FileKind::Delta));
    let (table, commits) = (copying.plan.table, std::mem::take(&mut increment.commits));
    let mut deltas = DeltaWriter::new(reading, table, commits, copying.file_bytes_target);
    let (written, end) = match push_events(&mut deltas, &mut increment, bytes_max, watch) {
        Ok(true) => (deltas.finish()?, Ok(())),
        ended => {
            let completed = deltas.completed().to_vec();
            drop(deltas);
            (completed, ended.map(drop))
        }
    };
    let is_whole = end.is_ok() && bytes(&written) <= bytes_max;
    if !is_whole {
        delete(reading, &written)?;
    }
    end.map(|()| is_whole.then_some(written))
}

/// The bytes of files.
pub(super) fn bytes(files: &[HistoryEntry]) -> u64 {
    files.iter().map(|file| file.bytes).sum()
}

fn push_rows(
    base: &mut BaseWriter<'_>,
    copying: Copying<'_>,
    rows: SteadyRows<'_>,
    watch: Watch<'_>,
) -> Result<()> {
    let (table, target) = (copying.plan.table, copying.plan.target);
    let (seq, timestamp) = (target.seq, target.timestamp);
    let mut watch = RestoreWatch::new(watch, copying.plan.bucket_bytes());
    watch.report()?;
    for row in RestoreRows::new(rows, None, &mut watch) {
        let (key, value) = row?;
        // Which event put a value is not asked: a row is stamped with the commit of the state.
        base.push(EventRow { table, key: &key, seq, timestamp, value: Some(&value) })?;
    }
    watch.report()
}

/// Whether all events were written, and it was not given up for the bytes of files that are whole.
fn push_events(
    deltas: &mut DeltaWriter<'_>,
    increment: &mut Increment<'_>,
    bytes_max: u64,
    watch: Watch<'_>,
) -> Result<bool> {
    let mut watch = RestoreWatch::new(watch, increment.bucket_bytes);
    watch.report()?;
    loop {
        let pushed = increment.next_event(|row| {
            let bytes = row.key.len() + row.value.map_or(0, <[u8]>::len);
            deltas.push(row).map(|()| bytes)
        })?;
        let Some(pushed) = pushed else { break };
        watch.add(pushed?, increment.read_count())?;
        if bytes(deltas.completed()) > bytes_max {
            return Ok(false);
        }
    }
    watch.end_table(increment.read_count());
    watch.report().map(|()| true)
}

fn delete(reading: Reading<'_>, files: &[HistoryEntry]) -> Result<()> {
    let names: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
    let remote = reading.history.remote().clone();
    Ok(reading.network.run(async move { remote.delete(&names).await })?)
}
