//! Running plans into new tables, or out of the database: all of a restore or nothing, written into
//! the restore log.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use foldback_log_tier::{Commit, Seq, Timestamp};

use super::{Database, check_retention};
use crate::catalog::{CatalogChange, RestoredTable};
use crate::clock::steady_now;
use crate::config::{TEXT_BYTES_MAX, check_text};
use crate::past::check_database;
use crate::present::{Row, TableTree};
use crate::restore_rows::{RestoreRows, RestoreWatch, Watch};
use crate::steady_rows::SteadyRows;
use crate::{
    BucketReader, Costs, Error, Lineage, Progress, RestoreActual, RestoreEstimate, RestoreOptions,
    RestoreOutcome, RestorePlan, RestoreProtection, RestoreRecord, RestoreSource, Restored,
    RestoredInto, Result, Retention,
};

/// A plan, and the name that it is restored to.
type Goal<'p> = (&'p RestorePlan, &'p str);

/// A table whose tree holds all of its rows, and which nobody sees yet.
struct LoadedTable {
    tree: Arc<TableTree>,
    rows: u64,
    bytes: u64,
    actual: RestoreActual,
}

/// When a restore began, by the database's clock and by the one that only goes forward.
#[derive(Clone, Copy)]
struct Began {
    at: Timestamp,
    steady: Instant,
}

impl Database {
    /// Runs a plan into a new table, which becomes visible whole, by one commit, or not at all.
    ///
    /// # Errors
    ///
    /// As [`Self::restore_with`].
    pub fn restore(&self, plan: &RestorePlan, new_name: &str) -> Result<Restored> {
        self.restore_watched(plan, new_name, &mut |_| {})
    }

    /// As [`Self::restore`], telling `watch` how far it is from time to time.
    ///
    /// # Errors
    ///
    /// As [`Self::restore_with`].
    pub fn restore_watched(
        &self,
        plan: &RestorePlan,
        new_name: &str,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Restored> {
        self.restore_with(plan, new_name, &RestoreOptions::default(), &mut |progress| {
            watch(progress);
            std::ops::ControlFlow::Continue(())
        })
    }

    /// As [`Self::restore_watched`], for a plan that `reader` made of the history in its bucket,
    /// which may be another database's. The new table belongs to this database.
    ///
    /// # Errors
    ///
    /// As [`Self::restore_with`].
    pub fn restore_from(
        &self,
        reader: &BucketReader,
        plan: &RestorePlan,
        new_name: &str,
        watch: &mut dyn FnMut(Progress),
    ) -> Result<Restored> {
        let from = RestoreSource::Bucket(reader);
        let options = RestoreOptions { from, ..RestoreOptions::default() };
        self.restore_with(plan, new_name, &options, &mut |progress| {
            watch(progress);
            std::ops::ControlFlow::Continue(())
        })
    }

    /// Runs a plan into a new table as the options say, telling `watch` how far it is when it
    /// begins, from time to time, and before the table is shown; if that answers with
    /// [`Break`](std::ops::ControlFlow::Break), the restore is cancelled.
    ///
    /// A table that is to be protected is so from the commit that shows it on, and this returns
    /// once the bucket holds its first base. What began is told by [`Self::restores`], however it
    /// ended.
    ///
    /// # Errors
    ///
    /// As [`Self::check_restore`], before anything is read. [`Error::TableExists`] if the name was
    /// taken meanwhile; [`Error::Cancelled`]; [`Error::Invalid`] for a key that can't be rewritten;
    /// what reading the history fails with. Nothing is left behind then.
    /// [`Error::RestoredUnsealed`] if the table is there, and the bucket did not take its base.
    pub fn restore_with(
        &self,
        plan: &RestorePlan,
        new_name: &str,
        options: &RestoreOptions<'_>,
        watch: Watch<'_>,
    ) -> Result<Restored> {
        let restored = self.restore_group(&[(plan, new_name)], options, watch)?;
        Ok(restored.into_iter().next().expect("a table was restored for each plan"))
    }

    /// As [`Self::restore_with`] for several plans, all of them of one commit of one database: one
    /// commit shows all of the new tables, or none is ever seen. What the plans read is held from
    /// the beginning, so that a horizon that passes meanwhile is no harm.
    ///
    /// # Errors
    ///
    /// As [`Self::restore_with`].
    pub fn restore_group(
        &self,
        tables: &[Goal<'_>],
        options: &RestoreOptions<'_>,
        watch: Watch<'_>,
    ) -> Result<Vec<Restored>> {
        let retentions = self.admit(tables, options)?;
        let began = self.begin();
        let plan_bytes = tables.iter().map(|(plan, _)| plan.bucket_bytes()).sum();
        let mut watch = RestoreWatch::new(watch, plan_bytes);
        let shown = self
            .load_tables(tables, options, began, &mut watch)
            .and_then(|loaded| self.show_tables(tables, options, &retentions, (began, loaded)));
        let restored = shown.inspect_err(|error| {
            let actual = actual_of(&watch, began);
            let into = |name: &str| RestoredInto::Table { name: name.to_owned(), id: None };
            let outcome = outcome_of(error, watch.cancelled);
            let records = tables.iter().map(|(plan, name)| {
                self.restore_record((plan, into(name)), options, began, (&outcome, actual))
            });
            self.log_restore(records.collect());
        })?;
        if retentions.iter().any(Option::is_some) {
            let names: Vec<_> = tables.iter().map(|(_, name)| *name).collect();
            self.seal().map_err(|source| Error::RestoredUnsealed {
                tables: names.join(", "),
                source: Box::new(source),
            })?;
        }
        Ok(restored)
    }

    /// Runs a plan, and hands its rows, ascending by key, to `write`, which brings them to `file`:
    /// the name that the restore log gets. It writes all of them, or takes away what it has
    /// written.
    ///
    /// # Errors
    ///
    /// As [`Self::restore_with`]; [`Error::Invalid`] if protection is asked for, which only a table
    /// can have; what `write` fails with.
    pub fn restore_to_file<T, E: From<Error> + fmt::Display>(
        &self,
        (plan, file): Goal<'_>,
        options: &RestoreOptions<'_>,
        watch: Watch<'_>,
        write: impl FnOnce(&mut dyn Iterator<Item = Result<Row>>) -> Result<T, E>,
    ) -> Result<T, E> {
        if options.protection != RestoreProtection::Unprotected {
            let reason = "rows that go into a file can't be protected: only a table can";
            return Err(Error::Invalid(reason.to_owned()).into());
        }
        self.check_plan(plan, options)?;
        let began = self.begin();
        let mut watch = RestoreWatch::new(watch, plan.bucket_bytes());
        let written = watch.report().and_then(|()| self.steady_rows(plan, options));
        let written = written.map_err(E::from).and_then(|rows| {
            write(&mut RestoreRows::new(rows, options.rewrite.as_ref(), &mut watch))
        });
        let outcome = match &written {
            Ok(_) => RestoreOutcome::Done,
            Err(error) => outcome_of(error, watch.cancelled),
        };
        let into = RestoredInto::File(file.to_owned());
        let actual = actual_of(&watch, began);
        self.log_restore(vec![self.restore_record(
            (plan, into),
            options,
            began,
            (&outcome, actual),
        )]);
        written
    }

    /// Finds out whether a restore can begin: what it would refuse before it reads anything.
    ///
    /// # Errors
    ///
    /// [`Error::TableExists`]; [`Error::Invalid`] for a name, for a plan of another database or,
    /// among several, of another commit, for a prefix to replace that not every selected key begins
    /// with, and for a retention that can't be.
    pub fn check_restore(&self, tables: &[Goal<'_>], options: &RestoreOptions<'_>) -> Result<()> {
        self.admit(tables, options).map(drop)
    }

    /// The same; says for how long each of the new tables is to be protected.
    fn admit(
        &self,
        tables: &[Goal<'_>],
        options: &RestoreOptions<'_>,
    ) -> Result<Vec<Option<Retention>>> {
        let Some((first, _)) = tables.first() else {
            return Err(Error::Invalid("a restore needs at least one table".to_owned()));
        };
        let mut names = BTreeSet::new();
        for (plan, name) in tables {
            self.check_plan(plan, options)?;
            if plan.target.seq != first.target.seq {
                return Err(Error::Invalid(format!(
                    "tables that are restored together are restored to one commit, and the plan of \
                     {:?} is of #{}, that of {:?} of #{}",
                    first.table_name, first.target.seq, plan.table_name, plan.target.seq
                )));
            }
            self.inner.log.catalog().check_name_is_free(name)?;
            if !names.insert(*name) {
                return Err(Error::Invalid(format!("two tables can't both be named {name:?}")));
            }
        }
        tables.iter().map(|(plan, _)| self.new_retention(plan, options)).collect()
    }

    /// The restore log, the last one first: its newest thousand records.
    #[must_use]
    pub fn restores(&self) -> Vec<RestoreRecord> {
        self.inner.log.catalog().restores().map(|record| RestoreRecord::clone(record)).collect()
    }

    /// Refuses a plan that is not of the history that the options name, or can't be rewritten.
    fn check_plan(&self, plan: &RestorePlan, options: &RestoreOptions<'_>) -> Result<()> {
        match options.from {
            RestoreSource::Database => check_database(plan, self.id())?,
            RestoreSource::Bucket(reader) => check_database(plan, reader.database())?,
            RestoreSource::Backup(backup) => backup.check(plan)?,
        }
        check_text("the reason", options.reason.as_deref())?;
        check_text("the name of who asks", options.by.as_deref())?;
        options.rewrite.as_ref().map_or(Ok(()), |rewrite| rewrite.check(&plan.selection))
    }

    /// The retention of the new table, if it is to be protected.
    fn new_retention(
        &self,
        plan: &RestorePlan,
        options: &RestoreOptions<'_>,
    ) -> Result<Option<Retention>> {
        let source = || match options.from {
            RestoreSource::Database => self.table_record(plan.table),
            RestoreSource::Bucket(reader) => reader.table_record(plan.table),
            RestoreSource::Backup(_) => Err(Error::Invalid(
                "a detached backup does not hold the settings of its table; say which retention \
                 the new table gets"
                    .to_owned(),
            )),
        };
        match options.protection {
            RestoreProtection::Unprotected => Ok(None),
            RestoreProtection::For(retention) => {
                check_retention(retention).map(|()| Some(retention))
            }
            RestoreProtection::AsOfTarget => {
                let record = source()?;
                let seq = plan.target.seq;
                let held = record.protection.iter().find(|interval| interval.contains(seq));
                let held = held.map(|interval| interval.retention_as_of(plan.target));
                held.map(Some).ok_or(Error::NotProtected { name: record.name })
            }
            RestoreProtection::AsOfNow => {
                let record = source()?;
                let now = self.inner.config.clock.now().max(self.inner.log.tip().timestamp);
                match record.open_protection() {
                    Some(interval) => Ok(Some(interval.retention_at(now))),
                    None => Err(Error::Invalid(format!(
                        "table {:?}, with id {}, is not protected now, so there is no retention as \
                         of now; say which one the new table gets, or take that as of the target",
                        record.name, record.id
                    ))),
                }
            }
        }
    }

    fn begin(&self) -> Began {
        let at = self.inner.config.clock.now().max(self.inner.log.tip().timestamp);
        Began { at, steady: steady_now() }
    }

    fn steady_rows<'a>(
        &'a self,
        plan: &'a RestorePlan,
        options: &RestoreOptions<'a>,
    ) -> Result<SteadyRows<'a>> {
        match options.from {
            RestoreSource::Database => self.rows_of(plan),
            RestoreSource::Bucket(reader) => reader.rows_of(plan),
            RestoreSource::Backup(backup) => backup.rows_of(plan),
        }
    }

    /// Loads each table into a tree of its own. A tree that is dropped takes its files with it, so
    /// until they are shown, whatever goes wrong leaves nothing.
    fn load_tables(
        &self,
        tables: &[Goal<'_>],
        options: &RestoreOptions<'_>,
        began: Began,
        watch: &mut RestoreWatch<'_>,
    ) -> Result<Vec<LoadedTable>> {
        watch.report()?;
        // All of them take their leases before the first is loaded, which may take long.
        let rows = tables.iter().map(|(plan, _)| self.steady_rows(plan, options));
        let rows = rows.collect::<Result<Vec<_>>>()?;
        let mut loaded = Vec::new();
        for rows in rows {
            let (read, _) = watch.counts();
            let tree = self.inner.present.create_tree(self.draw_table_id())?;
            tree.doom();
            let mut rows = RestoreRows::new(rows, options.rewrite.as_ref(), watch);
            let load = tree.load(Seq::ZERO, &mut rows);
            // With them goes their lease.
            drop(rows);
            let (rows, bytes) = load?;
            let mut actual = actual_of(watch, began);
            actual.requests -= read.requests;
            actual.bytes -= read.bytes;
            (actual.rows, actual.row_bytes) = (rows, bytes);
            loaded.push(LoadedTable { tree, rows, bytes, actual });
        }
        watch.report()?;
        Ok(loaded)
    }

    /// Shows all tables by one commit, which also writes the restore log.
    fn show_tables(
        &self,
        tables: &[Goal<'_>],
        options: &RestoreOptions<'_>,
        retentions: &[Option<Retention>],
        (began, loaded): (Began, Vec<LoadedTable>),
    ) -> Result<Vec<Restored>> {
        let ours = self.id();
        let (mut new, mut records) = (Vec::new(), Vec::new());
        for (((plan, name), loaded), retention) in tables.iter().zip(&loaded).zip(retentions) {
            let (id, name, retention) = (loaded.tree.id(), (*name).to_owned(), *retention);
            let into = RestoredInto::Table { name: name.clone(), id: Some(id) };
            let outcome = (&RestoreOutcome::Done, loaded.actual);
            records.push(self.restore_record((plan, into), options, began, outcome));
            let database = Some(plan.database).filter(|theirs| *theirs != ours);
            let lineage = Lineage { source: plan.table, target: plan.target, database };
            new.push(RestoredTable { id, name, lineage, retention, is_empty: loaded.rows == 0 });
        }
        let trees: Vec<_> = loaded.iter().map(|loaded| Arc::clone(&loaded.tree)).collect();
        let commit =
            self.show_trees(CatalogChange::Restore { tables: new, records }, &trees, None)?;
        let restored = |(((plan, _), loaded), retention): ((&Goal<'_>, &LoadedTable), _)| {
            let LoadedTable { rows, bytes, actual, .. } = *loaded;
            let (table, target): (_, Commit) = (loaded.tree.id(), plan.target);
            let (bucket_requests, bucket_bytes) = (actual.requests, actual.bytes);
            Restored {
                table,
                commit,
                target,
                rows,
                bytes,
                bucket_requests,
                bucket_bytes,
                retention,
            }
        };
        let tables = tables.iter().zip(&loaded).zip(retentions.iter().copied());
        Ok(tables.map(restored).collect())
    }

    /// What the restore log tells of a restore; its id and its end come with its commit.
    fn restore_record(
        &self,
        (plan, into): (&RestorePlan, RestoredInto),
        options: &RestoreOptions<'_>,
        began: Began,
        (outcome, actual): (&RestoreOutcome, RestoreActual),
    ) -> RestoreRecord {
        let of_bucket = |url: String| {
            let set = self.inner.config.costs.clone();
            set.unwrap_or_else(|| Costs::of_bucket(&url))
        };
        let costs = match options.from {
            RestoreSource::Database => self.costs(),
            RestoreSource::Bucket(reader) => of_bucket(reader.url()),
            RestoreSource::Backup(backup) => of_bucket(backup.url()),
        };
        let estimate = plan.estimate(&costs);
        RestoreRecord {
            id: 0,
            source: plan.table,
            source_name: plan.table_name.clone(),
            database: Some(plan.database).filter(|theirs| *theirs != self.id()),
            target: plan.target,
            into,
            by: options.by.clone(),
            reason: options.reason.clone(),
            started: began.at,
            ended: began.at,
            outcome: outcome.clone(),
            estimate: RestoreEstimate {
                requests: estimate.requests,
                bytes: estimate.bucket_bytes,
                micros: estimate.micros,
                money_nanos: estimate.money_nanos,
                currency: costs.currency,
            },
            actual,
        }
    }

    /// Writes the log of what shows no table. What it tells of has ended one way or the other, so
    /// that it can't be written changes nothing of that.
    fn log_restore(&self, records: Vec<RestoreRecord>) {
        let change = CatalogChange::Restore { tables: Vec::new(), records };
        if let Err(error) = self.change_catalog(change, None, None) {
            tracing::warn!(%error, "the restore log could not be written");
        }
    }
}

fn outcome_of(error: &impl fmt::Display, cancelled: bool) -> RestoreOutcome {
    match cancelled {
        true => RestoreOutcome::Cancelled,
        false => {
            let mut text = error.to_string();
            text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
            RestoreOutcome::Failed(text)
        }
    }
}

/// What all of a restore took so far.
fn actual_of(watch: &RestoreWatch<'_>, began: Began) -> RestoreActual {
    let (read, progress) = watch.counts();
    RestoreActual {
        requests: read.requests,
        bytes: read.bytes,
        micros: u64::try_from(began.steady.elapsed().as_micros()).unwrap_or(u64::MAX),
        rows: progress.rows,
        row_bytes: progress.bytes,
    }
}
