//! The reader of a bucket: a database's history as far as it is sealed, without the database.
//!
//! It works from any machine, while the writer goes on, and from the bucket alone: it makes no
//! local file and publishes nothing, so it neither fences the writer nor is fenced.

use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock};

use foldback_compactor::{HistoryReader, Network};
use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::remote::{BucketUrl, RemoteLog, RemoteOptions, Traffic};
use foldback_log_tier::{Change, Commit, DatabaseId, Seq, TableId};

use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::config::check_history_cache_bytes;
use crate::database::{newest_manifest, start_network};
use crate::past::{MOMENTS_MAX, Past, PastMoment, again_if_gone, check_database, is_gone};
use crate::plan::{PlanInputs, plan};
use crate::present::Row;
use crate::reading::Places;
use crate::restore::PlanRows;
use crate::steady_rows::SteadyRows;
use crate::view::ViewDoor;
use crate::{
    BackupRecord, Error, Resolved, RestorePlan, RestoreRecord, Result, Selection, TableRecord,
    TableRef, Target, View, Window, table_ref,
};

/// Reads the history that a bucket holds, up to the last commit that was sealed when it was opened
/// or refreshed last.
#[derive(Debug)]
pub struct BucketReader {
    url: BucketUrl,
    pub(crate) network: Network,
    pub(crate) history: Arc<HistoryReader>,
    database: DatabaseId,
    pub(crate) clock: Arc<dyn Clock>,
    held: RwLock<Arc<Held>>,
}

/// What the bucket said of itself at one moment.
#[derive(Debug)]
struct Held {
    manifest: Arc<Manifest>,
    /// As of the last sealed commit.
    catalog: Catalog,
}

impl BucketReader {
    /// Opens the bucket at `url` for reading. `clock` tells which instants the retention of a table
    /// still covers.
    ///
    /// # Errors
    ///
    /// [`Error::NoHistory`] if no database has published there; a directory that is not there is
    /// not made. [`Error::Tier`] if the URL or an option is of no store, or the bucket is out of
    /// reach or damaged.
    pub fn open(url: &str, options: &RemoteOptions, clock: Arc<dyn Clock>) -> Result<Self> {
        let (network, remote, manifest) = connect_to_history(url, options)?;
        let url: BucketUrl = url.parse()?;
        let database = manifest.database;
        let history = Arc::new(HistoryReader::new(remote, database));
        let held = Held { manifest: Arc::new(manifest), catalog: Catalog::default() };
        let held = RwLock::new(Arc::new(held));
        let reader = Self { url, network, history, database, clock, held };
        reader.take_over(reader.manifest())?;
        Ok(reader)
    }

    /// Takes over what was sealed since; says whether there is anything new.
    ///
    /// # Errors
    ///
    /// [`Error::Tier`] if the bucket is out of reach or damaged, [`Error::Lost`] if it holds
    /// another database, or none, by now. What was known before stays in use then.
    pub fn refresh(&self) -> Result<bool> {
        let newest = self.newest()?;
        if newest.number <= self.manifest().number {
            return Ok(false);
        }
        self.take_over(newest)?;
        Ok(true)
    }

    /// The database whose history it is.
    #[must_use]
    pub fn database(&self) -> DatabaseId {
        self.database
    }

    /// The bucket's URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    /// What the bucket holds: the newest manifest that was read.
    #[must_use]
    pub fn manifest(&self) -> Arc<Manifest> {
        Arc::clone(&self.held().manifest)
    }

    /// The last commit that can be read here; the process that has the database open has those
    /// after it.
    #[must_use]
    pub fn sealed(&self) -> Commit {
        self.held().manifest.sealed
    }

    /// Requests to the bucket and bytes from it since it was opened.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.history.remote().traffic()
    }

    /// Where other programs find an object of the bucket: a path, or a URL.
    #[must_use]
    pub fn location(&self, object: &str) -> String {
        self.url.location(object)
    }

    /// What the catalog says of the tables that are live as of the last sealed commit, by name.
    #[must_use]
    pub fn tables(&self) -> Vec<TableRecord> {
        self.held().catalog.live().cloned().collect()
    }

    /// The backups as of the last sealed commit, in the order in which they were made.
    #[must_use]
    pub fn backups(&self) -> Vec<BackupRecord> {
        self.held().catalog.backups().cloned().collect()
    }

    /// What the catalog says of the tables that were dropped: those that can still be restored
    /// first, and the last one dropped before the others.
    #[must_use]
    pub fn dropped_tables(&self) -> Vec<TableRecord> {
        let held = self.held();
        table_ref::dropped(&self.past(&held), &held.catalog)
    }

    /// What the catalog says of a table: the live one of a name, or any with its id.
    ///
    /// # Errors
    ///
    /// [`Error::TableNotFound`], with the names that resemble it; [`Error::WhichTable`] for a name
    /// that only dropped tables have.
    pub fn table_record(&self, table: impl Into<TableRef>) -> Result<TableRecord> {
        let held = self.held();
        table_ref::choose_any(&self.past(&held), &held.catalog, &table.into(), None).cloned()
    }

    /// The restorable windows of a table, in order.
    ///
    /// `latest` of a window that is open is the last instant that the bucket knows all about: just
    /// before that of its last commit, as the next commit may carry the same timestamp. The state
    /// after the last commit is `Target::Latest`, or has its number. A window that begins no
    /// earlier than that has its first instant as its last.
    ///
    /// # Errors
    ///
    /// [`Error::TableNotFound`]; [`Error::NotProtected`] if it never was; [`Error::WhichTable`] for
    /// a name that only dropped tables have.
    pub fn windows(&self, table: impl Into<TableRef>) -> Result<Vec<Window>> {
        let held = self.held();
        let past = self.past(&held);
        let record = table_ref::choose(&past, &held.catalog, &table.into(), None)?;
        let mut windows = past.windows(record);
        let known_until = held.manifest.sealed.timestamp.saturating_add_micros(-1);
        for window in windows.iter_mut().filter(|window| window.open) {
            window.latest = known_until.max(window.earliest);
        }
        Ok(windows)
    }

    /// The one commit that a target comes to, and the commit after it, if it is sealed.
    /// [`Target::Latest`] is the last sealed commit.
    ///
    /// # Errors
    ///
    /// [`Error::NotSealed`] for an instant or a commit of which the bucket does not know all yet;
    /// [`Error::OutsideWindow`], [`Error::NotProtected`], [`Error::TableNotFound`],
    /// [`Error::WhichTable`]; [`Error::Tier`] if the bucket is out of reach or damaged.
    pub fn resolve(&self, table: impl Into<TableRef>, target: Target) -> Result<Resolved> {
        self.on_chosen(&table.into(), target, |past, record| past.resolve(record, target))
    }

    /// What reading the table's state at a target would read.
    ///
    /// # Errors
    ///
    /// As [`Self::resolve`]; [`Error::Lost`] if a piece of history is missing.
    pub fn plan(
        &self,
        table: impl Into<TableRef>,
        target: Target,
        selection: &Selection,
    ) -> Result<RestorePlan> {
        self.on_chosen(&table.into(), target, |past, record| past.plan(record, target, selection))
    }

    /// Runs a plan and yields its rows, ascending by key. `Database::restore_from` makes a table of
    /// them.
    ///
    /// A file that the plan names may be gone, as a newer one holds what it held: then the reader
    /// is refreshed, and goes on from there.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a plan of another database, or of a database's log; each row may fail
    /// with what reading history does.
    pub fn plan_rows<'a>(
        &'a self,
        plan: &'a RestorePlan,
    ) -> Result<impl Iterator<Item = Result<Row>> + 'a> {
        self.rows_of(plan)
    }

    /// The same, which also tells what it reads.
    pub(crate) fn rows_of<'a>(&'a self, plan: &'a RestorePlan) -> Result<SteadyRows<'a>> {
        check_database(plan, self.database)?;
        if !plan.segments.is_empty() {
            return Err(Error::Invalid(format!(
                "the plan also reads the local log, for commits after #{}, and only the process \
                 that has the database open can do that; plan on the bucket",
                plan.sealed
            )));
        }
        let started = PlanRows::start(Cow::Borrowed(plan), self.places());
        SteadyRows::new(started, move || {
            let refresh = || self.refresh().map(drop);
            let start_anew = || {
                let anew = self.plan_anew(plan)?;
                PlanRows::start(Cow::Owned(anew), self.places())
            };
            refresh()?;
            // A compactor can come in between once more.
            again_if_gone(refresh, start_anew)
        })
    }

    /// The restore log of the database, as of the last sealed commit, the last one first.
    #[must_use]
    pub fn restores(&self) -> Vec<RestoreRecord> {
        self.held().catalog.restores().map(|record| RestoreRecord::clone(record)).collect()
    }

    /// A view of a table at a target, which can be read as often as is liked.
    ///
    /// # Errors
    ///
    /// As [`Self::plan`].
    pub fn view(&self, table: impl Into<TableRef>, target: Target) -> Result<View<'_>> {
        self.on_chosen(&table.into(), target, |past, record| {
            View::take(ViewDoor::Bucket(self), past, record.clone(), target)
        })
    }

    /// Sets how many bytes of memory decoded pieces of history may take that views have read; 64
    /// MiB unless it is set.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for more than there can be.
    pub fn set_history_cache_bytes(&self, bytes: u64) -> Result<()> {
        check_history_cache_bytes(bytes)?;
        self.history.set_cache_bytes(bytes);
        Ok(())
    }

    /// A plan of the same state of the same table, from where its events are now.
    fn plan_anew(&self, plan: &RestorePlan) -> Result<RestorePlan> {
        match plan.backup {
            Some(created) => self.plan_backup_by_commit(created, &plan.selection),
            None => self.plan(plan.table, Target::Seq(plan.target.seq), &plan.selection),
        }
    }

    fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn places(&self) -> Places<'_> {
        Places { history: &self.history, network: &self.network, log: None, leases: true }
    }

    fn past(&self, held: &Held) -> Past<'_> {
        Past { moment: self.moment_of(held), places: self.places() }
    }

    fn moment_of(&self, held: &Held) -> PastMoment {
        let (manifest, tip) = (Arc::clone(&held.manifest), held.manifest.sealed);
        let now = self.clock.now().max(tip.timestamp);
        PastMoment { segments: Arc::default(), manifest, tip, now }
    }

    /// What there is by what was read last.
    pub(crate) fn newest_moment(&self) -> PastMoment {
        self.moment_of(&self.held())
    }

    /// Does something to the table that is meant, if its target is sealed, as [`Self::on_held`].
    fn on_chosen<T>(
        &self,
        table: &TableRef,
        target: Target,
        act: impl Fn(&Past<'_>, &TableRecord) -> Result<T>,
    ) -> Result<T> {
        self.on_held(|past, catalog| {
            let record = table_ref::choose(past, catalog, table, Some(target))?;
            check_sealed(target, past.moment.manifest.sealed)?;
            act(past, record)
        })
    }

    /// Does something by what was read last; again on what the bucket says then, if a file is gone
    /// and it says anything new.
    pub(crate) fn on_held<T>(&self, act: impl Fn(&Past<'_>, &Catalog) -> Result<T>) -> Result<T> {
        let on = |held: &Held| act(&self.past(held), &held.catalog);
        for _ in 1..MOMENTS_MAX {
            let error = match on(&self.held()) {
                Err(error) if is_gone(&error) => error,
                done => return done,
            };
            if !self.refresh()? {
                return Err(error);
            }
        }
        on(&self.held())
    }

    fn newest(&self) -> Result<Arc<Manifest>> {
        let newest = newest_manifest(&self.network, self.history.remote())?;
        let (bucket, ours) = (&self.url, self.database);
        match newest {
            Some(newest) if newest.database == ours => Ok(Arc::new(newest)),
            Some(newest) => Err(Error::Lost(format!(
                "bucket {bucket} held database {ours} when it was opened, and holds database {} \
                 now; nothing was changed; find out who replaced it",
                newest.database
            ))),
            None => Err(Error::Lost(format!(
                "bucket {bucket} held database {ours} when it was opened, and holds no history \
                 now; nothing was changed; find out who deleted it"
            ))),
        }
    }

    /// Folds the catalog of `manifest`, or of a newer one if files go away meanwhile, and takes
    /// both over.
    fn take_over(&self, manifest: Arc<Manifest>) -> Result<()> {
        let mut manifest = manifest;
        let mut moments_left = MOMENTS_MAX;
        let catalog = loop {
            let error = match fold_catalog(&manifest, self.places()) {
                Err(error) if is_gone(&error) => error,
                folded => break folded?,
            };
            moments_left -= 1;
            let newest = self.newest()?;
            if newest.number <= manifest.number || moments_left == 0 {
                return Err(error);
            }
            manifest = newest;
        };
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have gone further meanwhile.
        if held.manifest.number <= manifest.number {
            *held = Arc::new(Held { manifest, catalog });
        }
        Ok(())
    }
}

/// Connects to a bucket that holds history; one that does not is left as it is.
pub(crate) fn connect_to_history(
    url: &str,
    options: &RemoteOptions,
) -> Result<(Network, RemoteLog, Manifest)> {
    let url: BucketUrl = url.parse()?;
    if url.is_missing_directory() {
        return Err(Error::NoHistory { bucket: url.to_string(), what: "is not there" });
    }
    let network = start_network()?;
    let (place, options) = (url.clone(), options.clone());
    let remote = network.run(async move { RemoteLog::connect(&place, &options).await })?;
    let manifest = newest_manifest(&network, &remote)?;
    let manifest = manifest.ok_or_else(|| Error::NoHistory {
        bucket: url.to_string(),
        what: "holds no history of a database",
    })?;
    Ok((network, remote, manifest))
}

/// The catalog as of the last sealed commit. It is table 0, protected from the beginning, when it
/// was empty.
pub(crate) fn fold_catalog(manifest: &Manifest, places: Places<'_>) -> Result<Catalog> {
    let interval = Catalog::interval_of_catalog(None);
    let plan = plan(PlanInputs {
        manifest,
        segments: &[],
        table: TableId::CATALOG,
        table_name: "the catalog",
        history_first: Seq::ZERO,
        starts_empty: true,
        earliest: interval.floor(manifest).map(|floor| floor.seq),
        target: manifest.sealed,
        selection: &Selection::all(),
    })?;
    let mut catalog = Catalog::default();
    // It is small, and read again if a file of it goes away.
    let places = Places { leases: false, ..places };
    for row in PlanRows::start(Cow::Owned(plan), places)? {
        let (key, value) = row?;
        catalog.absorb(&key, &Change::Put(value))?;
    }
    Ok(catalog)
}

/// Refuses a target whose state a commit that is not sealed yet may still be part of. Timestamps
/// never decrease, so that may be one stamped as the last sealed commit, but none before it.
fn check_sealed(target: Target, sealed: Commit) -> Result<()> {
    let is_known = match target {
        Target::Latest => true,
        Target::At(at) => at < sealed.timestamp,
        Target::Before(before) => before <= sealed.timestamp,
        Target::Seq(seq) => seq <= sealed.seq,
    };
    match is_known {
        true => Ok(()),
        false => Err(Error::NotSealed { asked: target.to_string(), sealed }),
    }
}
