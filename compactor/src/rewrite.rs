//! Rewriting history: adjacent deltas become one, or a base and its deltas become the next base.
//!
//! Both stream: whatever the size of the files, memory holds a few row groups of each and the one
//! file that is being written. Neither changes what any instant restores to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use foldback_log_tier::history::{
    CommitIndex, FileKind, HistoryIdentity, HistoryObject, HistoryWriter,
};
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::{Commit, DatabaseId, Error, KeyRange, Result, Seq, TableId};

use crate::merge::{Merge, RowFilter, Source};
use crate::{BaseWriter, HistoryReader, Network};

/// What goes into every file that is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Making {
    /// The database whose history it is.
    pub database: DatabaseId,
    /// The newest manifest when the making began.
    pub born: u64,
}

/// Where history is read from.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// The history files.
    pub history: &'a Arc<HistoryReader>,
    /// The way to them.
    pub network: &'a Network,
    /// What the files that are made are made for.
    pub making: Making,
    /// Set once the work is to be left off.
    pub stopping: &'a AtomicBool,
}

/// Makes one delta of adjacent deltas that cover every table, given oldest first.
///
/// # Errors
///
/// What reading them fails with; nothing was written then.
///
/// # Panics
///
/// If there are none, or a commit lies between two of them.
pub fn merge_deltas(reading: Reading<'_>, deltas: &[HistoryEntry]) -> Result<HistoryObject> {
    let (oldest, newest) = (&deltas[0], &deltas[deltas.len() - 1]);
    let mut commits = CommitIndex::default();
    for delta in deltas {
        let (history, delta) = (Arc::clone(reading.history), delta.clone());
        let index = reading.network.run(async move { history.commit_index(&delta).await })?;
        index.iter().for_each(|commit| commits.push(commit));
    }
    let sources = deltas.iter().map(|delta| reading.source(vec![delta], None, RowFilter::all()));
    let mut merge = Merge::new(sources.collect::<Vec<_>>())?;
    let identity = HistoryIdentity {
        database: reading.making.database,
        kind: FileKind::Delta,
        first: oldest.first,
        last: newest.last,
        scope: None,
    };
    let mut writer = HistoryWriter::new(identity, reading.making.born)?;
    while let Some(pushed) = merge.next_row(|row, _| writer.push(row))? {
        pushed?;
        reading.check_stopping()?;
    }
    writer.finish(Some(&commits))
}

/// What a fold reads and what it makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldInputs {
    /// The table.
    pub table: TableId,
    /// The commit whose state the new base holds.
    pub at: Commit,
    /// The files of the newest base below, by ascending keys; none if the table started empty.
    pub base: Vec<HistoryEntry>,
    /// Events at or below are in that base, or of a time before the table started empty.
    pub floor: Seq,
    /// The deltas between that base and the new one that hold events of the table.
    pub deltas: Vec<HistoryEntry>,
    /// About how large a file of the new base gets.
    pub file_bytes_target: u64,
}

/// Folds deltas into a base, and hands each file of the next base to `upload` as it is complete.
///
/// # Errors
///
/// What reading, writing or `upload` fails with; files that were uploaded are orphans then.
pub fn fold(
    reading: Reading<'_>,
    inputs: &FoldInputs,
    mut upload: impl FnMut(HistoryObject) -> Result<HistoryEntry>,
) -> Result<Vec<HistoryEntry>> {
    let table = Some(inputs.table);
    let up_to = |floor| RowFilter { keys: KeyRange::all(), floor, target: inputs.at.seq };
    let base = reading.source(inputs.base.iter().collect(), table, up_to(Seq::ZERO));
    let deltas = inputs.deltas.iter();
    let deltas = deltas.map(|delta| reading.source(vec![delta], table, up_to(inputs.floor)));
    let mut merge = Merge::new(std::iter::once(base).chain(deltas).collect::<Vec<_>>())?;
    let mut writer =
        BaseWriter::new(reading.making, inputs.table, inputs.at, inputs.file_bytes_target);
    let mut entries = Vec::new();
    loop {
        let pushed = merge.next_row(|row, is_newest| {
            let is_live = is_newest && row.value.is_some();
            if is_live { writer.push(row) } else { Ok(None) }
        })?;
        let Some(completed) = pushed else { break };
        reading.check_stopping()?;
        if let Some(file) = completed? {
            entries.push(upload(file)?);
        }
    }
    entries.push(upload(writer.finish()?)?);
    Ok(entries)
}

impl Reading<'_> {
    /// Refuses to go on once the work is to be left off.
    fn check_stopping(&self) -> Result<()> {
        match self.stopping.load(Ordering::Relaxed) {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }

    /// The rows of files one after the other: of one table, or of all.
    fn source(
        &self,
        files: Vec<&HistoryEntry>,
        table: Option<TableId>,
        filter: RowFilter,
    ) -> Source {
        let row_groups = |file: &HistoryEntry| match table {
            Some(table) => file.table(table).map_or_else(Vec::new, |entry| {
                (entry.row_group_first..=entry.row_group_last).collect()
            }),
            None => file
                .tables
                .iter()
                .flat_map(|entry| entry.row_group_first..=entry.row_group_last)
                .collect(),
        };
        let reads = files.into_iter().map(|file| (Arc::new(file.clone()), row_groups(file)));
        Source::history(self.history.feed(self.network, reads.collect()), filter)
    }
}
