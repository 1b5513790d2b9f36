//! Storage: what a long run of updates costs to keep, in bytes uploaded and in bytes held.
//!
//! Time is simulated, so that many retentions pass in seconds: each batch is stamped some time
//! after the one before, and everything that hangs on time, as expiry does, sees that clock.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use foldback::log_tier::history::FileKind;
use foldback::{
    BucketReader, Clock, Config, Database, Durability, ManualClock, Retention, SystemClock,
    Timestamp, WriteBatch, WriteOptions,
};

use crate::{Result, Spread, Updates};

/// Events of one batch.
const BATCH_EVENTS: u64 = 100;
/// Batches between two seals: a segment is due by its age.
const BATCHES_PER_SEAL: u64 = 50;
/// The table.
const TABLE: &str = "storage";

/// What to measure.
#[derive(Clone, Debug)]
pub struct StorageOptions {
    /// Where the database is made.
    pub directory: PathBuf,
    /// The bucket's URL; `None` is a directory beside the data.
    pub bucket: Option<String>,
    /// Options of the bucket's store.
    pub store_options: BTreeMap<String, String>,
    /// Keys of the table.
    pub keys: u64,
    /// Bytes of a value.
    pub value_bytes: usize,
    /// How many updates each key gets, on average.
    pub updates_per_key: u64,
    /// Which keys are updated how often.
    pub spread: Spread,
    /// How many retentions long all of it takes.
    pub retentions: u64,
    /// Determines all keys and values.
    pub seed: u64,
}

/// What the bucket held at one moment of the run, by what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoragePoint {
    /// Simulated seconds since the run began.
    pub secs: u64,
    /// Bytes of bases: states.
    pub base_bytes: u64,
    /// Bytes of deltas: changes.
    pub delta_bytes: u64,
    /// Bytes that nothing needs any more and that were not deleted yet.
    pub removed_bytes: u64,
    /// Bytes of the deltas that were sealed until then.
    pub sealed_bytes: u64,
    /// Bytes that were uploaded until then.
    pub uploaded_bytes: u64,
}

/// What was measured, at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageRow {
    /// Events that were written.
    pub events: u64,
    /// Bytes of the deltas that were sealed.
    pub sealed_bytes: u64,
    /// Bytes that were uploaded, manifests and all.
    pub uploaded_bytes: u64,
    /// Bytes of the newest base: the state.
    pub state_bytes: u64,
    /// Bytes of the deltas of the last retention: the compressed changes of the window.
    pub window_bytes: u64,
    /// Bytes of all history files in the bucket, whatever for.
    pub held_bytes: u64,
    /// What it held meanwhile.
    pub points: Vec<StoragePoint>,
}

/// The retention of the table, in seconds: a day.
const RETENTION_SECS: u64 = 86_400;

/// Writes, seals and tidies for as long as the options say.
///
/// # Errors
///
/// What the engine fails with.
pub fn storage(options: &StorageOptions, watch: &mut dyn FnMut()) -> Result<StorageRow> {
    let span = i64::try_from(RETENTION_SECS * options.retentions).unwrap_or(i64::MAX / 2_000_000);
    // It ends now: the store's own clock is real, and expiry goes by the earlier of the two.
    let start = Timestamp(SystemClock.now().0 - span * 1_000_000);
    let clock = Arc::new(ManualClock::new(start));
    let mut config = Config::new(options.directory.join("data"));
    config.bucket.clone_from(&options.bucket);
    config.remote.store_options = options.store_options.clone();
    config.durability = Durability::Buffered;
    config.clock = Arc::clone(&clock) as Arc<dyn Clock>;
    // Of the store's clock, next to none of that time passes.
    config.policy.grace_micros = 0;
    let database = Database::open(config.clone())?;
    let table = database.create_table(TABLE)?.id();
    database.protect(TABLE, Retention::Secs(RETENTION_SECS))?;
    let mut updates = Updates::new(options.seed, options.keys, options.value_bytes, options.spread);
    let mut batch = WriteBatch::new();
    for (key, value) in updates.load() {
        batch.put(table, key, value);
    }
    database.write(batch, WriteOptions::default()).wait()?;

    let events = options.keys * options.updates_per_key;
    let batches = events.div_ceil(BATCH_EVENTS).max(1);
    let step = span * 1_000_000 / i64::try_from(batches).unwrap_or(i64::MAX);
    let mut points = Vec::new();
    for number in 1..=batches {
        let mut batch = WriteBatch::new();
        for _ in 0..BATCH_EVENTS {
            let (key, value) = updates.update();
            batch.put(table, key, value);
        }
        database.write(batch, WriteOptions::default()).wait()?;
        clock.advance(step);
        if number.is_multiple_of(BATCHES_PER_SEAL) || number == batches {
            database.seal()?;
            database.compact()?;
            points.push(point(&database, clock.now().0 - start.0));
            watch();
        }
    }
    let status = database.status();
    let row = StorageRow {
        events: options.keys + batches * BATCH_EVENTS,
        sealed_bytes: status.sealed_bytes,
        uploaded_bytes: status.uploaded_bytes,
        points,
        ..measured(&database, table, clock.now())
    };
    drop(database);
    let held_bytes = held_bytes(&config)?;
    Ok(StorageRow { held_bytes, ..row })
}

/// Bytes of all history files in a database's bucket: what is listed, what waits for its grace, and
/// what no manifest names.
pub(crate) fn held_bytes(config: &Config) -> Result<u64> {
    let beside = || format!("file://{}", config.directory.join("bucket").display());
    let bucket = config.bucket.clone().unwrap_or_else(beside);
    let reader = BucketReader::open(&bucket, &config.remote, Arc::clone(&config.clock))?;
    let (look, manifest) = (reader.look()?, reader.manifest());
    let listed: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    let removed: u64 = manifest.removed.iter().map(|removed| removed.bytes).sum();
    Ok(listed + removed + look.orphan_bytes)
}

fn point(database: &Database, micros: i64) -> StoragePoint {
    let status = database.status();
    StoragePoint {
        secs: u64::try_from(micros / 1_000_000).unwrap_or_default(),
        base_bytes: status.base_bytes,
        delta_bytes: status.delta_bytes,
        removed_bytes: status.removed_bytes + status.orphan_bytes,
        sealed_bytes: status.sealed_bytes,
        uploaded_bytes: status.uploaded_bytes,
    }
}

/// What the manifest says of the state and of the window.
fn measured(database: &Database, table: foldback::TableId, now: Timestamp) -> StorageRow {
    let manifest = database.manifest();
    let bases = manifest.files.iter().filter(|file| file.is_base_of(table));
    let newest = bases.clone().map(|base| base.last.seq).max();
    let micros = i64::try_from(RETENTION_SECS * 1_000_000).unwrap_or(i64::MAX);
    let horizon = now.saturating_add_micros(-micros);
    let deltas = manifest.files.iter().filter(|file| file.kind == FileKind::Delta);
    let in_window = deltas.filter(|delta| delta.last.timestamp > horizon);
    StorageRow {
        events: 0,
        sealed_bytes: 0,
        uploaded_bytes: 0,
        state_bytes: bases
            .filter(|base| Some(base.last.seq) == newest)
            .map(|base| base.bytes)
            .sum(),
        window_bytes: in_window.map(|delta| delta.bytes).sum(),
        held_bytes: 0,
        points: Vec::new(),
    }
}
