//! Windows, targets, plans and restores, as a user of the database asks for them.

use std::borrow::Cow;
use std::sync::Arc;

use foldback_log_tier::history::FileKind;
use foldback_log_tier::local_log::SegmentInfo;
use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::{Commit, Error as TierError, KeyRange, Seq, TableId, Timestamp};
use tokio::sync::oneshot;

use super::Database;
use crate::log_writer::Request;
use crate::plan::{PlanInputs, plan};
use crate::present::Row;
use crate::restore::PlanRows;
use crate::target::windows;
use crate::timeline::Timeline;
use crate::{
    Error, Lineage, Progress, Resolved, RestorePlan, Restored, Result, Selection, TableRecord,
    Target, Window, instant,
};

/// Moments that are tried in turn while segments are being trimmed; one more than that missing is
/// no accident.
const MOMENTS_MAX: usize = 8;

/// The history of the database as of one moment: a manifest, and the segments above it.
struct Moment {
    /// Read before the manifest: what is trimmed in between is in the manifest then.
    segments: Arc<Vec<SegmentInfo>>,
    manifest: Arc<Manifest>,
    tip: Commit,
    now: Timestamp,
}

impl Database {
    /// What the catalog says of a live table.
    pub(crate) fn record(&self, id: TableId) -> Result<TableRecord> {
        Ok(self.inner.log.catalog().live_by_id(id)?.clone())
    }

    /// The restorable windows of a table, in order, with the gaps between them left out.
    ///
    /// # Errors
    ///
    /// [`Error::TableNotFound`]; [`Error::NotProtected`] if it never was.
    pub fn windows(&self, name: &str) -> Result<Vec<Window>> {
        let record = self.protected(name)?;
        Ok(self.windows_of(&record, &self.moment()))
    }

    /// The one commit that a target comes to, and the commit after it.
    ///
    /// An instant that was asked for stays what it is: until the database is closed, no later
    /// commit is stamped at it or before it, whatever the clock does.
    ///
    /// # Errors
    ///
    /// [`Error::OutsideWindow`], [`Error::InFuture`], [`Error::NotProtected`],
    /// [`Error::TableNotFound`].
    pub fn resolve(&self, name: &str, target: Target) -> Result<Resolved> {
        self.protected(name)?;
        self.close(target)?;
        again_if_gone(|| {
            let moment = self.moment();
            self.resolve_at(&self.protected(name)?, target, &moment)
        })
    }

    /// What a restore of the table's state at a target would read.
    ///
    /// # Errors
    ///
    /// As [`Self::resolve`]; [`Error::Lost`] if a piece of history is missing; [`Error::Tier`] if
    /// the bucket is out of reach or damaged.
    pub fn plan(&self, name: &str, target: Target, selection: &Selection) -> Result<RestorePlan> {
        self.protected(name)?;
        self.close(target)?;
        again_if_gone(|| {
            let moment = self.moment();
            // Read after the moment: a later record tells no less of the commits up to its tip.
            let record = self.protected(name)?;
            let resolved = self.resolve_at(&record, target, &moment)?;
            self.plan_at(&record, resolved.commit, selection, &moment)
        })
    }

    /// Runs a plan into a new table, which becomes visible whole, by one commit, or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::TableExists`], [`Error::Invalid`] for the name, before anything is read; what
    /// reading the history fails with. Nothing is left behind then.
    pub fn restore(&self, plan: &RestorePlan, new_name: &str) -> Result<Restored> {
        self.restore_watched(plan, new_name, &mut |_| {})
    }

    /// As [`Self::restore`], telling `watch` how far it is from time to time.
    ///
    /// # Errors
    ///
    /// As [`Self::restore`].
    pub fn restore_watched(
        &self,
        plan: &RestorePlan,
        new_name: &str,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Restored> {
        self.inner.log.catalog().check_name_is_free(new_name)?;
        match self.restore_once(plan, new_name, watch) {
            Err(error) if is_gone(&error) => {
                tracing::info!(%error, "a file of the plan is gone; planning anew");
                self.restore_once(&self.plan_anew(plan)?, new_name, watch)
            }
            done => done,
        }
    }

    /// Runs a plan and yields its rows, ascending by key, without making a table of them.
    ///
    /// A local segment that the plan names may be gone, as history holds it by now: then the same
    /// state is planned anew.
    ///
    /// # Errors
    ///
    /// What reading the local log fails with; each row may fail with what reading history does.
    pub fn plan_rows<'a>(
        &'a self,
        plan: &'a RestorePlan,
    ) -> Result<impl Iterator<Item = Result<Row>> + 'a> {
        match self.start(Cow::Borrowed(plan)) {
            Err(error) if is_gone(&error) => {
                again_if_gone(|| self.start(Cow::Owned(self.plan_anew(plan)?)))
            }
            started => started,
        }
    }

    fn start<'a>(&'a self, plan: Cow<'a, RestorePlan>) -> Result<PlanRows<'a>> {
        let history = Arc::clone(&self.inner.history);
        PlanRows::start(plan, Some(&self.inner.log.reader), history, &self.inner.network)
    }

    /// A plan of the same state of the same table, from where its events are now.
    fn plan_anew(&self, plan: &RestorePlan) -> Result<RestorePlan> {
        self.plan(&plan.table_name, Target::Seq(plan.target.seq), &plan.selection)
    }

    fn restore_once(
        &self,
        plan: &RestorePlan,
        new_name: &str,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Restored> {
        let tree = self.inner.present.create_tree(self.draw_table_id())?;
        // Until the table is visible, whatever goes wrong takes the tree with it.
        tree.doom();
        let mut progress = Progress::default();
        let mut rows = self.plan_rows(plan)?.inspect(|row| {
            if let Ok((key, value)) = row {
                progress.add(key.len() + value.len(), watch);
            }
        });
        let (rows, bytes) = tree.load(Seq::ZERO, &mut rows)?;
        let lineage = Lineage { source: plan.table, target: plan.target };
        let table = self.create(new_name, Some((lineage, Arc::clone(&tree))), None)?;
        tree.spare();
        let commit = table.record()?.created;
        Ok(Restored { table: table.id(), commit, target: plan.target, rows, bytes })
    }

    /// Makes sure that no later commit is stamped at the target's instant or before it.
    fn close(&self, target: Target) -> Result<()> {
        let at = match target {
            Target::At(at) => at,
            Target::Before(before) => before.saturating_add_micros(-1),
            Target::Latest | Target::Seq(_) => return Ok(()),
        };
        let now = self.inner.config.clock.now().max(self.inner.log.tip().timestamp);
        if at > now {
            return Err(Error::InFuture { asked: target.to_string(), now });
        }
        let (reply, answer) = oneshot::channel();
        self.inner.writer.send(Request::CloseInstant { at, reply });
        foldback_compactor::wait_for(answer).unwrap_or(Err(Error::Closed)).map(drop)
    }

    fn moment(&self) -> Moment {
        let tip = self.inner.log.tip();
        let segments = self.inner.log.segments();
        let manifest = self.inner.publisher.newest();
        // Like commits, windows are held where they are when the clock goes back.
        let now = self.inner.config.clock.now().max(tip.timestamp);
        Moment { segments, manifest, tip, now }
    }

    fn protected(&self, name: &str) -> Result<TableRecord> {
        let record = self.inner.log.catalog().by_name(name)?.clone();
        match record.protection.is_empty() {
            true => Err(Error::NotProtected { name: record.name }),
            false => Ok(record),
        }
    }

    fn windows_of(&self, record: &TableRecord, moment: &Moment) -> Vec<Window> {
        windows(record, |table| whole_bases(&moment.manifest, table), moment.tip, moment.now)
    }

    /// The commit that a target comes to, which lies in a window of the table.
    fn resolve_at(
        &self,
        record: &TableRecord,
        target: Target,
        moment: &Moment,
    ) -> Result<Resolved> {
        let windows = self.windows_of(record, moment);
        let timeline = self.timeline(moment);
        let commit = match target {
            Target::Latest => Some(moment.tip),
            Target::At(at) => timeline.at_or_before(at)?,
            Target::Before(before) => timeline.at_or_before(before.saturating_add_micros(-1))?,
            Target::Seq(asked) if asked > moment.tip.seq => {
                return Err(Error::NoSuchCommit { asked, last: moment.tip.seq });
            }
            Target::Seq(seq) => timeline.get(seq)?,
        };
        let outside = || Error::OutsideWindow {
            table: record.name.clone(),
            asked: target.to_string(),
            windows: windows.clone(),
        };
        let commit = commit.ok_or_else(outside)?;
        let next = match commit.seq < moment.tip.seq {
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
        let restorable = windows
            .iter()
            .any(|window| window.contains(commit.seq) && window.earliest <= lasts_until);
        match restorable {
            true => Ok(Resolved { commit, next }),
            false => Err(outside()),
        }
    }

    fn timeline<'a>(&'a self, moment: &'a Moment) -> Timeline<'a> {
        Timeline {
            manifest: &moment.manifest,
            segments: &moment.segments,
            log: &self.inner.log.reader,
            history: &self.inner.history,
            network: &self.inner.network,
        }
    }

    fn plan_at(
        &self,
        record: &TableRecord,
        target: Commit,
        selection: &Selection,
        moment: &Moment,
    ) -> Result<RestorePlan> {
        let interval = record.protection.iter().find(|interval| interval.contains(target.seq));
        let interval = interval.expect("a target is resolved into a protection interval");
        let mut plan = plan(PlanInputs {
            manifest: &moment.manifest,
            segments: &moment.segments,
            table: record.id,
            table_name: &record.name,
            history_first: interval.first.seq,
            starts_empty: interval.starts_empty,
            target,
            selection,
        })?;
        let files: Vec<_> = plan.files().map(|read| Arc::clone(&read.file)).collect();
        for file in files {
            let (history, name) = (Arc::clone(&self.inner.history), file.name.clone());
            let tail = self.inner.network.run(async move { history.tail(&file).await })?;
            plan.choose_row_groups(&name, tail.row_groups());
        }
        Ok(plan)
    }
}

/// The commits of the table's bases that cover every key.
pub(super) fn whole_bases(manifest: &Manifest, table: TableId) -> Vec<Commit> {
    let mut pieces: Vec<(Commit, &KeyRange)> = Vec::new();
    for file in manifest.files.iter().filter(|file| file.kind == FileKind::Base) {
        let scope = file.scope.as_ref().filter(|scope| scope.table == table);
        pieces.extend(scope.map(|scope| (file.last, &scope.keys)));
    }
    pieces.sort_by(|left, right| (left.0, &left.1.from).cmp(&(right.0, &right.1.from)));
    let of_one_commit = pieces.chunk_by(|left, right| left.0 == right.0);
    let whole = of_one_commit.filter(|pieces| {
        let ends = pieces.iter().map(|(_, keys)| keys.until.clone());
        let starts = pieces.iter().skip(1).map(|(_, keys)| Some(keys.from.clone()));
        pieces[0].1.from.is_empty() && ends.eq(starts.chain([None]))
    });
    whole.map(|pieces| pieces[0].0).collect()
}

/// Tries again, each time on a newer moment, if a segment was trimmed after the last was taken.
fn again_if_gone<T>(act: impl Fn() -> Result<T>) -> Result<T> {
    for _ in 1..MOMENTS_MAX {
        match act() {
            Err(error) if is_gone(&error) => {}
            done => return done,
        }
    }
    act()
}

/// Whether a file or a segment was removed after the plan was made.
fn is_gone(error: &Error) -> bool {
    match error {
        Error::Tier(TierError::Missing { .. }) => true,
        Error::Tier(TierError::Local { source, .. }) => {
            source.kind() == std::io::ErrorKind::NotFound
        }
        _ => false,
    }
}

/// The instant as an error or a listing shows it.
impl std::fmt::Display for Resolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{} at {}", self.commit.seq, instant::show(self.commit.timestamp))
    }
}

#[cfg(test)]
mod tests;
