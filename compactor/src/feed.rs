//! Feeding a merge: runs of adjacent row groups are read in one request each, and decoded portion
//! by portion as the merge asks for them.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use foldback_log_tier::Result;
use foldback_log_tier::history::{
    HistoryTail, ROW_GROUP_BYTES_MAX, RowFilter, RowGroupEntry, RowGroupPortions, RowGroupRows,
};
use foldback_log_tier::manifest::HistoryEntry;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::merge::{RowGroupFeed, SharedStart};
use crate::{HistoryReader, Network, ReadMeter};

/// Bytes of one run, unless one row group is more: four row groups that do not compress, and some.
const RUN_BYTES_MAX: usize = 9 << 20;
/// Bytes of the runs that all sources of one merge hold together, unless one row group of each is
/// more.
const RUNS_BYTES_MAX: usize = 8 * RUN_BYTES_MAX;
/// So many sources read their next run while one is being decoded.
const SOURCES_READING_AHEAD_MAX: usize = 4;
/// Bytes of decoded rows that all sources of one merge hold together, about.
const ROWS_BYTES_MAX: usize = 8 * ROW_GROUP_BYTES_MAX;
/// Portions of decoded rows that one source holds: one is merged while the next is decoded.
const PORTIONS_HELD: usize = 2;
/// A portion is at least of about so many bytes: less than a page costs more than it saves.
const PORTION_BYTES_MIN: usize = 64 << 10;

/// How much memory the feed of one source may take, so that all sources of a merge stay bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedBudget {
    run_bytes: u64,
    reads_ahead: bool,
    portion_bytes: usize,
}

/// Row groups of a file, ascending.
pub type RowGroupsOf = (Arc<HistoryEntry>, Vec<u32>);

/// What is read for one source of a merge.
#[derive(Clone, Debug)]
pub struct FeedReads {
    /// Row groups of files, one file after the other.
    pub reads: Vec<RowGroupsOf>,
    /// Which of their rows count.
    pub filter: RowFilter,
}

/// The bytes of adjacent row groups of one file.
struct Run {
    tail: Arc<HistoryTail>,
    groups: Vec<RowGroupEntry>,
    bytes: Bytes,
}

/// What is still to be read.
struct RunCursor {
    history: Arc<HistoryReader>,
    reads: VecDeque<(Arc<HistoryEntry>, VecDeque<u32>)>,
    run_bytes: u64,
    /// The tail of the first of these files, once it was read.
    tail: Option<Arc<HistoryTail>>,
    meter: Arc<ReadMeter>,
}

/// Decodes what the merge wants.
struct Feeder {
    portion_bytes: usize,
    filter: RowFilter,
    /// One message for each portion that is wanted; closed when the merge has ended.
    wanted: mpsc::UnboundedReceiver<()>,
    portions: mpsc::Sender<Result<RowGroupRows>>,
}

impl FeedBudget {
    /// The budget of each of so many sources.
    #[must_use]
    pub fn shared_by(sources: usize) -> Self {
        let reads_ahead = sources <= SOURCES_READING_AHEAD_MAX;
        let portion_bytes = ROWS_BYTES_MAX / (sources.max(1) * PORTIONS_HELD);
        let portion_bytes = portion_bytes.clamp(PORTION_BYTES_MIN, ROW_GROUP_BYTES_MAX);
        let runs = sources.max(1) * if reads_ahead { 2 } else { 1 };
        let run_bytes = u64::try_from((RUNS_BYTES_MAX / runs).min(RUN_BYTES_MAX));
        Self { run_bytes: run_bytes.expect("64 bits suffice"), reads_ahead, portion_bytes }
    }

    /// About how many requests read row groups of one file, which have so many bytes together.
    #[must_use]
    pub fn requests(&self, row_groups: &[u32], bytes: u64) -> u64 {
        let adjoin = |left: &u32, right: &u32| left.checked_add(1) == Some(*right);
        let runs = row_groups.chunk_by(adjoin).count();
        u64::try_from(runs).expect("64 bits suffice") + bytes / self.run_bytes
    }
}

/// Starts to read row groups of files, one file after the other.
pub(crate) fn start(
    history: Arc<HistoryReader>,
    network: &Network,
    reads: FeedReads,
    budget: FeedBudget,
    meter: Arc<ReadMeter>,
) -> RowGroupFeed {
    let FeedReads { reads, filter } = reads;
    let starts = reads.iter().map(|(file, groups)| SharedStart::of_file(file, groups));
    let shared_start = starts.fold(SharedStart::NoKeys, SharedStart::join);
    let left = reads.iter().map(|(_, row_groups)| row_groups.len()).sum();
    let (sender, portions) = mpsc::channel(1);
    let (wants, wanted) = mpsc::unbounded_channel();
    // The first is decoded before anyone waits for it, and so each is while the one before is
    // merged.
    wants.send(()).expect("its receiver is here");
    let reads = reads.into_iter().map(|(file, groups)| (file, groups.into())).collect();
    let cursor = RunCursor { history, reads, run_bytes: budget.run_bytes, tail: None, meter };
    let portion_bytes = budget.portion_bytes;
    let feeder = Feeder { portion_bytes, filter, wanted, portions: sender };
    network.handle().spawn(feeder.feed(cursor, budget.reads_ahead));
    RowGroupFeed::new(portions, wants, left, shared_start)
}

impl Feeder {
    /// Feeds until all is read, something fails, or nobody wants more.
    async fn feed(mut self, cursor: RunCursor, reads_ahead: bool) {
        let mut reading = cursor.read();
        while let Ok((cursor, Some(run))) = reading.await {
            let goes_on;
            if reads_ahead {
                reading = cursor.read();
                goes_on = self.send(run).await;
            } else {
                goes_on = self.send(run).await;
                reading = cursor.read();
            }
            if !goes_on {
                reading.abort();
                return;
            }
        }
    }

    /// Sends the rows of a run, each portion decoded once it is wanted; says whether more may be.
    async fn send(&mut self, run: Result<Run>) -> bool {
        let run = match run {
            Ok(run) => run,
            Err(error) => {
                let _ = self.portions.send(Err(error)).await;
                return false;
            }
        };
        for at in 0..run.groups.len() {
            if !self.send_row_group(&run, at).await {
                return false;
            }
        }
        true
    }

    fn open(&self, run: &Run, at: usize) -> Result<RowGroupPortions> {
        let (group, first) = (&run.groups[at], &run.groups[0]);
        let begin = usize::try_from(group.offset - first.offset);
        let length = usize::try_from(group.bytes);
        let begin = begin.expect("it is in memory");
        let end = begin + length.expect("it is in memory");
        let (bytes, filter) = (run.bytes.slice(begin..end), self.filter.clone());
        run.tail.row_group_portions(group.index, bytes, self.portion_bytes, filter)
    }

    async fn send_row_group(&mut self, run: &Run, at: usize) -> bool {
        let mut row_group = None;
        loop {
            if self.wanted.recv().await.is_none() {
                return false;
            }
            // Nothing is verified or decoded before it is wanted.
            let portion = match row_group.take().map_or_else(|| self.open(run, at), Ok) {
                Ok(mut portions) => {
                    let portion = portions.next().expect("its last portion has not come");
                    row_group = Some(portions);
                    portion
                }
                Err(error) => Err(error),
            };
            let goes_on = portion.as_ref().ok().map(|portion| !portion.ends_row_group());
            if self.portions.send(portion).await.is_err() {
                return false;
            }
            match goes_on {
                Some(true) => {}
                Some(false) => return true,
                None => return false,
            }
        }
    }
}

impl RunCursor {
    /// Reads the next run in a task of its own.
    fn read(mut self) -> JoinHandle<(Self, Option<Result<Run>>)> {
        tokio::spawn(async move {
            let run = self.next().await;
            (self, run)
        })
    }

    /// Reads the next run; `None` at the end.
    async fn next(&mut self) -> Option<Result<Run>> {
        while self.reads.front()?.1.is_empty() {
            self.reads.pop_front();
            self.tail = None;
        }
        let (file, wanted) = self.reads.front_mut()?;
        let tail = match &self.tail {
            Some(tail) => Arc::clone(tail),
            None => match self.history.metered_tail(file, &self.meter).await {
                Ok(tail) => Arc::clone(self.tail.insert(tail)),
                Err(error) => return Some(Err(error)),
            },
        };
        let groups = take_run(wanted, tail.row_groups(), self.run_bytes);
        let range = groups.first()?.offset..groups.last()?.range().end;
        self.meter.note(range.end - range.start);
        let bytes = self.history.remote().read(&file.name, range).await;
        Some(bytes.map(|bytes| Run { tail, groups, bytes }))
    }
}

/// Takes from the front of `wanted` those row groups that lie end to end, up to `bytes_max`, and at
/// least one.
fn take_run(
    wanted: &mut VecDeque<u32>,
    row_groups: &[RowGroupEntry],
    bytes_max: u64,
) -> Vec<RowGroupEntry> {
    let mut run: Vec<RowGroupEntry> = Vec::new();
    while let Some(index) = wanted.front() {
        let at = usize::try_from(*index).expect("memory has at least 32 bits");
        // What a caller asks for comes from the tail, or from the manifest, which agrees with it.
        let group = &row_groups[at];
        if let (Some(first), Some(last)) = (run.first(), run.last()) {
            let adjoins = last.index + 1 == group.index;
            if !adjoins || group.range().end - first.offset > bytes_max {
                break;
            }
        }
        run.push(group.clone());
        wanted.pop_front();
    }
    run
}

#[cfg(test)]
mod tests;
