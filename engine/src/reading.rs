//! A read of history, from where it begins to where it ends.

use std::collections::BTreeSet;
use std::sync::Arc;

use foldback_compactor::merge::{RowFilter, RowGroupFeed};
use foldback_compactor::{HistoryReader, LeaseGuard, Network, PlannedReads, ReadCount, ReadMeter};
use foldback_log_tier::Error as TierError;
use foldback_log_tier::local_log::LogReader;

use crate::Result;
use crate::plan::{FileRead, RestorePlan};

/// Where the events of a database are: in its bucket and, for the process that has it open, in its
/// local log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places<'a> {
    pub(crate) history: &'a Arc<HistoryReader>,
    pub(crate) network: &'a Network,
    /// `None` where only the bucket is read: no plan names a segment then.
    pub(crate) log: Option<&'a LogReader>,
    /// Whether a read takes a lease on what it reads: all do that may last.
    pub(crate) leases: bool,
}

/// A read of history that is going on.
///
/// It begins before the first file of a plan is asked for, and ends, by being dropped, with the
/// rows that it feeds. Whatever must hold while history is read is held by this value.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    places: Places<'a>,
    _lease: Option<LeaseGuard>,
    reads: PlannedReads,
    meter: Arc<ReadMeter>,
}

impl<'a> Reading<'a> {
    /// Begins to read what `plan` names. From here on no compactor deletes any of it.
    ///
    /// Where the bucket takes no lease, as it may be readable only, what is read is not held: if a
    /// file goes away meanwhile, the read is planned anew.
    pub(crate) fn begin(plan: &RestorePlan, places: Places<'a>) -> Result<Self> {
        assert!(places.log.is_some() || plan.segments.is_empty(), "segments need a log");
        let lease = hold(plan, places)?;
        let meter = Arc::<ReadMeter>::default();
        let reads = places.history.plan_reads(&plan.merges(), Arc::clone(&meter));
        Ok(Self { places, _lease: lease, reads, meter })
    }

    /// The rows of one file that `filter` lets through, read and decoded ahead of a merge of so
    /// many sources.
    pub(crate) fn feed(&self, read: &FileRead, filter: RowFilter, sources: usize) -> RowGroupFeed {
        let reads = (Arc::clone(&read.file), read.row_groups.clone());
        self.reads.feed(self.places.network, reads, filter, sources)
    }

    /// What it has asked of the bucket so far.
    pub(crate) fn count(&self) -> ReadCount {
        self.meter.count()
    }
}

/// Takes a lease on the manifest of a plan, where one is to be taken and there is anything to hold,
/// and makes sure that the newest manifest still lists all of the plan: what was taken off before
/// the lease was there is not held by it.
pub(crate) fn hold(plan: &RestorePlan, places: Places<'_>) -> Result<Option<LeaseGuard>> {
    if !places.leases || plan.files().next().is_none() {
        return Ok(None);
    }
    let remote = places.history.remote();
    let holder = format!("reading {} as of #{}", plan.table_name, plan.target.seq);
    let taken = LeaseGuard::take(places.network, remote, plan.database, plan.manifest, &holder);
    let lease = match taken {
        Ok(lease) => lease,
        Err(error @ TierError::Store { .. }) => {
            tracing::warn!(%error, "the bucket takes no lease; what is read is not held");
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let (asked, known) = (remote.clone(), plan.manifest);
    let newest = places.network.run(async move {
        match asked.newer_manifest(known).await? {
            Some(_) => asked.newest_manifest().await,
            None => Ok(None),
        }
    })?;
    let Some(newest) = newest else { return Ok(Some(lease)) };
    let listed: BTreeSet<_> = newest.files.iter().map(|file| &file.name).collect();
    match plan.files().find(|read| !listed.contains(&read.file.name)) {
        None => Ok(Some(lease)),
        Some(gone) => Err(TierError::Missing { object: gone.file.name.clone() }.into()),
    }
}
