//! The past of a database as of one moment: windows, the commits that targets come to, and plans.
//!
//! Both doors to history stand on it: the open database, whose newest commits are in its log, and
//! the reader of a bucket, for which nothing is known after the last sealed commit.

use std::sync::Arc;

use foldback_log_tier::local_log::SegmentInfo;
use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::{Commit, DatabaseId, Error as TierError, Seq, Timestamp};

use crate::backups;
use crate::catalog::Catalog;
use crate::plan::{PlanInputs, plan};
use crate::reading::Places;
use crate::target::{kept, windows};
use crate::timeline::Timeline;
use crate::{
    BackupRecord, Error, Resolved, RestorePlan, Result, Selection, TableRecord, Target, Window,
    instant,
};

/// Moments that are tried in turn while segments are being trimmed or files replaced; one more
/// than that missing is no accident.
pub(crate) const MOMENTS_MAX: usize = 8;

/// The history of a database as of one moment, and where to read it.
#[derive(Debug)]
pub(crate) struct Past<'a> {
    pub(crate) moment: PastMoment,
    pub(crate) places: Places<'a>,
}

/// What there is of history at one moment: a manifest, and the segments above it.
#[derive(Clone, Debug)]
pub(crate) struct PastMoment {
    /// Read before the manifest: what is trimmed in between is in the manifest then.
    pub(crate) segments: Arc<Vec<SegmentInfo>>,
    pub(crate) manifest: Arc<Manifest>,
    /// The last commit that is known.
    pub(crate) tip: Commit,
    /// Never before the tip's timestamp.
    pub(crate) now: Timestamp,
}

impl Past<'_> {
    /// The restorable windows of a table, in order.
    pub(crate) fn windows(&self, record: &TableRecord) -> Vec<Window> {
        let PastMoment { manifest, tip, now, .. } = &self.moment;
        windows(record, manifest, *tip, *now)
    }

    /// The windows of a table, with those that hold no instant and are restored from by number.
    pub(crate) fn kept(&self, record: &TableRecord) -> Vec<Window> {
        let PastMoment { manifest, tip, now, .. } = &self.moment;
        kept(record, manifest, *tip, *now)
    }

    /// The commit that a target comes to, which lies in a window of the table.
    pub(crate) fn resolve(&self, record: &TableRecord, target: Target) -> Result<Resolved> {
        let windows = self.windows(record);
        let timeline = self.timeline();
        let tip = self.moment.tip;
        let commit = match target {
            // The last state of a table that was dropped is the one before that.
            Target::Latest => match record.dropped {
                Some(dropped) => timeline.get(dropped.seq.prev())?,
                None => Some(tip),
            },
            Target::At(at) => timeline.at_or_before(at)?,
            Target::Before(before) => timeline.at_or_before(before.saturating_add_micros(-1))?,
            Target::Seq(asked) if asked > tip.seq => {
                return Err(Error::NoSuchCommit { asked, last: tip.seq });
            }
            Target::Seq(seq) => timeline.get(seq)?,
        };
        let outside = || Error::OutsideWindow {
            table: record.name.clone(),
            asked: target.to_string(),
            windows: windows.clone(),
        };
        let commit = commit.ok_or_else(outside)?;
        let next = match commit.seq < tip.seq {
            true => timeline.get(commit.seq.next())?,
            false => None,
        };
        // The state after a commit lasts until just before the next one's instant, or is part of
        // that instant.
        let ends = |next: Commit| next.timestamp.saturating_add_micros(-1).max(commit.timestamp);
        let lasts_until = match target {
            Target::At(at) => at,
            Target::Before(before) => before.saturating_add_micros(-1),
            Target::Latest | Target::Seq(_) => next.map_or(Timestamp::MAX, ends),
        };
        let restorable = self
            .kept(record)
            .iter()
            .any(|window| window.contains(commit.seq) && window.earliest <= lasts_until);
        match restorable {
            true => Ok(Resolved { commit, next }),
            false => Err(outside()),
        }
    }

    /// The commit with this number: the one that is known, or as the timeline tells it.
    pub(crate) fn commit_at(&self, seq: Seq, known: Option<Commit>) -> Result<Commit> {
        match known {
            Some(commit) => Ok(commit),
            None => self.timeline().get(seq)?.ok_or_else(|| {
                Error::Lost(format!("no delta that the newest manifest lists holds commit #{seq}"))
            }),
        }
    }

    /// What a restore of the table's state at a target reads.
    pub(crate) fn plan(
        &self,
        record: &TableRecord,
        target: Target,
        selection: &Selection,
    ) -> Result<RestorePlan> {
        self.plan_at(record, self.resolve(record, target)?.commit, selection)
    }

    /// The same for a commit that a target was resolved to.
    pub(crate) fn plan_at(
        &self,
        record: &TableRecord,
        commit: Commit,
        selection: &Selection,
    ) -> Result<RestorePlan> {
        self.choose_row_groups(self.plan_files(record, commit, selection)?)
    }

    /// What a restore of a backup reads.
    pub(crate) fn plan_backup(
        &self,
        kept: (&Catalog, &BackupRecord),
        selection: &Selection,
    ) -> Result<RestorePlan> {
        self.choose_row_groups(backups::plan_kept(&self.moment.manifest, kept, selection)?)
    }

    /// Keeps of what a plan reads the row groups that may hold rows of it, where the manifest alone
    /// leaves much open.
    pub(crate) fn choose_row_groups(&self, mut plan: RestorePlan) -> Result<RestorePlan> {
        let Places { history, network, .. } = self.places;
        let files = plan.unsure_files();
        history.prepare(network, files.iter().map(Arc::clone))?;
        for file in files {
            let (history, name) = (Arc::clone(history), file.name.clone());
            let tail = network.run(async move { history.tail(&file).await })?;
            plan.choose_row_groups(&name, tail.row_groups());
        }
        Ok(plan)
    }

    /// The same by the manifest alone.
    pub(crate) fn plan_files(
        &self,
        record: &TableRecord,
        commit: Commit,
        selection: &Selection,
    ) -> Result<RestorePlan> {
        let interval = record.protection.iter().find(|interval| interval.contains(commit.seq));
        let interval = interval.expect("a target is resolved into a protection interval");
        let PastMoment { manifest, segments, .. } = &self.moment;
        plan(PlanInputs {
            manifest,
            segments,
            table: record.id,
            table_name: &record.name,
            history_first: interval.first.seq,
            starts_empty: interval.starts_empty,
            earliest: interval.kept(record.id).floor(manifest).map(|floor| floor.seq),
            target: commit,
            selection,
        })
    }

    pub(crate) fn timeline(&self) -> Timeline<'_> {
        Timeline {
            manifest: &self.moment.manifest,
            segments: &self.moment.segments,
            log: self.places.log,
            history: self.places.history,
            network: self.places.network,
        }
    }
}

/// Tries again, each time on the moment that `refresh` has brought, if what the last one named was
/// removed after it was taken.
pub(crate) fn again_if_gone<T>(
    refresh: impl Fn() -> Result<()>,
    act: impl Fn() -> Result<T>,
) -> Result<T> {
    for _ in 1..MOMENTS_MAX {
        match act() {
            Err(error) if is_gone(&error) => refresh()?,
            done => return done,
        }
    }
    act()
}

/// Whether a file or a segment was removed after the plan was made.
pub(crate) fn is_gone(error: &Error) -> bool {
    match error {
        Error::Tier(TierError::Missing { .. }) => true,
        Error::Tier(TierError::Local { source, .. }) => {
            source.kind() == std::io::ErrorKind::NotFound
        }
        _ => false,
    }
}

/// Refuses a plan of another database: its files are not here, and what is planned anew by its
/// names and numbers would be something else.
pub(crate) fn check_database(plan: &RestorePlan, ours: DatabaseId) -> Result<()> {
    let theirs = plan.database;
    match theirs == ours {
        true => Ok(()),
        false => Err(Error::Invalid(format!(
            "the plan is of database {theirs}, and cannot be run on the history of database \
             {ours}; run it where it was made, or with `restore_from`"
        ))),
    }
}

/// The instant as an error or a listing shows it.
impl std::fmt::Display for Resolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{} at {}", self.commit.seq, instant::show(self.commit.timestamp))
    }
}
