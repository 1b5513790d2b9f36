//! The two doors to history: an open database, and the bucket of one that is open elsewhere.

use std::sync::Arc;

use foldback::log_tier::local_log::SegmentInfo;
use foldback::log_tier::manifest::Manifest;
use foldback::{
    BackupBytes, BackupRecord, BucketReader, Clock, Database, Resolved, RestorePlan, RestoreRecord,
    Row, ScheduleStanding, Selection, SystemClock, TableRecord, TableRef, Target, View, Window,
};

use crate::commands::at;
use crate::error::{Error, Result};
use crate::instant::InstantArg;

/// Where a command that only reads history reads it.
#[derive(Debug)]
pub(crate) enum Door {
    /// The database, with what is not sealed yet.
    Database(Database),
    /// A bucket alone, with what is sealed.
    Bucket(Box<BucketReader>),
}

/// The rows of a plan, through either door.
pub(crate) type DoorRows<'a> = Box<dyn Iterator<Item = foldback::Result<Row>> + 'a>;

impl Door {
    /// What the catalog says of the tables, by name.
    pub(crate) fn tables(&self) -> Vec<TableRecord> {
        match self {
            Self::Database(database) => database.tables(),
            Self::Bucket(reader) => reader.tables(),
        }
    }

    /// What the catalog says of the tables that were dropped.
    pub(crate) fn dropped_tables(&self) -> Vec<TableRecord> {
        match self {
            Self::Database(database) => database.dropped_tables(),
            Self::Bucket(reader) => reader.dropped_tables(),
        }
    }

    /// What the catalog says of a table.
    pub(crate) fn record(&self, table: impl Into<TableRef>) -> Result<TableRecord> {
        self.explain(match self {
            Self::Database(database) => database.table_record(table),
            Self::Bucket(reader) => reader.table_record(table),
        })
    }

    /// The restorable windows of a table.
    pub(crate) fn windows(&self, table: impl Into<TableRef>) -> Result<Vec<Window>> {
        self.explain(match self {
            Self::Database(database) => database.windows(table),
            Self::Bucket(reader) => reader.windows(table),
        })
    }

    /// The commit that a target comes to.
    pub(crate) fn resolve(&self, table: impl Into<TableRef>, target: Target) -> Result<Resolved> {
        self.explain(match self {
            Self::Database(database) => database.resolve(table, target),
            Self::Bucket(reader) => reader.resolve(table, target),
        })
    }

    /// What reading a table at a target would read.
    pub(crate) fn plan(
        &self,
        table: impl Into<TableRef>,
        target: Target,
        selection: &Selection,
    ) -> Result<RestorePlan> {
        self.explain(match self {
            Self::Database(database) => database.plan(table, target, selection),
            Self::Bucket(reader) => reader.plan(table, target, selection),
        })
    }

    /// The restore log, the last one first.
    pub(crate) fn restores(&self) -> Vec<RestoreRecord> {
        match self {
            Self::Database(database) => database.restores(),
            Self::Bucket(reader) => reader.restores(),
        }
    }

    /// The backups, in the order in which they were made.
    pub(crate) fn backups(&self) -> Vec<BackupRecord> {
        match self {
            Self::Database(database) => database.backups(),
            Self::Bucket(reader) => reader.backups(),
        }
    }

    /// How the schedules stand, in the order in which they were made.
    pub(crate) fn schedules(&self) -> Result<Vec<ScheduleStanding>> {
        Ok(match self {
            Self::Database(database) => database.schedules(),
            Self::Bucket(reader) => reader.schedules()?,
        })
    }

    /// What the catalog says of a backup.
    pub(crate) fn backup(&self, name: &str) -> Result<BackupRecord> {
        self.explain(match self {
            Self::Database(database) => database.backup(name),
            Self::Bucket(reader) => reader.backup(name),
        })
    }

    /// How much of the bucket a backup needs.
    pub(crate) fn backup_bytes(&self, name: &str) -> Result<BackupBytes> {
        self.explain(match self {
            Self::Database(database) => database.backup_bytes(name),
            Self::Bucket(reader) => reader.backup_bytes(name),
        })
    }

    /// What a restore of a backup would read.
    pub(crate) fn plan_backup(&self, name: &str, selection: &Selection) -> Result<RestorePlan> {
        self.explain(match self {
            Self::Database(database) => database.plan_backup(name, selection),
            Self::Bucket(reader) => reader.plan_backup(name, selection),
        })
    }

    /// The rows of a plan.
    pub(crate) fn plan_rows<'a>(&'a self, plan: &'a RestorePlan) -> Result<DoorRows<'a>> {
        Ok(match self {
            Self::Database(database) => Box::new(database.plan_rows(plan)?),
            Self::Bucket(reader) => Box::new(reader.plan_rows(plan)?),
        })
    }

    /// A table as it was at a target.
    pub(crate) fn view(&self, table: &str, target: Target) -> Result<View<'_>> {
        self.explain(match self {
            Self::Database(database) => database.table(table).and_then(|table| table.as_of(target)),
            Self::Bucket(reader) => reader.view(table, target),
        })
    }

    /// What the bucket holds.
    pub(crate) fn manifest(&self) -> Arc<Manifest> {
        match self {
            Self::Database(database) => database.manifest(),
            Self::Bucket(reader) => reader.manifest(),
        }
    }

    /// What only the local log holds, the active segment last.
    pub(crate) fn segments(&self) -> Arc<Vec<SegmentInfo>> {
        match self {
            Self::Database(database) => database.segments(),
            Self::Bucket(_) => Arc::default(),
        }
    }

    /// Where other programs find an object of the bucket.
    pub(crate) fn location(&self, object: &str) -> String {
        match self {
            Self::Database(database) => database.location(object),
            Self::Bucket(reader) => reader.location(object),
        }
    }

    /// The state that an instant means. Now is not the latest state that a bucket holds, as its
    /// writer may have gone on.
    pub(crate) fn at(&self, instant: InstantArg) -> Target {
        match (self, instant) {
            (Self::Bucket(_), InstantArg::Now) => Target::At(SystemClock.now()),
            _ => at(instant),
        }
    }

    /// Adds to what a bucket does not know that its writer may.
    fn explain<T>(&self, answer: foldback::Result<T>) -> Result<T> {
        use foldback::Error::{BackupNotFound, NotProtected, TableNotFound, WhichTable};
        match (self, answer) {
            (
                Self::Bucket(reader),
                Err(
                    error @ (TableNotFound { .. }
                    | BackupNotFound { .. }
                    | NotProtected { .. }
                    | WhichTable { .. }),
                ),
            ) => {
                let sealed = reader.sealed();
                Err(Error::Refused(format!(
                    "{error}; this is what the bucket knows, which holds commits up to #{}: what \
                     its writer did later is seen once that is sealed",
                    sealed.seq
                )))
            }
            (_, answer) => Ok(answer?),
        }
    }
}
