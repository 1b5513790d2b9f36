//! Detached backups: a state of a table copied whole into a bucket that is no database's, from
//! which it is restored with nothing else.
//!
//! The files come first, and each is read back; the list that names them makes them a backup. Who
//! makes one holds a lease from before its first file to after its list. So who deletes can tell
//! what a dead process left from what a slow one is about to name: while any lease holds, files
//! stay.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use foldback_compactor::{
    BaseIdentity, BaseWriter, HistoryReader, LeaseGuard, Making, Network, Pace, Reading,
};
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::near_names::near_names;
use foldback_log_tier::remote::{
    BACKUP_FORMAT, BucketUrl, DetachedBackup, RemoteLog, RemoteOptions,
};
use foldback_log_tier::{Error as TierError, EventRow, KeyRange, names};

use crate::catalog::check_name;
use crate::clock::steady_now;
use crate::database::start_network;
use crate::past::{Past, PastMoment};
use crate::plan::{PlanInputs, plan};
use crate::present::Row;
use crate::reading::Places;
use crate::restore::PlanRows;
use crate::restore_rows::{RestoreRows, RestoreWatch, Watch};
use crate::steady_rows::SteadyRows;
use crate::{Error, RestorePlan, Result, Selection, Timestamp};

/// There are no manifests in a bucket of backups: all its files and leases are of this one.
const BORN: u64 = 1;

/// A bucket of detached backups, of any number of databases.
#[derive(Debug)]
pub struct BackupBucket {
    url: BucketUrl,
    network: Network,
    remote: RemoteLog,
}

/// What became of a backup that was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletedBackup {
    /// Files that were deleted with it, those that dead processes left among them.
    pub files: usize,
    /// Whether files had to stay, as somebody may be making a backup: the next deletion takes them.
    pub files_stay: bool,
}

/// A detached backup, to be read.
#[derive(Debug)]
pub struct BackupReader<'a> {
    bucket: &'a BackupBucket,
    backup: DetachedBackup,
    history: Arc<HistoryReader>,
}

/// What a detached backup is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copying<'a> {
    pub(crate) name: &'a str,
    pub(crate) reason: Option<&'a str>,
    pub(crate) plan: &'a RestorePlan,
    pub(crate) made: Timestamp,
    pub(crate) file_bytes_target: u64,
}

impl BackupBucket {
    /// Opens a bucket of backups. A directory that is not there is made only if `makes` says so.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if the bucket is a database's; [`Error::NoHistory`] for a directory that
    /// is not there; [`Error::Tier`] if the URL or an option is of no store, or the bucket is out
    /// of reach.
    pub fn open(url: &str, options: &RemoteOptions, makes: bool) -> Result<Self> {
        let url: BucketUrl = url.parse()?;
        if !makes && url.is_missing_directory() {
            return Err(Error::NoHistory { bucket: url.to_string(), what: "is not there" });
        }
        let network = start_network()?;
        let (place, options) = (url.clone(), options.clone());
        let remote = network.run(async move { RemoteLog::connect(&place, &options).await })?;
        let asked = remote.clone();
        let manifests = network.run(async move { asked.list_manifests().await })?;
        match manifests.is_empty() {
            true => Ok(Self { url, network, remote }),
            false => Err(Error::Invalid(format!(
                "bucket {url} is that of a database, and detached backups lie apart from any; give \
                 them a bucket or a prefix of their own"
            ))),
        }
    }

    /// The bucket's URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    /// The backups, sorted by name. One that is deleted meanwhile is left out.
    ///
    /// # Errors
    ///
    /// [`Error::Tier`] if the bucket is out of reach, or a list is damaged.
    pub fn backups(&self) -> Result<Vec<DetachedBackup>> {
        let remote = self.remote.clone();
        Ok(self.network.run(async move { read_backups(&remote).await })?)
    }

    /// A backup, to be read.
    ///
    /// # Errors
    ///
    /// [`Error::BackupNotFound`]; [`Error::Tier`] if the bucket is out of reach, or the list is
    /// damaged.
    pub fn backup(&self, name: &str) -> Result<BackupReader<'_>> {
        let (remote, asked) = (self.remote.clone(), name.to_owned());
        let (found, names) = self.network.run(async move {
            let found = remote.backup(&asked).await?;
            let names = match found {
                Some(_) => Vec::new(),
                None => remote.list_backups().await?,
            };
            Ok::<_, TierError>((found, names))
        })?;
        let Some(backup) = found else {
            let near = near_names(name, names.iter().map(String::as_str));
            let near = near.into_iter().map(str::to_owned).collect();
            return Err(Error::BackupNotFound { name: name.to_owned(), near });
        };
        let history = Arc::new(HistoryReader::new(self.remote.clone(), backup.database));
        Ok(BackupReader { bucket: self, backup, history })
    }

    /// Deletes a backup: first its list, and then the files that no other list names, unless
    /// somebody is making a backup.
    ///
    /// # Errors
    ///
    /// [`Error::BackupNotFound`]; [`Error::Tier`] if the bucket is out of reach: the backup is
    /// there then or not, and files that stay are taken by the next deletion.
    pub fn delete(&self, name: &str) -> Result<DeletedBackup> {
        self.backup(name)?;
        let (remote, list) = (self.remote.clone(), names::backup(name));
        self.network.run(async move { remote.delete(&[list]).await })?;
        let remote = self.remote.clone();
        let swept = self.network.run(async move { sweep(&remote).await })?;
        Ok(DeletedBackup { files: swept.unwrap_or_default(), files_stay: swept.is_none() })
    }

    /// Copies the rows of a plan, and makes a backup of them.
    pub(crate) fn make(
        &self,
        copying: Copying<'_>,
        rows: SteadyRows<'_>,
        watch: Watch<'_>,
    ) -> Result<DetachedBackup> {
        check_name("a backup", copying.name)?;
        let (remote, name) = (self.remote.clone(), copying.name.to_owned());
        let is_taken = self.network.run(async move {
            remote.probe().await?;
            let is_taken = remote.backup(&name).await?.is_some();
            sweep(&remote).await?;
            Ok::<_, TierError>(is_taken)
        })?;
        if is_taken {
            return Err(Error::BackupExists { name: copying.name.to_owned() });
        }
        let (database, holder) = (copying.plan.database, format!("making {}", copying.name));
        let _lease = LeaseGuard::take(&self.network, &self.remote, database, BORN, &holder)?;
        let history = Arc::new(HistoryReader::new(self.remote.clone(), database));
        let pace = Pace::new(steady_now);
        let making = Making { database, born: BORN };
        let reading = Reading { history: &history, network: &self.network, making, pace: &pace };
        let files = copy_rows(reading, copying, rows, watch)?;
        self.name_files(copying, &files).inspect_err(|_| self.forget(&files))
    }

    /// Verifies the files of a backup, and makes them one.
    fn name_files(&self, copying: Copying<'_>, files: &[HistoryEntry]) -> Result<DetachedBackup> {
        let Copying { name, reason, plan, made, .. } = copying;
        let backup = DetachedBackup {
            format: BACKUP_FORMAT,
            name: name.to_owned(),
            database: plan.database,
            table: plan.table,
            table_name: plan.table_name.clone(),
            target: plan.target,
            made,
            reason: reason.map(str::to_owned),
            rows: files.iter().map(|file| file.rows).sum(),
            bytes: files.iter().map(|file| file.bytes).sum(),
            files: files.to_vec(),
        };
        let (remote, list) = (self.remote.clone(), backup.clone());
        let is_ours = self.network.run(async move {
            for file in &list.files {
                remote.verify_history(file).await?;
            }
            let is_ours = remote.create_backup(&list).await?;
            if is_ours && let Some(gone) = first_missing(&remote, &list).await? {
                // Who stalls for longer than its lease holds may lose its files to a sweep.
                remote.delete(&[names::backup(&list.name)]).await?;
                return Err(TierError::Missing { object: gone });
            }
            Ok(is_ours)
        })?;
        match is_ours {
            true => Ok(backup),
            false => Err(Error::BackupExists { name: name.to_owned() }),
        }
    }

    /// Deletes files of which nothing comes; what stays is found by the next deletion.
    fn forget(&self, files: &[HistoryEntry]) {
        let names: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
        let remote = self.remote.clone();
        if let Err(error) = self.network.run(async move { remote.delete(&names).await }) {
            tracing::warn!(%error, "files of a backup that failed could not be deleted; they stay");
        }
    }
}

impl BackupReader<'_> {
    /// What its list says.
    #[must_use]
    pub fn backup(&self) -> &DetachedBackup {
        &self.backup
    }

    /// What a restore of it reads.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] if its files do not cover every key; [`Error::Tier`] if one is missing or
    /// damaged, or the bucket is out of reach.
    pub fn plan(&self, selection: &Selection) -> Result<RestorePlan> {
        let (target, manifest) = (self.backup.target, self.backup.manifest());
        let planned = plan(PlanInputs {
            manifest: &manifest,
            segments: &[],
            table: self.backup.table,
            table_name: &self.backup.table_name,
            history_first: target.seq,
            starts_empty: false,
            earliest: None,
            target,
            selection,
        })?;
        let (segments, manifest) = (Arc::default(), Arc::new(manifest));
        let moment = PastMoment { segments, manifest, tip: target, now: target.timestamp };
        Past { moment, places: self.places() }.choose_row_groups(planned)
    }

    /// Runs a plan of it and yields its rows, ascending by key.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a plan of something else; each row may fail with what reading its
    /// files does.
    pub fn plan_rows<'a>(
        &'a self,
        plan: &'a RestorePlan,
    ) -> Result<impl Iterator<Item = Result<Row>> + 'a> {
        self.rows_of(plan)
    }

    /// The same, which also tells what it reads.
    pub(crate) fn rows_of<'a>(&'a self, plan: &'a RestorePlan) -> Result<SteadyRows<'a>> {
        self.check(plan)?;
        let start = move || PlanRows::start(Cow::Borrowed(plan), self.places());
        SteadyRows::new(start(), start)
    }

    /// Refuses a plan of something else.
    pub(crate) fn check(&self, plan: &RestorePlan) -> Result<()> {
        let of_plan = (plan.database, plan.table, plan.target);
        let ours = (self.backup.database, self.backup.table, self.backup.target);
        match of_plan == ours && plan.segments.is_empty() {
            true => Ok(()),
            false => Err(Error::Invalid(format!(
                "the plan is not of backup {:?}; run it where it was made",
                self.backup.name
            ))),
        }
    }

    /// The URL of the bucket that it is in.
    pub(crate) fn url(&self) -> String {
        self.bucket.url()
    }

    /// Its files are never replaced, and only go with it: no lease is needed.
    fn places(&self) -> Places<'_> {
        let (history, network) = (&self.history, &self.bucket.network);
        Places { history, network, log: None, leases: false }
    }
}

/// Writes rows as a base, and leaves nothing behind if that fails or is cancelled.
fn copy_rows(
    reading: Reading<'_>,
    copying: Copying<'_>,
    rows: SteadyRows<'_>,
    watch: Watch<'_>,
) -> Result<Vec<HistoryEntry>> {
    let (table, at) = (copying.plan.table, copying.plan.target);
    let identity = BaseIdentity { table, keys: KeyRange::all(), at };
    let mut base = BaseWriter::new(reading, identity, copying.file_bytes_target);
    let copied = push_rows(&mut base, copying, rows, watch);
    match copied {
        Ok(()) => Ok(base.finish()?),
        Err(error) => {
            let names: Vec<_> = base.completed().iter().map(|file| file.name.clone()).collect();
            // The one that is being written is aborted.
            drop(base);
            let remote = reading.history.remote().clone();
            reading.network.run(async move { remote.delete(&names).await })?;
            Err(error)
        }
    }
}

fn push_rows(
    base: &mut BaseWriter<'_>,
    copying: Copying<'_>,
    rows: SteadyRows<'_>,
    watch: Watch<'_>,
) -> Result<()> {
    let (table, target) = (copying.plan.table, copying.plan.target);
    let (seq, timestamp) = (target.seq, target.timestamp);
    let mut watch = RestoreWatch::new(watch, copying.plan.bucket_bytes());
    watch.report()?;
    for row in RestoreRows::new(rows, None, &mut watch) {
        let (key, value) = row?;
        // Which event put a value is not asked: a row is stamped with the commit of the state.
        base.push(EventRow { table, key: &key, seq, timestamp, value: Some(&value) })?;
    }
    watch.report()
}

/// Deletes the history files that no list names, and says how many; `None` if they have to stay,
/// as a lease holds.
///
/// The files are listed first: who makes one after that has a name that is not among them, and who
/// made one before has a lease, or a list, by the time that these are read.
async fn sweep(remote: &RemoteLog) -> Result<Option<usize>, TierError> {
    let files = remote.list_with_times(names::HISTORY_PREFIX).await?;
    let store_now = remote.store_now().await?;
    let leases = remote.leases().await?;
    if leases.iter().any(|held| !held.expired(store_now)) {
        return Ok(None);
    }
    let backups = read_backups(remote).await?;
    let listed: BTreeSet<_> =
        backups.iter().flat_map(|backup| &backup.files).map(|file| &file.name).collect();
    let is_orphan = |name: &String| names::parse_history(name).is_some() && !listed.contains(name);
    let orphans: Vec<_> = files.into_iter().map(|object| object.name).filter(is_orphan).collect();
    let dead = leases.into_iter().map(|held| held.name);
    let gone: Vec<_> = orphans.iter().cloned().chain(dead).collect();
    remote.delete(&gone).await?;
    Ok(Some(orphans.len()))
}

/// The first file of a backup that is not there.
async fn first_missing(
    remote: &RemoteLog,
    backup: &DetachedBackup,
) -> Result<Option<String>, TierError> {
    let there = remote.list_with_times(names::HISTORY_PREFIX).await?;
    let there: BTreeSet<_> = there.into_iter().map(|object| object.name).collect();
    let missing = backup.files.iter().find(|file| !there.contains(&file.name));
    Ok(missing.map(|file| file.name.clone()))
}

async fn read_backups(remote: &RemoteLog) -> Result<Vec<DetachedBackup>, TierError> {
    let mut backups = Vec::new();
    for name in remote.list_backups().await? {
        backups.extend(remote.backup(&name).await?);
    }
    Ok(backups)
}
