//! What merges that run one after the other read of history, fetched as one: a file that several of
//! them want is asked for as if one did, and the next merge's rows come while one still runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldback_log_tier::history::RowFilter;
use foldback_log_tier::manifest::HistoryEntry;

use crate::fetch_layout::{self, RunLimits, fair_share};
use crate::fetching::{Fetching, FileWanted, GroupWanted};
use crate::merge::RowGroupFeed;
use crate::{FeedBudget, FeedReads, HistoryReader, Network, ReadMeter, RowGroupsOf, feed};

/// A request reads about so many bytes, or twice that, where there are so many: few enough that
/// some fit into memory, and so many that what a request costs is little.
const RUN_BYTES: u64 = 8 << 20;
/// A request reads no less, if there is more, however many sources share the memory.
const RUN_BYTES_MIN: u64 = 1 << 20;
/// Bytes of the runs that all sources of a merge read from at a time, about; up to twice that if
/// all have just a little more than their share.
const RUNS_BYTES: u64 = 12 * RUN_BYTES;
/// Bytes that are read ahead of what is wanted: what 2.5 Gbit/s bring in 100 ms, and far more than
/// is decoded in that time.
const AHEAD_BYTES_MAX: u64 = 4 * RUN_BYTES;

/// What is read of history by merges that are run one after the other.
#[derive(Debug)]
pub struct PlannedReads {
    fetching: Arc<Fetching>,
    /// The numbers that files have with `fetching`, by name.
    numbers: BTreeMap<String, usize>,
}

/// About how many requests the reads of these merges take, each given by what it reads of its
/// files.
#[must_use]
pub fn bucket_requests(merges: &[Vec<RowGroupsOf>]) -> u64 {
    let requests = |wanted: &FileWanted| {
        let groups: Vec<_> = wanted.groups.iter().map(|group| group.index).collect();
        fetch_layout::requests(&wanted.file, &groups, wanted.limits)
    };
    wanted(merges).iter().map(requests).sum()
}

/// The files of which these merges read so much that their tails are read before their rows.
#[must_use]
pub fn opened_by_tail(merges: &[Vec<RowGroupsOf>]) -> Vec<Arc<HistoryEntry>> {
    let by_tail = |wanted: &FileWanted| {
        let groups: Vec<_> = wanted.groups.iter().map(|group| group.index).collect();
        let opening = fetch_layout::opening(&wanted.file, &groups, wanted.limits);
        (opening.start == wanted.file.tail_offset).then(|| Arc::clone(&wanted.file))
    };
    wanted(merges).iter().filter_map(by_tail).collect()
}

impl HistoryReader {
    /// Prepares the reads of these merges, each given by what it reads of its files; what they ask
    /// of the bucket is counted by `meter`. Nothing is asked for before a merge wants something.
    #[must_use]
    pub fn plan_reads(
        self: &Arc<Self>,
        merges: &[Vec<RowGroupsOf>],
        meter: Arc<ReadMeter>,
    ) -> PlannedReads {
        let wanted = wanted(merges);
        let names = wanted.iter().map(|wanted| wanted.file.name.clone());
        let numbers = names.enumerate().map(|(number, name)| (name, number)).collect();
        let fetching = Fetching::new(Arc::clone(self), wanted, AHEAD_BYTES_MAX, meter);
        PlannedReads { fetching, numbers }
    }
}

impl PlannedReads {
    /// The rows of one file that `filter` lets through, fetched and decoded ahead of a merge of so
    /// many sources.
    ///
    /// # Panics
    ///
    /// If no merge was to read these row groups.
    #[must_use]
    pub fn feed(
        &self,
        network: &Network,
        reads: RowGroupsOf,
        filter: RowFilter,
        sources: usize,
    ) -> RowGroupFeed {
        let numbers = vec![self.numbers[&reads.0.name]];
        let reads = FeedReads { reads: vec![reads], filter };
        let portion_bytes = FeedBudget::shared_by(sources).portion_bytes();
        feed::start(Arc::clone(&self.fetching), network, (numbers, reads), portion_bytes)
    }
}

/// What merges want of each file, and how much of it one request is to read.
fn wanted(merges: &[Vec<RowGroupsOf>]) -> Vec<FileWanted> {
    let mut files: BTreeMap<&str, (&Arc<HistoryEntry>, BTreeMap<u32, GroupWanted>)> =
        BTreeMap::new();
    for (merge, reads) in merges.iter().enumerate() {
        for (file, groups) in reads.iter().filter(|(_, groups)| !groups.is_empty()) {
            let (_, wanted) = files.entry(&file.name).or_insert_with(|| (file, BTreeMap::new()));
            for index in groups.iter().copied() {
                let group = wanted.entry(index);
                group.or_insert(GroupWanted { index, merge, uses: 0 }).uses += 1;
            }
        }
    }
    let mut needs: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, (file, groups)) in &files {
        let groups: Vec<_> = groups.keys().copied().collect();
        needs.insert(name, file.extent(&groups).map_or(0, |(_, bytes)| bytes));
    }
    let mut shares: BTreeMap<&str, u64> = BTreeMap::new();
    for reads in merges {
        let names = reads.iter().map(|(file, _)| file.name.as_str());
        let names = names.filter(|name| needs.contains_key(name));
        let share = fair_share(names.clone().map(|name| needs[name]).collect(), RUNS_BYTES);
        for name in names {
            let known = shares.entry(name).or_insert(share);
            *known = share.min(*known);
        }
    }
    let wanted = files.into_iter().map(|(name, (file, groups))| {
        let aim = shares[name].clamp(RUN_BYTES_MIN, RUN_BYTES);
        let limits = RunLimits { aim, bytes_max: u64::MAX };
        FileWanted { file: Arc::clone(file), groups: groups.into_values().collect(), limits }
    });
    wanted.collect()
}

#[cfg(test)]
mod tests;
