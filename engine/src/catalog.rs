//! The catalog: which tables there are, and when each was protected. It is itself table 0.
//!
//! The catalog in memory is the fold of table 0. A [`CatalogChange`] is checked against it and
//! turned into the events that record it by one pure function, [`Catalog::apply`], which the log
//! writer calls with the commit it is about to write. So a change is checked and ordered by the
//! same thread that orders all commits, and settings have a history like any other data.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldback_compactor::Interval;
use foldback_log_tier::near_names::near_names;
use foldback_log_tier::{Change, Commit, Event, Seq, TableId};

mod backups;
mod record;
mod restores;
mod schedules;
mod stored;

pub use backups::BackupRecord;
pub(crate) use backups::{BackupChange, NewBackup};
pub use record::{Lineage, ProtectionInterval, Retention, RetentionChange, TableRecord};
pub use restores::{RestoreActual, RestoreEstimate, RestoreOutcome, RestoreRecord, RestoredInto};
pub use schedules::{KeepRules, SCHEDULE_SECS_MAX, SCHEDULE_SECS_MIN, ScheduleRecord};
pub(crate) use schedules::{NewSchedule, ScheduleChange};

use crate::config::NAME_BYTES_MAX;
use crate::{Error, Result};
use stored::Stored;

/// A change to the catalog, decided by its caller and applied in commit order.
#[derive(Clone, Debug)]
pub(crate) enum CatalogChange {
    /// Makes a table visible. Its tree exists already.
    Create { id: TableId, name: String },
    /// Makes the tables of a restore visible, all or none, and writes its records into the restore
    /// log, which gives them their ids and the time of the commit. One that came to nothing has
    /// records only.
    Restore { tables: Vec<RestoredTable>, records: Vec<RestoreRecord> },
    /// Ends a table. Its history stays.
    Drop { id: TableId },
    /// Starts a protection interval; `starts_empty` says that the table has no key yet.
    Protect { id: TableId, retention: Retention, starts_empty: bool },
    /// Ends the protection interval that is open.
    Unprotect { id: TableId },
    /// Gives the open interval another retention; a shorter one waits for `undo_micros`.
    SetRetention { id: TableId, retention: Retention, undo_micros: i64 },
    /// Ends the interval that is open, and gives up the states of all. The table can be dropped.
    Discard { id: TableId },
    /// Makes a backup, makes sure of it, or deletes it.
    Backup(BackupChange),
    /// Makes a schedule, or deletes it.
    Schedule(ScheduleChange),
}

/// A table that a restore makes. Its tree holds the restored state already.
#[derive(Clone, Debug)]
pub(crate) struct RestoredTable {
    pub(crate) id: TableId,
    pub(crate) name: String,
    pub(crate) lineage: Lineage,
    /// For how long its history is kept from this commit on, if it is protected.
    pub(crate) retention: Option<Retention>,
    /// Whether it has no key.
    pub(crate) is_empty: bool,
}

/// Every table that ever was, by id, the names of the live ones, the backups, their schedules, and
/// the restore log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    /// By the commit that asked for them; those that were deleted until the bucket knows.
    backups: BTreeMap<Seq, BackupRecord>,
    tables: BTreeMap<TableId, TableRecord>,
    live: BTreeMap<String, TableId>,
    restores: BTreeMap<u64, Arc<RestoreRecord>>,
    /// By the commit that asked for them.
    schedules: BTreeMap<Seq, ScheduleRecord>,
}

impl Catalog {
    /// Checks `change`, makes it, and returns the events that record it in table 0.
    ///
    /// On an error nothing was changed.
    pub(crate) fn apply(&mut self, change: CatalogChange, commit: Commit) -> Result<Vec<Event>> {
        let record = match change {
            CatalogChange::Backup(change) => return self.change_backups(change, commit),
            CatalogChange::Schedule(change) => return self.change_schedules(change, commit),
            CatalogChange::Create { id, name } => self.new_record(id, name, commit, None)?,
            CatalogChange::Restore { tables, records } => {
                return self.apply_restore(tables, records, commit);
            }
            CatalogChange::Drop { id } => {
                let mut record = self.live_by_id(id)?.clone();
                record.close_protection(commit);
                record.dropped = Some(commit);
                record
            }
            CatalogChange::Protect { id, retention, starts_empty } => {
                let mut record = self.live_by_id(id)?.clone();
                if record.open_protection().is_some() {
                    return Err(Error::AlreadyProtected { name: record.name });
                }
                record.open_protection_at(commit, retention, starts_empty);
                record
            }
            CatalogChange::Unprotect { id } => {
                let mut record = self.live_by_id(id)?.clone();
                if !record.close_protection(commit) {
                    return Err(Error::NotProtected { name: record.name });
                }
                record
            }
            CatalogChange::SetRetention { id, retention, undo_micros } => {
                let mut record = self.live_by_id(id)?.clone();
                let open = record.protection.last_mut().filter(|interval| interval.last.is_none());
                let Some(interval) = open else {
                    return Err(Error::NotProtected { name: record.name });
                };
                let now = commit.timestamp;
                let is_same = interval.retention_at(now) == retention;
                if is_same && interval.pending_at(now).is_none() {
                    return Err(Error::AlreadyProtected { name: record.name });
                }
                interval.change_retention(commit, retention, undo_micros);
                record
            }
            CatalogChange::Discard { id } => {
                let mut record = self.by_id(id)?.clone();
                record.close_protection(commit);
                if record.protection.iter().all(ProtectionInterval::is_discarded) {
                    return Err(Error::NotProtected { name: record.name });
                }
                let kept = record.protection.iter_mut().filter(|interval| !interval.is_discarded());
                kept.for_each(|interval| interval.change_retention(commit, Retention::Secs(0), 0));
                record
            }
        };
        let event = record.to_event();
        self.insert(record);
        Ok(vec![event])
    }

    /// Shows the tables of a restore, and writes its records.
    fn apply_restore(
        &mut self,
        tables: Vec<RestoredTable>,
        records: Vec<RestoreRecord>,
        commit: Commit,
    ) -> Result<Vec<Event>> {
        let mut made: Vec<TableRecord> = Vec::new();
        for RestoredTable { id, name, lineage, retention, is_empty } in tables {
            if made.iter().any(|other| other.name == name) {
                return Err(Error::TableExists { name });
            }
            let mut record = self.new_record(id, name, commit, Some(lineage))?;
            if let Some(retention) = retention {
                record.open_protection_at(commit, retention, is_empty);
            }
            made.push(record);
        }
        let mut events: Vec<_> = made.iter().map(TableRecord::to_event).collect();
        made.into_iter().for_each(|record| self.insert(record));
        // A commit has one event a key: what makes room is what was there before.
        let mut id = self.restores.keys().next_back().map_or(1, |last| last + 1);
        let told = records.len().min(restores::RECORDS_MAX);
        while self.restores.len() + told > restores::RECORDS_MAX {
            let (oldest, _) = self.restores.pop_first().expect("what is told fits alone");
            events.push(stored::removal::<RestoreRecord>(oldest));
        }
        let untold = records.len() - told;
        for mut record in records.into_iter().skip(untold) {
            record.id = id;
            record.ended = commit.timestamp;
            events.push(record.to_event());
            self.restores.insert(id, Arc::new(record));
            id += 1;
        }
        Ok(events)
    }

    /// Takes over one event of table 0, as it is read back from the log or from history.
    pub(crate) fn absorb(&mut self, key: &[u8], change: &Change) -> Result<()> {
        if stored::is_of::<RestoreRecord>(key) {
            return self.absorb_restore(key, change);
        }
        if stored::is_of::<BackupRecord>(key) {
            return self.absorb_backup(key, change);
        }
        if stored::is_of::<ScheduleRecord>(key) {
            return self.absorb_schedule(key, change);
        }
        match change {
            Change::Put(value) => self.insert(TableRecord::from_event(key, value)?),
            Change::Delete => return Err(stored::corrupt(key, "table records are never deleted")),
        }
        Ok(())
    }

    fn absorb_restore(&mut self, key: &[u8], change: &Change) -> Result<()> {
        match change {
            Change::Put(value) => {
                let record = RestoreRecord::from_event(key, value)?;
                self.restores.insert(record.id, Arc::new(record));
            }
            Change::Delete => {
                self.restores.remove(&stored::number_of_key::<RestoreRecord>(key)?);
            }
        }
        Ok(())
    }

    /// The restore log, the last one first.
    pub(crate) fn restores(&self) -> impl Iterator<Item = &Arc<RestoreRecord>> {
        self.restores.values().rev()
    }

    /// The live table of this name.
    pub(crate) fn by_name(&self, name: &str) -> Result<&TableRecord> {
        let id = self.live.get(name).ok_or_else(|| self.not_found(name))?;
        Ok(&self.tables[id])
    }

    /// The table with this id, live or dropped.
    pub(crate) fn by_id(&self, id: TableId) -> Result<&TableRecord> {
        self.tables.get(&id).ok_or_else(|| no_such_id(id))
    }

    /// The live table with this id.
    pub(crate) fn live_by_id(&self, id: TableId) -> Result<&TableRecord> {
        self.by_id(id).ok().filter(|record| record.dropped.is_none()).ok_or_else(|| no_such_id(id))
    }

    /// Whether commits may write to this table.
    pub(crate) fn is_live(&self, id: TableId) -> bool {
        self.tables.get(&id).is_some_and(|record| record.dropped.is_none())
    }

    /// Refuses a name that a live table has, or that no table may have.
    pub(crate) fn check_name_is_free(&self, name: &str) -> Result<()> {
        check_name("a table", name)?;
        match self.live.contains_key(name) {
            true => Err(Error::TableExists { name: name.to_owned() }),
            false => Ok(()),
        }
    }

    /// The live tables, by name.
    pub(crate) fn live(&self) -> impl Iterator<Item = &TableRecord> {
        self.live.values().map(|id| &self.tables[id])
    }

    /// What is known of every table that ever was, by id.
    pub(crate) fn all(&self) -> impl Iterator<Item = &TableRecord> {
        self.tables.values()
    }

    /// The protection intervals of all tables that ever were, and the catalog's own, as they were
    /// at commit `sealed`: nothing is given up for what could still be lost with this machine. A
    /// shorter retention that waits is told with its instant, which is one of expiry's own clock.
    pub(crate) fn intervals(&self, sealed: Seq) -> Vec<Interval> {
        let of = |record: &TableRecord| -> Vec<Interval> {
            let known = record.protection.iter().filter(|interval| interval.first.seq <= sealed);
            known.map(|interval| interval.kept_as_of(record.id, sealed)).collect()
        };
        let mut intervals: Vec<_> = self.all().flat_map(of).collect();
        let catalog = Self::interval_of_settings(&intervals);
        intervals.insert(0, catalog);
        intervals
    }

    /// Settings are kept for as long as anything that was made under them.
    fn interval_of_settings(intervals: &[Interval]) -> Interval {
        let kept = intervals.iter().filter(|interval| interval.retention_micros != Some(0));
        let longest = |retentions: &mut dyn Iterator<Item = Option<i64>>| {
            let longest = retentions.reduce(|longest, next| Some(longest?.max(next?)));
            longest.unwrap_or(Retention::default().micros())
        };
        let now = longest(&mut kept.clone().map(|interval| interval.retention_micros));
        let shorter = |interval: &Interval| interval.shortens.map(|it| it.retention_micros);
        let then = longest(&mut kept.clone().map(|it| shorter(it).or(it.retention_micros)));
        let from = kept.filter_map(|interval| Some(interval.shortens?.from)).max();
        let shortens = from.zip(then).map(|(from, retention_micros)| {
            foldback_compactor::Shortening { from, retention_micros }
        });
        Interval { shortens, ..Self::interval_of_catalog(now) }
    }

    /// The protection of table 0: always.
    pub(crate) fn interval_of_catalog(retention_micros: Option<i64>) -> Interval {
        Interval {
            table: TableId::CATALOG,
            first: Commit::ORIGIN,
            last: None,
            starts_empty: true,
            retention_micros,
            shortens: None,
        }
    }

    /// The least id that no table has had.
    pub(crate) fn next_id(&self) -> TableId {
        TableId(self.tables.keys().next_back().map_or(1, |id| id.0 + 1))
    }

    /// Whether history keeps the event of `table` at `seq`.
    pub(crate) fn keeps(&self, table: TableId, seq: Seq) -> bool {
        table == TableId::CATALOG
            || self.tables.get(&table).is_some_and(|record| record.protected_at(seq))
    }

    fn new_record(
        &self,
        id: TableId,
        name: String,
        commit: Commit,
        lineage: Option<Lineage>,
    ) -> Result<TableRecord> {
        self.check_name_is_free(&name)?;
        assert!(!self.tables.contains_key(&id), "table id {id} is drawn only once");
        Ok(TableRecord::new(id, name, commit, lineage))
    }

    fn insert(&mut self, record: TableRecord) {
        match record.dropped {
            None => drop(self.live.insert(record.name.clone(), record.id)),
            Some(_) if self.live.get(&record.name) == Some(&record.id) => {
                self.live.remove(&record.name);
            }
            Some(_) => {}
        }
        self.tables.insert(record.id, record);
    }

    fn not_found(&self, name: &str) -> Error {
        let near = near_names(name, self.live.keys().map(String::as_str));
        let near = near.into_iter().map(str::to_owned).collect();
        Error::TableNotFound { name: name.to_owned(), near }
    }
}

fn no_such_id(id: TableId) -> Error {
    Error::TableNotFound { name: format!("with id {id}"), near: Vec::new() }
}

/// Refuses names that can't be typed in a shell or told apart on a screen.
pub(crate) fn check_name(what: &str, name: &str) -> Result<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let starts_well = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    if starts_well && name.len() <= NAME_BYTES_MAX && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "{name:?} can't name {what}: a name has 1 to {NAME_BYTES_MAX} letters, digits, '_', '-' \
         and '.', and starts with a letter, a digit or '_'"
    )))
}

#[cfg(test)]
mod tests;
