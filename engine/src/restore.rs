//! Running a plan: its files are fetched and decoded ahead, and merged into one sorted stream.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use foldback_log_tier::history::RowGroupRows;
use foldback_log_tier::local_log::LogReader;
use tokio::sync::mpsc;

use crate::history_reader::HistoryReader;
use crate::merge::{Merge, RowFilter, RowGroupFeed, Source, TailRows};
use crate::network::Network;
use crate::plan::{FileRead, PlanPiece, RestorePlan};
use crate::{Error, Result};

/// Decoded row groups of one file that wait for the merge.
const ROW_GROUPS_AHEAD: usize = 1;

/// What a restore brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The new table.
    pub table: foldback_log_tier::TableId,
    /// The commit that made it visible.
    pub commit: foldback_log_tier::Commit,
    /// The commit of the source whose state it holds.
    pub target: foldback_log_tier::Commit,
    /// Rows in it.
    pub rows: u64,
    /// Bytes of its keys and values.
    pub bytes: u64,
}

/// How far a restore is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows that were loaded.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

impl Progress {
    /// Rows between two reports.
    const ROWS_PER_REPORT: u64 = 4096;

    pub(crate) fn add(&mut self, bytes: usize, watch: &mut dyn FnMut(Self)) {
        self.rows += 1;
        self.bytes += u64::try_from(bytes).expect("lengths fit 64 bits");
        if self.rows.is_multiple_of(Self::ROWS_PER_REPORT) {
            watch(*self);
        }
    }
}

/// The live rows of a plan, ascending by key over all its pieces.
pub(crate) struct PlanRows<'a> {
    plan: Cow<'a, RestorePlan>,
    history: Arc<HistoryReader>,
    network: &'a Network,
    tail: Arc<TailRows>,
    next_piece: usize,
    merge: Option<Merge>,
}

impl std::fmt::Debug for PlanRows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlanRows").field("table", &self.plan.table).finish_non_exhaustive()
    }
}

impl<'a> PlanRows<'a> {
    /// Starts to run a plan; reads the local segments at once.
    pub(crate) fn start(
        plan: Cow<'a, RestorePlan>,
        log: Option<&LogReader>,
        history: Arc<HistoryReader>,
        network: &'a Network,
    ) -> Result<Self> {
        let tail = match log {
            Some(log) => collect_tail(&plan, log)?,
            None => TailRows::none(plan.table),
        };
        let (tail, next_piece, merge) = (Arc::new(tail), 0, None);
        Ok(Self { plan, history, network, tail, next_piece, merge })
    }

    fn open_piece(&self, piece: &PlanPiece) -> Result<Merge> {
        let filter =
            |floor| RowFilter { keys: piece.keys.clone(), floor, target: self.plan.target.seq };
        let base = piece.base.iter().map(|read| (read, foldback_log_tier::Seq::ZERO));
        let deltas = piece.deltas.iter().map(|read| (read, piece.floor()));
        let mut sources: Vec<_> = base
            .chain(deltas)
            .filter(|(read, _)| !read.row_groups.is_empty())
            .map(|(read, floor)| Source::history(self.feed(read), filter(floor)))
            .collect();
        sources.push(Source::tail(Arc::clone(&self.tail), filter(piece.floor())));
        Merge::new(sources)
    }

    /// Reads and decodes a file's row groups ahead of the merge.
    fn feed(&self, read: &FileRead) -> RowGroupFeed {
        let (sender, groups) = mpsc::channel(ROW_GROUPS_AHEAD);
        let (history, read) = (Arc::clone(&self.history), read.clone());
        let left = read.row_groups.len();
        self.network.handle().spawn(send_row_groups(history, read, sender));
        RowGroupFeed { groups, left }
    }
}

/// Sends a file's row groups until one fails, or until the merge is gone since the restore was
/// given up.
async fn send_row_groups(
    history: Arc<HistoryReader>,
    read: FileRead,
    sender: mpsc::Sender<Result<RowGroupRows>>,
) {
    for index in &read.row_groups {
        let group = read_row_group(&history, &read, *index).await;
        let failed = group.is_err();
        if sender.send(group).await.is_err() || failed {
            return;
        }
    }
}

async fn read_row_group(
    history: &HistoryReader,
    read: &FileRead,
    index: u32,
) -> Result<RowGroupRows> {
    let tail = history.tail(&read.file).await?;
    let rows = history.remote().read_row_group(&read.file, &tail, index).await;
    rows.map_err(Error::from)
}

/// The events that only local segments hold.
fn collect_tail(plan: &RestorePlan, log: &LogReader) -> Result<TailRows> {
    let mut commits = Vec::new();
    for info in &plan.segments {
        commits.push(log.read_segment(info)?);
    }
    let commits = commits.into_iter().flatten().map(|committed| committed.map_err(Error::from));
    TailRows::collect(plan.table, plan.sealed, plan.target.seq, commits)
}

impl Iterator for PlanRows<'_> {
    type Item = Result<(Bytes, Bytes)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.merge.as_mut().and_then(Iterator::next) {
                return Some(row);
            }
            let piece = self.plan.pieces.get(self.next_piece)?;
            self.next_piece += 1;
            match self.open_piece(piece) {
                Ok(merge) => self.merge = Some(merge),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
