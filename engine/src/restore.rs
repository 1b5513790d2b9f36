//! Running a plan: its files are fetched and decoded ahead, and merged into one sorted stream.

use std::borrow::Cow;
use std::sync::Arc;

use foldback_compactor::merge::{MergedRow, RowFilter, Source, TailRows};
use foldback_compactor::{Merge, ReadCount};
use foldback_log_tier::EventRow;
use foldback_log_tier::local_log::LogReader;

use crate::Result;
use crate::plan::{PlanPiece, RestorePlan};
use crate::present::Row;
use crate::reading::{Places, Reading};

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
    /// Requests to the bucket for history files; what was in memory already needed none.
    pub bucket_requests: u64,
    /// Bytes that came from the bucket.
    pub bucket_bytes: u64,
    /// For how long its instants stay restorable, if it is protected.
    pub retention: Option<crate::Retention>,
}

/// How far a restore is, over all of its tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows that were restored.
    pub rows: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Bytes that came from the bucket: of `plan_bytes` so many are done.
    pub read_bytes: u64,
    /// Bytes of the bucket that the plans name. What is in local segments takes no time to speak
    /// of.
    pub plan_bytes: u64,
}

/// The live rows of a plan, ascending by key over all its pieces. Keys and values share the memory
/// of the pages that they were decoded from: whoever keeps some of them keeps those.
pub(crate) struct PlanRows<'a> {
    plan: Cow<'a, RestorePlan>,
    reading: Reading<'a>,
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
    pub(crate) fn start(plan: Cow<'a, RestorePlan>, places: Places<'a>) -> Result<Self> {
        let reading = Reading::begin(&plan, places)?;
        let tail = Arc::new(collect_tail(&plan, places.log)?);
        Ok(Self { plan, reading, tail, next_piece: 0, merge: None })
    }

    /// As [`Self::start`], with what the local segments hold read before: of no fewer commits than
    /// the plan's segments, and of none after its target.
    pub(crate) fn start_on(
        plan: Cow<'a, RestorePlan>,
        places: Places<'a>,
        tail: Arc<TailRows>,
    ) -> Result<Self> {
        let reading = Reading::begin(&plan, places)?;
        Ok(Self { plan, reading, tail, next_piece: 0, merge: None })
    }

    /// What was asked of the bucket so far.
    pub(crate) fn read_count(&self) -> ReadCount {
        self.reading.count()
    }

    /// The manifest that its plan is bound to.
    pub(crate) fn manifest(&self) -> u64 {
        self.plan.manifest
    }

    fn open_piece(&self, piece: &PlanPiece) -> Result<Merge> {
        let (keys, target) = (&piece.keys, self.plan.target.seq);
        let filter = |floor| RowFilter { keys: keys.clone(), floor, target, newest_only: true };
        let base = piece.base.iter().map(|read| (read, foldback_log_tier::Seq::ZERO));
        let deltas = piece.deltas.iter().map(|read| (read, piece.floor));
        let reads: Vec<_> =
            base.chain(deltas).filter(|(read, _)| !read.row_groups.is_empty()).collect();
        let feed = |(read, floor)| self.reading.feed(read, filter(floor), reads.len());
        let mut sources: Vec<_> = reads.iter().copied().map(feed).map(Source::history).collect();
        sources.push(Source::tail(Arc::clone(&self.tail), filter(piece.floor)));
        Ok(Merge::new(sources)?)
    }
}

/// The events that only local segments hold.
pub(crate) fn collect_tail(plan: &RestorePlan, log: Option<&LogReader>) -> Result<TailRows> {
    let Some(log) = log else { return Ok(TailRows::none(plan.table)) };
    let mut commits = Vec::new();
    for info in &plan.segments {
        commits.push(log.read_segment(info)?);
    }
    let commits = commits.into_iter().flatten();
    Ok(TailRows::collect(plan.table, plan.sealed, plan.target.seq, commits)?)
}

impl PlanRows<'_> {
    /// Hands the next row of the merge to `take`, with whether it is the newest of its key; `None`
    /// at the end. Keys that are not selected are among them.
    pub(crate) fn step<T>(
        &mut self,
        mut take: impl FnMut(EventRow<'_>, bool) -> T,
    ) -> Result<Option<T>> {
        loop {
            if let Some(merge) = &mut self.merge
                && let Some(taken) = merge.next_row(&mut take)?
            {
                return Ok(Some(taken));
            }
            let Some(piece) = self.plan.pieces.get(self.next_piece) else { return Ok(None) };
            let merge = self.open_piece(piece)?;
            self.next_piece += 1;
            self.merge = Some(merge);
        }
    }

    fn next_row(&mut self) -> Result<Option<Row>> {
        let selection = &self.plan.selection;
        let shared = |row: MergedRow<'_>| {
            selection.contains(row.event().key).then(|| {
                let (key, value) = row.to_shared();
                (key, value.expect("a live row has a value"))
            })
        };
        loop {
            if let Some(merge) = &mut self.merge
                && let Some(row) = merge.next_live(shared)?
            {
                match row {
                    Some(row) => return Ok(Some(row)),
                    None => continue,
                }
            }
            let Some(piece) = self.plan.pieces.get(self.next_piece) else { return Ok(None) };
            let merge = self.open_piece(piece)?;
            self.next_piece += 1;
            self.merge = Some(merge);
        }
    }
}

impl Iterator for PlanRows<'_> {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.next_row();
        if row.is_err() {
            // What comes after an error has lost rows, so nothing does.
            (self.merge, self.next_piece) = (None, self.plan.pieces.len());
        }
        row.transpose()
    }
}
