//! Detached backups: a state of a table copied into a bucket that is no database's, from which it
//! is restored with nothing else. One that is built on another lists the files of that one, too.
//!
//! The files come first, and each is read back; the list that names them makes them a backup. Who
//! makes one holds a lease from before its first file to after its list. So who deletes can tell
//! what a dead process left from what a slow one is about to name: while any lease holds, files
//! stay.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use foldback_compactor::{HistoryReader, LeaseGuard, Making, Network, Pace, Reading};
use foldback_log_tier::manifest::{HistoryEntry, Manifest};
use foldback_log_tier::near_names::near_names;
use foldback_log_tier::remote::{
    BACKUP_FORMAT, BucketUrl, DetachedBackup, PreviousBackup, RemoteLog, RemoteOptions, Traffic,
};
use foldback_log_tier::{Error as TierError, names};

use crate::catalog::check_name;
use crate::clock::steady_now;
use crate::database::start_network;
use crate::past::{Past, PastMoment};
use crate::plan::{PlanInputs, plan};
use crate::present::Row;
use crate::reading::Places;
use crate::restore::PlanRows;
use crate::restore_rows::Watch;
use crate::steady_rows::SteadyRows;
use crate::{Database, Error, RestorePlan, Result, Selection, Timestamp};

mod copying;

use copying::{Files, add_events, bytes, choose_previous, copy_rows, known_state};

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

    /// What has gone to and from the bucket since it was opened.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.remote.traffic()
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
            return Err(not_found(name, &names));
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
        let (remote, asked) = (self.remote.clone(), name.to_owned());
        let names = self.network.run(async move { remote.list_backups().await })?;
        // One whose list is damaged goes like any other.
        if !names.contains(&asked) {
            return Err(not_found(name, &names));
        }
        let (remote, list) = (self.remote.clone(), names::backup(name));
        self.network.run(async move { remote.delete(&[list]).await })?;
        let remote = self.remote.clone();
        let swept = self.network.run(async move { sweep(&remote).await })?;
        Ok(DeletedBackup { files: swept.unwrap_or_default(), files_stay: swept.is_none() })
    }

    /// Copies what a plan of `database` reads, or what happened since the newest backup below it,
    /// and makes a backup of that.
    pub(crate) fn make(
        &self,
        copying: Copying<'_>,
        database: &Database,
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
        // Before anything is read: what a list names from here on stays, whoever deletes the list.
        let (id, holder) = (copying.plan.database, format!("making {}", copying.name));
        let _lease = LeaseGuard::take(&self.network, &self.remote, id, BORN, &holder)?;
        let files = self.write_files(copying, database, watch)?;
        self.name_files(copying, &files).inspect_err(|_| self.forget(&files.written))
    }

    /// Writes what is not in the bucket yet of what a plan reads.
    fn write_files(
        &self,
        copying: Copying<'_>,
        database: &Database,
        watch: Watch<'_>,
    ) -> Result<Files> {
        let plan = copying.plan;
        let history = Arc::new(HistoryReader::new(self.remote.clone(), plan.database));
        let pace = Pace::new(steady_now);
        let making = Making { database: plan.database, born: BORN };
        let reading = Reading { history: &history, network: &self.network, making, pace: &pace };
        if let Some(previous) = self.previous(plan)? {
            if previous.target == plan.target {
                return Ok(Files { previous: Some(previous), written: Vec::new() });
            }
            if let Some(increment) = database.increment(plan, known_state(&previous))?
                && let Some(written) =
                    add_events(reading, copying, (&previous, increment), &mut *watch)?
            {
                return Ok(Files { previous: Some(previous), written });
            }
        }
        let written = copy_rows(reading, copying, database.rows_of(plan)?, watch)?;
        Ok(Files { previous: None, written })
    }

    /// The backup that one of what a plan reads is built on, all of whose files are there.
    fn previous(&self, plan: &RestorePlan) -> Result<Option<DetachedBackup>> {
        let remote = self.remote.clone();
        let backups = self.network.run(async move { read_backups(&remote).await });
        let backups = match backups {
            Err(error @ TierError::Corrupt { .. }) => {
                tracing::warn!(%error, "a list of a backup is damaged; nothing is built on another");
                return Ok(None);
            }
            read => read?,
        };
        let Some(previous) = choose_previous(backups, plan) else { return Ok(None) };
        let (remote, listed) = (self.remote.clone(), previous.files.clone());
        let missing = self.network.run(async move {
            let missing = remote.first_missing(&listed).await?;
            Ok::<_, TierError>(missing.map(|file| file.name.clone()))
        })?;
        let Some(file) = missing else { return Ok(Some(previous)) };
        tracing::warn!(
            backup = previous.name,
            file,
            "a backup has lost a file; nothing is built on it"
        );
        Ok(None)
    }

    /// Verifies the files of a backup, and makes them one.
    fn name_files(&self, copying: Copying<'_>, files: &Files) -> Result<DetachedBackup> {
        let backup = backup_of(copying, files);
        // What could not be restored is not to be called a backup.
        plan_files(&backup, &backup.manifest(), &Selection::all())?;
        let (remote, list, written) = (self.remote.clone(), backup.clone(), files.written.clone());
        let is_ours = self.network.run(async move {
            for file in &written {
                remote.verify_history(file).await?;
            }
            let is_ours = remote.create_backup(&list).await?;
            if is_ours && let Some(gone) = remote.first_missing(&list.files).await? {
                // Who stalls for longer than its lease holds may lose its files to a sweep.
                remote.delete(&[names::backup(&list.name)]).await?;
                return Err(TierError::Missing { object: gone.name.clone() });
            }
            Ok(is_ours)
        })?;
        match is_ours {
            true => Ok(backup),
            false => Err(Error::BackupExists { name: copying.name.to_owned() }),
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
    /// [`Error::Lost`] if its files do not cover every key; [`Error::Tier`] if one of which the
    /// tail is read is missing or damaged, or the bucket is out of reach.
    pub fn plan(&self, selection: &Selection) -> Result<RestorePlan> {
        let (target, manifest) = (self.backup.target, self.backup.manifest());
        let planned = plan_files(&self.backup, &manifest, selection)?;
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

/// The list of a backup.
fn backup_of(copying: Copying<'_>, files: &Files) -> DetachedBackup {
    let Copying { name, reason, plan, made, .. } = copying;
    let named = |previous: &DetachedBackup| PreviousBackup {
        name: previous.name.clone(),
        target: previous.target,
    };
    let below = files.previous.iter().flat_map(|previous| &previous.files);
    let listed: Vec<_> = below.chain(&files.written).cloned().collect();
    DetachedBackup {
        format: BACKUP_FORMAT,
        name: name.to_owned(),
        database: plan.database,
        table: plan.table,
        table_name: plan.table_name.clone(),
        target: plan.target,
        made,
        reason: reason.map(str::to_owned),
        previous: files.previous.as_ref().map(named),
        written_bytes: Some(bytes(&files.written)),
        rows: listed.iter().map(|file| file.rows).sum(),
        bytes: bytes(&listed),
        files: listed,
    }
}

/// What a restore of a backup reads, by its list alone, which `manifest` repeats.
fn plan_files(
    backup: &DetachedBackup,
    manifest: &Manifest,
    selection: &Selection,
) -> Result<RestorePlan> {
    let planned = plan(PlanInputs {
        manifest,
        segments: &[],
        table: backup.table,
        table_name: &backup.table_name,
        history_first: backup.base().seq,
        starts_empty: false,
        earliest: None,
        target: backup.covered(),
        selection,
    })?;
    // Nothing happened to the table between what is covered and the target.
    Ok(RestorePlan { target: backup.target, ..planned })
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
    let backups = match read_backups(remote).await {
        // Which files it needs is not known, so all stay.
        Err(TierError::Corrupt { .. } | TierError::Unsupported(_)) => return Ok(None),
        read => read?,
    };
    let listed: BTreeSet<_> =
        backups.iter().flat_map(|backup| &backup.files).map(|file| &file.name).collect();
    let is_orphan = |name: &String| names::parse_history(name).is_some() && !listed.contains(name);
    let orphans: Vec<_> = files.into_iter().map(|object| object.name).filter(is_orphan).collect();
    let dead = leases.into_iter().map(|held| held.name);
    let gone: Vec<_> = orphans.iter().cloned().chain(dead).collect();
    remote.delete(&gone).await?;
    Ok(Some(orphans.len()))
}

fn not_found(name: &str, names: &[String]) -> Error {
    let near = near_names(name, names.iter().map(String::as_str));
    let near = near.into_iter().map(str::to_owned).collect();
    Error::BackupNotFound { name: name.to_owned(), near }
}

async fn read_backups(remote: &RemoteLog) -> Result<Vec<DetachedBackup>, TierError> {
    let mut backups = Vec::new();
    for name in remote.list_backups().await? {
        backups.extend(remote.backup(&name).await?);
    }
    Ok(backups)
}
