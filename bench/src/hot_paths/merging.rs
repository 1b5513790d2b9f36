//! The merge: files that overlap in, the newest live row of every key out.

use std::path::Path;
use std::sync::Arc;

use foldback::log_tier::manifest::HistoryEntry;
use foldback_compactor::merge::{MergedRow, RowFilter, Source};
use foldback_compactor::{FeedBudget, FeedReads, HistoryReader, Merge, Network};

use super::histories::{bucket_of, config};
use super::{EVENTS, HotWork};
use crate::{Error, Result};

/// Merges all files of the history. Other threads read and decode them.
pub(super) fn merging(directory: &Path) -> Result<HotWork> {
    let network = Network::start().map_err(Error::io("start threads for", directory))?;
    let (remote, files) = bucket_of(directory, &network)?;
    let database = foldback::Database::open(config(directory).0)?.id();
    let history = Arc::new(HistoryReader::new(remote, database));
    Ok(Box::new(move || {
        let budget = FeedBudget::shared_by(files.len());
        let source = |file: &Arc<HistoryEntry>| {
            let groups = file.tables.iter().flat_map(|it| it.row_group_first..=it.row_group_last);
            let reads = vec![(Arc::clone(file), groups.collect())];
            // As a state is read: of each key the newest row.
            let filter = RowFilter { newest_only: true, ..RowFilter::all() };
            Source::history(history.feed(&network, FeedReads { reads, filter }, budget))
        };
        let mut merge = Merge::new(files.iter().map(source))?;
        let (mut rows, mut bytes) = (0_u64, 0);
        let lengths = |row: MergedRow<'_>| {
            let event = row.event();
            event.key.len() + event.value.map_or(0, <[u8]>::len)
        };
        while let Some(length) = merge.next_live(lengths)? {
            (rows, bytes) = (rows + 1, bytes + length);
        }
        std::hint::black_box(bytes);
        match rows {
            0 => Err(Error::Wrong("a merge came to no row".to_owned())),
            _ => Ok(EVENTS),
        }
    }))
}
