//! Opening: directory and bucket are matched, the log is replayed, and the threads are started.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use foldback_compactor::{HistoryReader, Network, Pace, Publisher};
use foldback_log_tier::fs::{Fs, FsLock, OsFs};
use foldback_log_tier::local_log::{LocalLog, LocalLogOptions};
use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::remote::{BucketUrl, RemoteLog};
use foldback_log_tier::{Commit, DatabaseId, WriterId, names};

use super::create::{bucket_url, lock_directory, match_bucket, refuse_backups};
use super::replay::{Rebuild, Replayed, replay};
use super::schedules::SchedulesAtWork;
use super::{Database, Inner, Opening};
use crate::background::{Background, BackgroundParts};
use crate::catalog::Catalog;
use crate::config::Config;
use crate::health::Health;
use crate::identity::{DirectoryState, Identity};
use crate::log_writer::{LogWriter, LogWriterParts};
use crate::present::{Flusher, Present, TreeResources};
use crate::upkeep::{Accounts, Tools};
use crate::{Error, Result, TableRecord};

pub(super) fn open(config: Config) -> Result<Database> {
    config.check()?;
    let fs: Arc<dyn Fs> = Arc::new(OsFs);
    if !config.create_if_missing && !config.directory.join(names::IDENTITY).exists() {
        return Err(no_database(&config));
    }
    let place = lock_directory(&*fs, &config)?;
    let recorded = Identity::read(&*fs, &config.directory)?;
    let url = bucket_url(&config, recorded.as_ref())?;
    if let Some(identity) = recorded.as_ref().filter(|_| url.is_missing_directory()) {
        // Connecting would make the directory, and hide that it is another one or gone.
        match_bucket(&config, &url, Some(identity.clone()), None)?;
    }
    let network = start_network()?;
    let remote = reach(&network, &url, &config)?;
    let newest = newest_manifest(&network, &remote)?;
    let identity = match_bucket(&config, &url, recorded, newest.as_ref())?;
    if newest.is_none() {
        refuse_backups(&network, &remote)?;
    }
    probe(&network, &remote)?;
    let (before, writer) = (newest.as_ref().map(|newest| newest.writer), WriterId::random());
    let identity = identity.about_to_publish(before, writer);
    identity.write(&*fs, &config.directory)?;
    // A directory that is ready stays so: only one that was being created is written once more.
    let is_ready = identity.state == DirectoryState::Ready;
    let ready = Identity { state: DirectoryState::Ready, ..identity.clone() };
    let directory = config.directory.clone();
    let ground_fs = Arc::clone(&fs);
    let ground = Ground { config, fs, place, url, network, remote, newest, identity, writer };
    let (database, lost) = start(ground)?;
    assert!(lost.is_empty(), "only a recovery may lose tables");
    if !is_ready {
        ready.write(&*ground_fs, &directory)?;
    }
    Ok(database)
}

/// Why there is no database to open: the bucket may hold one that is to be recovered. Nothing is
/// made or changed to find out.
fn no_database(config: &Config) -> Error {
    let directory = config.directory.display().to_string();
    let newest = || -> Result<Option<Error>> {
        let url = bucket_url(config, None)?;
        if url.is_missing_directory() {
            return Ok(None);
        }
        let network = start_network()?;
        let newest = newest_manifest(&network, &reach(&network, &url, config)?)?;
        Ok(match_bucket(config, &url, None, newest.as_ref()).err())
    };
    match newest() {
        Ok(None) => Error::NoDatabase { directory },
        Ok(Some(error)) | Err(error) => error,
    }
}

/// Everything that is known once directory and bucket are matched.
pub(super) struct Ground {
    pub(super) config: Config,
    pub(super) fs: Arc<dyn Fs>,
    pub(super) place: Box<dyn FsLock>,
    pub(super) url: BucketUrl,
    pub(super) network: Network,
    pub(super) remote: RemoteLog,
    pub(super) newest: Option<Manifest>,
    pub(super) identity: Identity,
    pub(super) writer: WriterId,
}

pub(crate) fn start_network() -> Result<Network> {
    Network::start().map_err(|error| {
        Error::Invalid(format!("the operating system gives no threads for the network: {error}"))
    })
}

/// Connects to the bucket.
pub(super) fn reach(network: &Network, url: &BucketUrl, config: &Config) -> Result<RemoteLog> {
    let (url, options) = (url.clone(), config.remote.clone());
    Ok(network.run(async move { RemoteLog::connect(&url, &options).await })?)
}

/// Makes sure that the bucket's conditional puts work.
pub(super) fn probe(network: &Network, remote: &RemoteLog) -> Result<()> {
    let remote = remote.clone();
    Ok(network.run(async move { remote.probe().await })?)
}

pub(crate) fn newest_manifest(network: &Network, remote: &RemoteLog) -> Result<Option<Manifest>> {
    let remote = remote.clone();
    Ok(network.run(async move { remote.newest_manifest().await })?)
}

/// Opens the log, an epoch, and the present, and starts the threads. Returns also the tables that
/// could not be brought back, of which there are none unless the directory is recovered.
pub(super) fn start(ground: Ground) -> Result<(Database, Vec<TableRecord>)> {
    let Ground { config, fs, place, url, network, remote, newest, identity, writer } = ground;
    let manifest = newest.unwrap_or_else(|| Manifest::empty(identity.database));
    // What does not fit is refused before anybody is fenced; a recovery has no log yet.
    let known = match identity.state {
        DirectoryState::Recovering => None,
        _ => Some(open_log(&fs, &config, &manifest, &identity)?),
    };
    let (epoch_remote, now) = (remote.clone(), config.clock.now());
    let opened = network
        .run(async move { Publisher::open_epoch(epoch_remote, manifest, writer, now).await });
    let publisher = Arc::new(opened?);
    // Until it was fenced, another process may have sealed more: this is what history has come to.
    let manifest = publisher.newest();
    let (log, torn_bytes) = match known {
        Some(known) => known,
        None => open_log(&fs, &config, &manifest, &identity)?,
    };
    check_log_meets_history(&config, &log, &manifest)?;

    let network = Arc::new(network);
    let history = Arc::new(HistoryReader::new(remote, identity.database));
    history.set_cache_bytes(config.history_cache_bytes);
    let resources = TreeResources::new(config.block_cache_bytes);
    let present_directory = config.directory.join(names::PRESENT_DIRECTORY);
    fs.create_directory(&present_directory)?;
    let present = Arc::new(Present::new(present_directory, resources));
    let rebuild = Rebuild {
        present: &present,
        publisher: &publisher,
        history: &history,
        network: &network,
        memtable_bytes_max: config.memtable_bytes_max,
    };
    let replayed = replay(&rebuild, &log, identity.state)?;
    let Replayed { catalog, commits: replayed_commits, rebuilt_tables, lost_tables } = replayed;

    let opening = Opening { torn_bytes, replayed_commits, rebuilt_tables };
    let inner = start_threads(Standing {
        config,
        place,
        url,
        id: identity.database,
        log,
        catalog,
        present,
        publisher,
        history,
        network,
        opening,
    });
    let database = Database { _keeper: None, inner: Arc::new(inner) };
    database.delete_unfinished_backups()?;
    Ok((database.with_schedules_kept(), lost_tables))
}

/// Everything that is up to date, before the threads are started.
struct Standing {
    config: Config,
    place: Box<dyn FsLock>,
    url: BucketUrl,
    id: DatabaseId,
    log: LocalLog,
    catalog: Catalog,
    present: Arc<Present>,
    publisher: Arc<Publisher>,
    history: Arc<HistoryReader>,
    network: Arc<Network>,
    opening: Opening,
}

fn start_threads(standing: Standing) -> Inner {
    let Standing { config, present, publisher, history, network, .. } = standing;
    let health = Arc::new(Health::default());
    let (segment_sealed, told) = crossbeam_channel::bounded(1);
    // Segments that were sealed before the last process ended are work already.
    let _ = segment_sealed.try_send(());
    let next_table = AtomicU64::new(standing.catalog.next_id().0);
    let flusher = Flusher::start(Arc::clone(&present), Arc::clone(&health));
    let pace = Arc::new(Pace::new(crate::clock::steady_now));
    let (writer, log) = LogWriter::start(LogWriterParts {
        pace: Arc::clone(&pace),
        log: standing.log,
        catalog: Arc::new(standing.catalog),
        present: Arc::clone(&present),
        health: Arc::clone(&health),
        clock: Arc::clone(&config.clock),
        segment_age_max: config.segment_age_max,
        memtable_bytes_max: config.memtable_bytes_max,
        segment_sealed,
    });
    let tools = Arc::new(Tools {
        publisher: Arc::clone(&publisher),
        history: Arc::clone(&history),
        network: Arc::clone(&network),
        clock: Arc::clone(&config.clock),
        policy: config.policy,
        accounts: Accounts::default(),
        pace,
    });
    let parts = BackgroundParts {
        tools: Arc::clone(&tools),
        present: Arc::clone(&present),
        log: Arc::clone(&log),
        to_writer: Arc::clone(writer.desk()),
        health: Arc::clone(&health),
        does_upkeep: config.compactor,
    };
    Inner {
        background: Background::start(parts, told),
        tools,
        writer,
        _flusher: flusher,
        log,
        present,
        publisher,
        history,
        network,
        health,
        schedules: SchedulesAtWork::default(),
        next_table,
        id: standing.id,
        bucket: standing.url,
        config,
        opening: standing.opening,
        _lock: standing.place,
    }
}

fn open_log(
    fs: &Arc<dyn Fs>,
    config: &Config,
    manifest: &Manifest,
    identity: &Identity,
) -> Result<(LocalLog, u64)> {
    let directory = config.directory.join(names::LOG_DIRECTORY);
    fs.create_directory(&directory)?;
    let holds_segments = fs.list(&directory)?.iter().any(|n| names::parse_segment(n).is_some());
    if identity.state == DirectoryState::Ready && !holds_segments {
        return Err(Error::Lost(format!(
            "{} holds no segment, although its database had been opened before; commits that were \
             not sealed are gone with it; nothing was changed; run `recover` into an empty \
             directory to get back everything up to seq {}",
            directory.display(),
            manifest.sealed.seq,
        )));
    }
    let options = LocalLogOptions { segment_bytes_max: config.segment_bytes_max };
    let origin = manifest.sealed;
    let (log, opening) =
        LocalLog::open(Arc::clone(fs), &directory, identity.database, origin, options)?;
    if opening.cut_bytes > 0 {
        tracing::warn!(
            bytes = opening.cut_bytes,
            offset = opening.cut_offset,
            segment = ?opening.cut_segment,
            "cut the torn tail of the last segment: a write that was never acknowledged as synced"
        );
    }
    check_log_meets_history(config, &log, manifest)?;
    Ok((log, opening.cut_bytes))
}

/// Refuses a log that ends before history does, or begins after a gap.
fn check_log_meets_history(config: &Config, log: &LocalLog, manifest: &Manifest) -> Result<()> {
    let Commit { seq: sealed, .. } = manifest.sealed;
    let tip = log.tip().seq;
    let directory = config.directory.display();
    if tip < sealed {
        return Err(Error::Lost(format!(
            "the log in {directory} ends at seq {tip}, but the bucket holds history up to seq \
             {sealed}: this directory is older than its bucket; nothing was changed; run \
             `recover` into an empty directory"
        )));
    }
    let first = log.segments().first().map_or(tip.next(), |info| info.first);
    if first > sealed.next() {
        return Err(Error::Lost(format!(
            "the log in {directory} begins at seq {first}, but history ends at seq {sealed}: the \
             commits between are gone; nothing was changed; run `recover` into an empty directory \
             to get back everything up to seq {sealed}"
        )));
    }
    Ok(())
}
