//! A read of history, from where it begins to where it ends.

use std::sync::Arc;

use foldback_compactor::merge::RowGroupFeed;
use foldback_compactor::{HistoryReader, Network};
use foldback_log_tier::local_log::LogReader;

use crate::plan::{FileRead, RestorePlan};

/// Where the events of a database are: in its bucket and, for the process that has it open, in its
/// local log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places<'a> {
    pub(crate) history: &'a Arc<HistoryReader>,
    pub(crate) network: &'a Network,
    /// `None` where only the bucket is read: no plan names a segment then.
    pub(crate) log: Option<&'a LogReader>,
}

/// A read of history that is going on.
///
/// It begins before the first file of a plan is asked for, and ends, by being dropped, with the
/// rows that it feeds. Whatever must hold while history is read is held by this value.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    places: Places<'a>,
}

impl<'a> Reading<'a> {
    /// Begins to read what `plan` names.
    pub(crate) fn begin(plan: &RestorePlan, places: Places<'a>) -> Self {
        assert!(places.log.is_some() || plan.segments.is_empty(), "segments need a log");
        Self { places }
    }

    /// The local log, where there is one.
    pub(crate) fn log(&self) -> Option<&'a LogReader> {
        self.places.log
    }

    /// The row groups of one file, read and decoded ahead of the merge.
    pub(crate) fn feed(&self, read: &FileRead) -> RowGroupFeed {
        let reads = vec![(Arc::clone(&read.file), read.row_groups.clone())];
        self.places.history.feed(self.places.network, reads)
    }
}
