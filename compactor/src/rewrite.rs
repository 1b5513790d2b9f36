//! Rewriting history: adjacent deltas become one, or a base and its deltas become the next base.
//!
//! Both stream: whatever the size of the files, memory holds a few row groups of each, and some
//! bytes of the one that is being written. Neither changes what any restorable instant restores to.

use std::ops::RangeInclusive;
use std::sync::Arc;

use foldback_log_tier::history::{CommitIndex, FileKind, HistoryIdentity, RowGroupEntry};
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::{Commit, DatabaseId, KeyRange, Result, Seq, TableId};

use crate::merge::{Merge, RowFilter, Source};
use crate::streamed::StreamedFile;
use crate::{
    BaseIdentity, BaseWriter, FeedBudget, FeedReads, HistoryReader, Network, Pace, RowGroupsOf,
};

/// What goes into every file that is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Making {
    /// The database whose history it is.
    pub database: DatabaseId,
    /// The newest manifest when the making began.
    pub born: u64,
}

/// Where history is read from, and where what is made of it goes.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// The history files, and the bucket that they are in.
    pub history: &'a Arc<HistoryReader>,
    /// The way to them.
    pub network: &'a Network,
    /// What the files that are made are made for.
    pub making: Making,
    /// Says when the work is to give way, and when it is to be left off.
    pub pace: &'a Pace,
}

/// Makes one delta of adjacent deltas that cover every table, given oldest first, and uploads it.
/// One delta alone may be rewritten to leave rows out.
///
/// `leaves_out` says that no instant which can be restored needs any row of a table at these seqs.
///
/// # Errors
///
/// What reading or writing fails with; nothing was published then.
///
/// # Panics
///
/// If there are none, or a commit lies between two of them.
pub fn merge_deltas(
    reading: Reading<'_>,
    deltas: &[HistoryEntry],
    leaves_out: &dyn Fn(TableId, RangeInclusive<Seq>) -> bool,
) -> Result<HistoryEntry> {
    let (oldest, newest) = (&deltas[0], &deltas[deltas.len() - 1]);
    let mut commits = CommitIndex::default();
    for delta in deltas {
        let (history, delta) = (Arc::clone(reading.history), delta.clone());
        let index = reading.network.run(async move { history.read_commit_index(&delta).await })?;
        index.iter().for_each(|commit| commits.push(commit));
    }
    let budget = FeedBudget::shared_by(deltas.len());
    let wanted = |group: &RowGroupEntry| !leaves_out(group.table, group.seq_min..=group.seq_max);
    let sources = deltas.iter().map(|delta| {
        let reads = reading.choose(std::slice::from_ref(delta), wanted)?;
        let reads = FeedReads { reads, filter: RowFilter::all() };
        Ok(Source::history(reading.history.feed(reading.network, reads, budget)))
    });
    let mut merge = Merge::new(sources.collect::<Result<Vec<_>>>()?)?;
    let identity = HistoryIdentity {
        database: reading.making.database,
        kind: FileKind::Delta,
        first: oldest.first,
        last: newest.last,
        scope: None,
    };
    let mut file = StreamedFile::begin(reading, identity)?;
    let mut stride = reading.pace.stride();
    loop {
        let pushed = merge.next_row(|row, _| match leaves_out(row.table, row.seq..=row.seq) {
            true => Ok(()),
            false => file.push(row),
        })?;
        let Some(pushed) = pushed else { break };
        pushed?;
        stride.step()?;
    }
    file.finish(Some(&commits))
}

/// What a fold reads and what it makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldInputs {
    /// The table.
    pub table: TableId,
    /// The keys that are folded.
    pub keys: KeyRange,
    /// The commit whose state the new base holds.
    pub at: Commit,
    /// The files of the newest base below that hold keys of the range, by ascending keys; none if
    /// the table started empty.
    pub base: Vec<HistoryEntry>,
    /// Events at or below are in that base, or of a time before the table started empty.
    pub floor: Seq,
    /// The deltas between that base and the new one that hold events of the range.
    pub deltas: Vec<HistoryEntry>,
    /// About how large a file of the new base gets.
    pub file_bytes_target: u64,
}

/// Folds deltas into a base, and uploads the files of the next base, which together cover exactly
/// the range of keys.
///
/// # Errors
///
/// What reading or writing fails with; files that were uploaded are orphans then.
pub fn fold(reading: Reading<'_>, inputs: &FoldInputs) -> Result<Vec<HistoryEntry>> {
    let FoldInputs { table, keys, at, floor, .. } = inputs;
    let budget = FeedBudget::shared_by(1 + inputs.deltas.len());
    let source = |files: &[HistoryEntry], floor: Seq| {
        let reads = reading.choose(files, |group| {
            let in_time = floor < group.seq_max && group.seq_min <= at.seq;
            group.table == *table && in_time && keys.intersects(&group.key_min, &group.key_max)
        })?;
        let keys = keys.clone();
        let filter = RowFilter { keys, floor, target: at.seq, newest_only: true };
        let reads = FeedReads { reads, filter };
        Ok(Source::history(reading.history.feed(reading.network, reads, budget)))
    };
    // No row is at seq 0, so that every row of the base counts.
    let base = std::iter::once(source(&inputs.base, Seq::ZERO));
    let deltas = inputs.deltas.iter().map(|delta| source(std::slice::from_ref(delta), *floor));
    let mut merge = Merge::new(base.chain(deltas).collect::<Result<Vec<_>>>()?)?;
    let identity = BaseIdentity { table: *table, keys: keys.clone(), at: *at };
    let mut writer = BaseWriter::new(reading, identity, inputs.file_bytes_target);
    let mut stride = reading.pace.stride();
    loop {
        let pushed = merge.next_row(|row, is_newest| {
            let is_live = is_newest && row.value.is_some();
            if is_live { writer.push(row) } else { Ok(()) }
        })?;
        let Some(pushed) = pushed else { break };
        pushed?;
        stride.step()?;
    }
    writer.finish()
}

impl Reading<'_> {
    /// Those row groups of files that are wanted, by what the files say of them.
    fn choose(
        &self,
        files: &[HistoryEntry],
        wanted: impl Fn(&RowGroupEntry) -> bool,
    ) -> Result<Vec<RowGroupsOf>> {
        let mut reads = Vec::new();
        for file in files {
            self.pace.check()?;
            let (history, file) = (Arc::clone(self.history), Arc::new(file.clone()));
            let of = Arc::clone(&file);
            let tail = self.network.run(async move { history.tail(&of).await })?;
            let groups = tail.row_groups().iter().filter(|group| wanted(group));
            reads.push((file, groups.map(|group| group.index).collect()));
        }
        Ok(reads)
    }
}

#[cfg(test)]
mod tests;
