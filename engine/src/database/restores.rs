//! Windows, targets, plans and their rows, as a user of the database asks for them.

use std::borrow::Cow;
use std::sync::Arc;

use foldback_log_tier::TableId;
use tokio::sync::oneshot;

use super::Database;
use crate::examination::Examination;
use crate::log_writer::Request;
use crate::past::{Past, PastMoment, again_if_gone, check_database};
use crate::present::Row;
use crate::reading::Places;
use crate::restore::PlanRows;
use crate::steady_rows::SteadyRows;
use crate::view::ViewDoor;
use crate::{
    Costs, Error, Resolved, RestorePlan, Result, Selection, TableRecord, TableRef, Target, View,
    Window, table_ref,
};

impl Database {
    /// What the catalog says of a live table.
    pub(crate) fn record(&self, id: TableId) -> Result<TableRecord> {
        Ok(self.inner.log.catalog().live_by_id(id)?.clone())
    }

    /// What the catalog says of the tables that were dropped: those that can still be restored
    /// first, and the last one dropped before the others.
    #[must_use]
    pub fn dropped_tables(&self) -> Vec<TableRecord> {
        table_ref::dropped(&self.past(), &self.inner.log.catalog())
    }

    /// What the catalog says of a table: the live one of a name, or any with its id.
    ///
    /// # Errors
    ///
    /// [`Error::TableNotFound`]; [`Error::WhichTable`] for a name that only dropped tables have.
    pub fn table_record(&self, table: impl Into<TableRef>) -> Result<TableRecord> {
        let past = self.past();
        let catalog = self.inner.log.catalog();
        table_ref::choose_any(&past, &catalog, &table.into(), None).cloned()
    }

    /// The restorable windows of a table, in order, with the gaps between them left out.
    ///
    /// # Errors
    ///
    /// [`Error::TableNotFound`]; [`Error::NotProtected`] if it never was; [`Error::WhichTable`] for
    /// a name that only dropped tables have.
    pub fn windows(&self, table: impl Into<TableRef>) -> Result<Vec<Window>> {
        let past = self.past();
        let record = self.chosen(&past, &table.into(), None)?;
        Ok(past.windows(&record))
    }

    /// The one commit that a target comes to, and the commit after it. A name means the table that
    /// had it at that target, which can be dropped by now; the latest state of a dropped table is
    /// the one before the drop.
    ///
    /// An instant that was asked for stays what it is: until the database is closed, no later
    /// commit is stamped at it or before it, whatever the clock does.
    ///
    /// # Errors
    ///
    /// [`Error::OutsideWindow`], [`Error::InFuture`], [`Error::NotProtected`],
    /// [`Error::TableNotFound`]; [`Error::WhichTable`] if several had the name, and none then.
    pub fn resolve(&self, table: impl Into<TableRef>, target: Target) -> Result<Resolved> {
        self.on_chosen(&table.into(), target, |past, record| past.resolve(record, target))
    }

    /// What a restore of the table's state at a target would read.
    ///
    /// # Errors
    ///
    /// As [`Self::resolve`]; [`Error::Lost`] if a piece of history is missing; [`Error::Tier`] if
    /// the bucket is out of reach or damaged.
    pub fn plan(
        &self,
        table: impl Into<TableRef>,
        target: Target,
        selection: &Selection,
    ) -> Result<RestorePlan> {
        self.on_chosen(&table.into(), target, |past, record| past.plan(record, target, selection))
    }

    /// What turns a plan of this database into time and money: [`crate::Config::costs`], or what
    /// holds for its bucket.
    #[must_use]
    pub fn costs(&self) -> Costs {
        let set = self.inner.config.costs.clone();
        set.unwrap_or_else(|| Costs::of_bucket(&self.inner.bucket.to_string()))
    }

    /// Runs a plan and yields its rows, ascending by key, without making a table of them.
    ///
    /// A local segment or a file that the plan names may be gone, as a newer file holds what it
    /// held by now: then the same state is planned anew, and goes on from there.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a plan of another database; what reading the local log fails with;
    /// each row may fail with what reading history does.
    pub fn plan_rows<'a>(
        &'a self,
        plan: &'a RestorePlan,
    ) -> Result<impl Iterator<Item = Result<Row>> + 'a> {
        self.rows_of(plan)
    }

    /// The same, which also tells what it reads.
    pub(crate) fn rows_of<'a>(&'a self, plan: &'a RestorePlan) -> Result<SteadyRows<'a>> {
        check_database(plan, self.id())?;
        let start = |plan| PlanRows::start(plan, self.places());
        SteadyRows::new(start(Cow::Borrowed(plan)), move || {
            let start_anew = || start(Cow::Owned(self.plan_anew(plan)?));
            self.refresh()?;
            again_if_gone(|| self.refresh(), start_anew)
        })
    }

    /// A view of the table with this id at a target.
    pub(crate) fn view_at(&self, id: TableId, target: Target) -> Result<View<'static>> {
        // A handle of a table that was dropped reads nothing any more.
        self.record(id)?;
        self.on_chosen(&TableRef::Id(id), target, |past, record| {
            View::take(ViewDoor::Database(self.clone()), past, record.clone(), target)
        })
    }

    /// Does something to the table that is meant, as of now, once the target's instant is closed;
    /// again on what was published since if a file is gone.
    pub(super) fn on_chosen<T>(
        &self,
        table: &TableRef,
        target: Target,
        act: impl Fn(&Past<'_>, &TableRecord) -> Result<T>,
    ) -> Result<T> {
        self.chosen(&self.past(), table, Some(target))?;
        self.close(target)?;
        let on_past = || {
            let past = self.past();
            act(&past, &self.chosen(&past, table, Some(target))?)
        };
        again_if_gone(|| self.refresh(), on_past)
    }

    /// Learns what another process may have published.
    pub(crate) fn refresh(&self) -> Result<()> {
        self.inner.tools.refresh().map(drop)
    }

    /// A plan of the same state of the same table, from where its events are now.
    fn plan_anew(&self, plan: &RestorePlan) -> Result<RestorePlan> {
        match plan.backup {
            Some(created) => self.plan_backup_by_commit(created, &plan.selection),
            None => self.plan(plan.table, Target::Seq(plan.target.seq), &plan.selection),
        }
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
        self.inner.writer.desk().send(Request::CloseInstant { at, reply });
        foldback_compactor::wait_for(answer).unwrap_or(Err(Error::Closed)).map(drop)
    }

    pub(crate) fn places(&self) -> Places<'_> {
        let inner = &self.inner;
        let log = Some(&inner.log.reader);
        Places { history: &inner.history, network: &inner.network, log, leases: true }
    }

    /// The bucket, to be examined.
    pub(crate) fn examination(&self) -> Examination {
        let inner = &self.inner;
        let (network, clock) = (Arc::clone(&inner.network), Arc::clone(&inner.config.clock));
        Examination::new(network, inner.history.remote().clone(), inner.id, clock)
    }

    /// The history of the database as of now.
    pub(crate) fn past(&self) -> Past<'_> {
        let tip = self.inner.log.tip();
        let segments = self.inner.log.segments();
        let manifest = self.inner.publisher.newest();
        // Like commits, windows are held where they are when the clock goes back.
        let now = self.inner.config.clock.now().max(tip.timestamp);
        Past { moment: PastMoment { segments, manifest, tip, now }, places: self.places() }
    }

    /// The table that is meant, which has a history. The catalog is read after the past: a later
    /// record tells no less of the commits up to its tip.
    fn chosen(
        &self,
        past: &Past<'_>,
        table: &TableRef,
        target: Option<Target>,
    ) -> Result<TableRecord> {
        table_ref::choose(past, &self.inner.log.catalog(), table, target).cloned()
    }
}
