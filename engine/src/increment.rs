//! What happened to a table between two commits, read from history: what a detached backup adds to
//! the one that it is built on.

use std::borrow::Cow;

use foldback_compactor::ReadCount;
use foldback_log_tier::history::{COMMIT_INDEX_COMMITS_MAX, CommitIndex, FileKind};
use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::{Commit, EventRow};

use crate::past::Past;
use crate::plan::{PlanInputs, plan};
use crate::reading::Places;
use crate::restore::PlanRows;
use crate::{Error, ProtectionInterval, RestorePlan, Result, Selection, TableRecord};

/// A state of a table that is known elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownState {
    /// The commit whose state it is.
    pub(crate) target: Commit,
    /// No event of the table came after this commit, up to the target.
    pub(crate) covered: Commit,
}

/// The newest event of each key that had one after a known state.
#[derive(Debug)]
pub(crate) struct Increment<'a> {
    /// Every commit of the database after what the known state covers.
    pub(crate) commits: CommitIndex,
    /// Bytes of the bucket that are read.
    pub(crate) bucket_bytes: u64,
    rows: PlanRows<'a>,
}

impl Past<'_> {
    /// Starts to read what happened to the table of `plan` after `known` and up to the target of
    /// the plan; `None` if history does not tell all of it.
    pub(crate) fn increment<'a>(
        &self,
        record: &TableRecord,
        plan: &RestorePlan,
        known: KnownState,
        places: Places<'a>,
    ) -> Result<Option<Increment<'a>>> {
        if plan.target.seq.0 - known.covered.seq.0 > COMMIT_INDEX_COMMITS_MAX {
            return Ok(None);
        }
        // What was lost with a machine and written anew has the same numbers, at other instants.
        if self.timeline().get(known.target.seq)? != Some(known.target) {
            return Ok(None);
        }
        let Some(planned) = self.plan_increment(record, plan, known.covered)? else {
            return Ok(None);
        };
        let planned = self.choose_row_groups(planned)?;
        let bucket_bytes = planned.bucket_bytes();
        // From here on a lease keeps what the commits are read from, too.
        let rows = PlanRows::start(Cow::Owned(planned), places)?;
        let commits = self.timeline().between(known.covered.seq, plan.target.seq)?;
        Ok(commits.map(|commits| Increment { commits, bucket_bytes, rows }))
    }

    /// Which deltas and segments tell what happened to a table after `covered`; `None` if some of
    /// it may be given up.
    fn plan_increment(
        &self,
        record: &TableRecord,
        of: &RestorePlan,
        covered: Commit,
    ) -> Result<Option<RestorePlan>> {
        let holds_both = |interval: &&ProtectionInterval| {
            interval.contains(covered.seq) && interval.contains(of.target.seq)
        };
        let Some(interval) = record.protection.iter().find(holds_both) else { return Ok(None) };
        let manifest = &self.moment.manifest;
        // Merges may have left out events at the floor and below.
        let floor = interval.kept(record.id).floor(manifest);
        if floor.is_some_and(|floor| covered.seq < floor.seq) {
            return Ok(None);
        }
        let deltas = manifest.files.iter().filter(|file| file.kind == FileKind::Delta).cloned();
        let manifest = Manifest { files: deltas.collect(), ..Manifest::clone(manifest) };
        let planned = plan(PlanInputs {
            manifest: &manifest,
            segments: &self.moment.segments,
            table: record.id,
            table_name: &of.table_name,
            history_first: covered.seq,
            // It is not empty then; but no event of before is wanted.
            starts_empty: true,
            earliest: None,
            target: of.target,
            selection: &Selection::all(),
        });
        match planned {
            Err(Error::Lost(reason)) => {
                tracing::warn!(reason, "there is a gap in history; a backup is copied whole");
                Ok(None)
            }
            planned => planned.map(Some),
        }
    }
}

impl Increment<'_> {
    /// Hands the next event to `take`, ascending by key; `None` at the end.
    pub(crate) fn next_event<T>(
        &mut self,
        mut take: impl FnMut(EventRow<'_>) -> T,
    ) -> Result<Option<T>> {
        loop {
            let taken = self.rows.step(|row, is_newest| is_newest.then(|| take(row)))?;
            match taken {
                Some(None) => {}
                Some(Some(taken)) => return Ok(Some(taken)),
                None => return Ok(None),
            }
        }
    }

    /// What was asked of the bucket so far.
    pub(crate) fn read_count(&self) -> ReadCount {
        self.rows.read_count()
    }
}
