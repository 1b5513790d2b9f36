//! Feeding a merge: what is fetched is decoded portion by portion as the merge asks for it.

use std::sync::Arc;

use foldback_log_tier::Result;
use foldback_log_tier::history::{ROW_GROUP_BYTES_MAX, RowFilter, RowGroupPortions, RowGroupRows};
use foldback_log_tier::manifest::HistoryEntry;
use tokio::sync::mpsc;

use crate::Network;
use crate::fetch_layout::RunLimits;
use crate::fetching::{FetchedGroup, Fetching};
use crate::merge::{RowGroupFeed, SharedStart};

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

/// Decodes what the merge wants.
struct Feeder {
    portion_bytes: usize,
    filter: RowFilter,
    /// One message for each portion that is wanted; closed when the merge has ended.
    wanted: mpsc::UnboundedReceiver<()>,
    portions: mpsc::Sender<Result<Fed>>,
}

/// What comes of a row group: a portion of its rows, or nothing, if by its statistics none counts.
pub(crate) type Fed = Option<RowGroupRows>;

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

    /// How much one request reads for one of these sources.
    pub(crate) fn limits(self) -> RunLimits {
        RunLimits { aim: self.run_bytes, bytes_max: self.run_bytes }
    }

    /// Bytes that are read ahead of what is wanted.
    pub(crate) fn ahead_bytes(self) -> u64 {
        if self.reads_ahead { self.run_bytes } else { 0 }
    }

    /// About how many bytes of rows a portion has.
    pub(crate) fn portion_bytes(self) -> usize {
        self.portion_bytes
    }
}

/// Starts to feed a merge with row groups of files, one file after the other; `fetching` knows each
/// by the number that it has with it.
pub(crate) fn start(
    fetching: Arc<Fetching>,
    network: &Network,
    (numbers, reads): (Vec<usize>, FeedReads),
    portion_bytes: usize,
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
    let groups = numbers.into_iter().zip(reads);
    let groups =
        groups.flat_map(|(file, (_, groups))| groups.into_iter().map(move |at| (file, at)));
    let feeder = Feeder { portion_bytes, filter, wanted, portions: sender };
    network.handle().spawn(feeder.feed(fetching, groups.collect()));
    RowGroupFeed::new(portions, wants, left, shared_start)
}

impl Feeder {
    /// Feeds until all is read, something fails, or nobody wants more.
    async fn feed(mut self, fetching: Arc<Fetching>, groups: Vec<(usize, u32)>) {
        for (file, index) in groups {
            let goes_on = match fetching.group(file, index).await {
                Ok(group) => self.send_row_group(&group, index).await,
                Err(error) => {
                    let _ = self.portions.send(Err(error)).await;
                    false
                }
            };
            if !goes_on {
                return;
            }
        }
    }

    fn open(&self, group: &FetchedGroup, index: u32) -> Result<RowGroupPortions> {
        let (bytes, filter) = (group.bytes.clone(), self.filter.clone());
        group.tail.row_group_portions(index, bytes, self.portion_bytes, filter)
    }

    /// Sends the rows of a row group, each portion decoded once it is wanted; says whether more may
    /// be.
    async fn send_row_group(&mut self, group: &FetchedGroup, index: u32) -> bool {
        let stated = &group.tail.row_groups()[usize::try_from(index).expect("it was fetched")];
        if !self.filter.may_admit(stated) {
            return self.portions.send(Ok(None)).await.is_ok();
        }
        let mut row_group = None;
        loop {
            if self.wanted.recv().await.is_none() {
                return false;
            }
            // Nothing is verified or decoded before it is wanted.
            let portion = match row_group.take().map_or_else(|| self.open(group, index), Ok) {
                Ok(mut portions) => {
                    let portion = portions.next().expect("its last portion has not come");
                    row_group = Some(portions);
                    portion
                }
                Err(error) => Err(error),
            };
            let goes_on = portion.as_ref().ok().map(|portion| !portion.ends_row_group());
            if self.portions.send(portion.map(Some)).await.is_err() {
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

#[cfg(test)]
mod tests;
