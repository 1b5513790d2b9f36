//! The database: the one door to tables, writes, views, protection and restores.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use foldback_compactor::{HistoryReader, Network, Publisher};
use foldback_log_tier::fs::FsLock;
use foldback_log_tier::remote::{BucketUrl, Traffic};
use foldback_log_tier::{Commit, DatabaseId, TableId, Timestamp};
use tokio::sync::oneshot;

use crate::background::Background;
use crate::batch::{CommitHandle, WriteBatch, WriteOptions};
use crate::catalog::CatalogChange;
use crate::config::{Config, Durability};
use crate::health::Health;
use crate::log_writer::{LogView, LogWriter, Request};
use crate::present::{Flusher, Present, PresentView, TableTree};
use crate::upkeep::Tools;
use crate::{Error, Result, Retention, Table, TableRecord};

mod backups;
mod create;
mod detached;
mod open;
mod recover;
mod replay;
mod restores;
mod restoring;
mod schedules;
mod status;
mod undrop;

pub(crate) use open::{newest_manifest, start_network};
pub use recover::Recovery;
use schedules::{ScheduleKeeper, SchedulesAtWork};
pub use status::Status;

/// An open database. Clones are handles of the same one; it closes when the last is dropped.
#[derive(Clone, Debug)]
pub struct Database {
    /// Ends before the database does that it makes backups of; the thread's own handle has none.
    _keeper: Option<Arc<ScheduleKeeper>>,
    pub(crate) inner: Arc<Inner>,
}

/// What all handles share. Fields are dropped in order: first the threads that make work for
/// others, then the present, and last the lock of the directory.
#[derive(Debug)]
pub(crate) struct Inner {
    background: Background,
    pub(crate) tools: Arc<Tools>,
    writer: LogWriter,
    _flusher: Flusher,
    pub(crate) log: Arc<LogView>,
    pub(crate) present: Arc<Present>,
    publisher: Arc<Publisher>,
    pub(crate) history: Arc<HistoryReader>,
    pub(crate) network: Arc<Network>,
    health: Arc<Health>,
    schedules: SchedulesAtWork,
    next_table: AtomicU64,
    id: DatabaseId,
    bucket: BucketUrl,
    config: Config,
    opening: Opening,
    _lock: Box<dyn FsLock>,
}

/// What opening a database found, and what it did about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// Bytes of a torn tail that were cut from the last segment: a write that no caller was told
    /// had succeeded.
    pub torn_bytes: u64,
    /// Commits that were replayed from the log into the present.
    pub replayed_commits: u64,
    /// Tables whose present was damaged or missing and was folded again from history.
    pub rebuilt_tables: Vec<String>,
}

impl Opening {
    /// Whether there was nothing to cut, to replay or to fold again.
    #[must_use]
    pub fn was_clean(&self) -> bool {
        *self == Self::default()
    }
}

impl Database {
    /// Opens the database of `config.directory`, creating it if both the directory and the bucket
    /// are empty.
    ///
    /// # Errors
    ///
    /// [`Error::Tier`] if the directory is locked, damaged, or the bucket is out of reach;
    /// [`Error::BucketHoldsHistory`], [`Error::ForeignBucket`] or [`Error::Lost`] if directory and
    /// bucket don't belong together. Nothing was changed then.
    pub fn open(config: Config) -> Result<Self> {
        open::open(config)
    }

    /// Rebuilds the database of the bucket in `config.directory`, which must be empty, up to the
    /// last commit that was sealed.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if the directory is in use, [`Error::Lost`] if the bucket holds nothing
    /// or not enough.
    pub fn recover(config: Config) -> Result<Recovery> {
        recover::recover(config)
    }

    /// The database's id, which its bucket repeats.
    #[must_use]
    pub fn id(&self) -> DatabaseId {
        self.inner.id
    }

    /// What opening it found.
    #[must_use]
    pub fn opening(&self) -> &Opening {
        &self.inner.opening
    }

    /// Creates a table.
    ///
    /// # Errors
    ///
    /// [`Error::TableExists`], or [`Error::Invalid`] for a name that no table may have.
    pub fn create_table(&self, name: &str) -> Result<Table> {
        self.create(name, None)
    }

    /// Creates a table as of a past instant, for the import of its history.
    ///
    /// # Errors
    ///
    /// As [`Self::create_table`]; [`Error::TimeGoesBack`] if the last commit is later.
    pub fn create_table_at(&self, name: &str, timestamp: Timestamp) -> Result<Table> {
        self.check_not_future(timestamp)?;
        self.create(name, Some(timestamp))
    }

    /// The live table of this name.
    ///
    /// # Errors
    ///
    /// [`Error::TableNotFound`], with the names that resemble it.
    pub fn table(&self, name: &str) -> Result<Table> {
        let id = self.inner.log.catalog().by_name(name)?.id;
        Ok(Table::new(self.clone(), id))
    }

    /// What the catalog says of the live tables, by name.
    #[must_use]
    pub fn tables(&self) -> Vec<TableRecord> {
        self.inner.log.catalog().live().cloned().collect()
    }

    /// Drops a table. Its history, if it was protected, stays until its retention has passed.
    ///
    /// # Errors
    ///
    /// [`Error::TableNotFound`].
    pub fn drop_table(&self, name: &str) -> Result<Commit> {
        let id = self.table(name)?.id();
        self.change_catalog(CatalogChange::Drop { id }, None, None)
    }

    /// Commits a batch. All of it becomes visible and durable, or nothing does.
    pub fn write(&self, batch: WriteBatch, options: WriteOptions) -> CommitHandle {
        self.try_write(batch, options).unwrap_or_else(CommitHandle::failed)
    }

    /// Commits a batch and waits for it: as [`Self::write`] and [`CommitHandle::wait`] together,
    /// and sooner done, because nobody has to be woken for it where no other commit is under way.
    ///
    /// # Errors
    ///
    /// As [`Self::try_write`], and what the write failed with; after [`Error::Halted`] it may or
    /// may not have been kept.
    pub fn commit(&self, batch: WriteBatch, options: WriteOptions) -> Result<Commit> {
        let (request, handle) = self.request(batch, options)?;
        self.inner.writer.desk().carry_out(request);
        handle.wait()
    }

    /// As [`Self::write`], but what can never be written is refused at once: so a caller that
    /// hands over one batch after the other can stop at the first that is refused.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`], [`Error::Invalid`]; [`Error::InFuture`] for a timestamp after now.
    pub fn try_write(&self, batch: WriteBatch, options: WriteOptions) -> Result<CommitHandle> {
        let (request, handle) = self.request(batch, options)?;
        self.inner.writer.desk().send(request);
        Ok(handle)
    }

    fn request(&self, batch: WriteBatch, options: WriteOptions) -> Result<(Request, CommitHandle)> {
        let batch = batch.into_checked()?;
        if let Some(timestamp) = options.timestamp {
            self.check_not_future(timestamp)?;
        }
        let durability: Durability = options.durability.unwrap_or(self.inner.config.durability);
        let (reply, handle) = CommitHandle::new();
        let timestamp = options.timestamp;
        Ok((Request::Write { batch, timestamp, durability, reply }, handle))
    }

    /// A consistent view of all tables as of the last commit.
    #[must_use]
    pub fn view(&self) -> PresentView {
        self.inner.present.view()
    }

    /// The value of a key of a table as of the last commit.
    pub(crate) fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Bytes>> {
        self.inner.present.get(table, key)
    }

    /// Protects a table: from the commit returned on, its history is kept for `retention`.
    ///
    /// It returns once the bucket holds the table's first base, so that everything it promises
    /// survives the loss of this machine. A table without keys needs no base.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyProtected`], [`Error::TableNotFound`]. [`Error::Tier`] if the bucket fails:
    /// protection is recorded then, and the base is written later.
    pub fn protect(&self, name: &str, retention: Retention) -> Result<Commit> {
        let commit = self.record_protection(name, retention, None)?;
        let record = self.inner.log.catalog().by_name(name)?.clone();
        if record.open_protection().is_some_and(|interval| !interval.starts_empty) {
            self.inner.background.seal_all()?;
        }
        Ok(commit)
    }

    /// Protects a table that has no keys yet as of a past instant, for the import of its history.
    ///
    /// # Errors
    ///
    /// As [`Self::protect`]; [`Error::TimeGoesBack`] if the last commit is later.
    pub fn protect_at(
        &self,
        name: &str,
        retention: Retention,
        timestamp: Timestamp,
    ) -> Result<Commit> {
        self.check_not_future(timestamp)?;
        self.record_protection(name, retention, Some(timestamp))
    }

    /// Ends the protection of a table. Its history up to here stays until its retention passes.
    ///
    /// # Errors
    ///
    /// [`Error::NotProtected`], [`Error::TableNotFound`].
    pub fn unprotect(&self, name: &str) -> Result<Commit> {
        let id = self.table(name)?.id();
        self.change_catalog(CatalogChange::Unprotect { id }, None, None)
    }

    /// Gives a protected table another retention. A longer one takes effect at once: what was given
    /// up before stays so, and from here on more is kept. A shorter one takes effect after
    /// [`Config::shortening_undo`]; any retention that is set before that takes its place.
    ///
    /// It returns once the bucket knows, so that no other process goes by the old retention.
    ///
    /// # Errors
    ///
    /// [`Error::NotProtected`], [`Error::TableNotFound`]; [`Error::AlreadyProtected`] if it has
    /// that retention. [`Error::Tier`] if the bucket fails: the change is recorded then, and sealed
    /// later.
    pub fn set_retention(&self, name: &str, retention: Retention) -> Result<Commit> {
        check_retention(retention)?;
        let id = self.table(name)?.id();
        let undo = self.inner.config.shortening_undo.as_micros();
        let undo_micros = i64::try_from(undo).expect("the settings allow a year at most");
        let change = CatalogChange::SetRetention { id, retention, undo_micros };
        let commit = self.change_catalog(change, None, None)?;
        self.seal()?;
        Ok(commit)
    }

    /// Ends the protection of a table, if it is on, and gives up all of its history now. From this
    /// commit on no window lists it; once the commit is sealed, expiry drops its files, and a sweep
    /// deletes them after the grace and the leases of running readers. What a backup pins stays
    /// until that is deleted. An id may be of a table that was dropped.
    ///
    /// # Errors
    ///
    /// [`Error::NotProtected`] if there is no history, [`Error::TableNotFound`].
    pub fn discard_history(&self, table: impl Into<crate::TableRef>) -> Result<Commit> {
        let id = self.table_record(table)?.id;
        self.change_catalog(CatalogChange::Discard { id }, None, None)
    }

    /// Seals everything that is committed: when it returns, the bucket holds it.
    ///
    /// # Errors
    ///
    /// [`Error::Tier`] if the bucket does not take it; the log keeps it then.
    pub fn seal(&self) -> Result<Commit> {
        let (reply, answer) = oneshot::channel();
        self.inner.writer.desk().send(Request::Roll { reply });
        foldback_compactor::wait_for(answer).unwrap_or(Err(Error::Closed))?;
        self.inner.background.seal_all()?;
        Ok(self.inner.publisher.newest().sealed)
    }

    /// Merges and folds history until nothing is due, which also goes on in the background: for
    /// whoever closes the database soon after a large import.
    ///
    /// # Errors
    ///
    /// [`Error::Tier`] if the bucket fails; what was there before stays in use then.
    pub fn compact(&self) -> Result<()> {
        self.inner.background.run_all()
    }

    /// Says that the clock is right, though it has moved on by more than expiry follows by itself:
    /// from here on horizons are counted from now. States older than their tables' retention are
    /// given up by that.
    ///
    /// # Errors
    ///
    /// [`Error::Tier`] if the bucket fails; nothing was changed then.
    pub fn confirm_clock(&self) -> Result<()> {
        self.inner.tools.publish(foldback_compactor::Change::Confirm)
    }

    /// Requests to the bucket and bytes to and from it since the database was opened.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.inner.history.remote().traffic()
    }

    /// Where other programs find an object of the bucket: a path, or a URL.
    #[must_use]
    pub fn location(&self, object: &str) -> String {
        self.inner.bucket.location(object)
    }

    fn record_protection(
        &self,
        name: &str,
        retention: Retention,
        timestamp: Option<Timestamp>,
    ) -> Result<Commit> {
        check_retention(retention)?;
        let id = self.table(name)?.id();
        // Whether the table starts empty is found out by the log writer, at the very commit.
        let change = CatalogChange::Protect { id, retention, starts_empty: false };
        self.change_catalog(change, None, timestamp)
    }

    /// Makes an empty table visible.
    fn create(&self, name: &str, timestamp: Option<Timestamp>) -> Result<Table> {
        self.inner.log.catalog().check_name_is_free(name)?;
        let tree = self.inner.present.create_tree(self.draw_table_id())?;
        let id = tree.id();
        let change = CatalogChange::Create { id, name: name.to_owned() };
        self.show_trees(change, &[tree], timestamp)?;
        Ok(Table::new(self.clone(), id))
    }

    /// Makes the tables of these trees visible by one commit, or removes the trees.
    fn show_trees(
        &self,
        change: CatalogChange,
        trees: &[Arc<TableTree>],
        timestamp: Option<Timestamp>,
    ) -> Result<Commit> {
        // Before they can be seen, as a table that is seen can be dropped.
        trees.iter().for_each(|tree| tree.spare());
        let shown = self.change_catalog(change, trees.iter().cloned(), timestamp);
        // If the database has halted the commit may be in the log all the same: then the next
        // opening decides, which removes what no live table owns.
        if shown.is_err() && self.inner.health.halted().is_none() {
            trees.iter().for_each(|tree| tree.doom());
        }
        shown
    }

    /// An id that no table has had. It is spent even if the table never becomes visible, unless
    /// the process ends before.
    pub(crate) fn draw_table_id(&self) -> TableId {
        let id = TableId(self.inner.next_table.fetch_add(1, Ordering::AcqRel));
        assert!(id <= TableId::MAX, "the database is out of table ids");
        id
    }

    fn change_catalog(
        &self,
        change: CatalogChange,
        trees: impl IntoIterator<Item = Arc<TableTree>>,
        timestamp: Option<Timestamp>,
    ) -> Result<Commit> {
        let (reply, answer) = oneshot::channel();
        let trees = trees.into_iter().collect();
        self.inner.writer.desk().send(Request::Catalog { change, trees, timestamp, reply });
        foldback_compactor::wait_for(answer).unwrap_or(Err(Error::Closed))
    }

    /// Refuses a commit stamped later than now: every later commit would have to carry that stamp.
    fn check_not_future(&self, timestamp: Timestamp) -> Result<()> {
        let now = self.inner.config.clock.now().max(self.inner.log.tip().timestamp);
        match timestamp <= now {
            true => Ok(()),
            false => Err(Error::InFuture { asked: crate::instant::show(timestamp), now }),
        }
    }
}

fn check_retention(retention: Retention) -> Result<()> {
    match retention {
        Retention::Secs(0) => Err(Error::Invalid("a retention is at least one second".to_owned())),
        _ => Ok(()),
    }
}
