//! Compaction: what it takes to tidy a history that nobody has tidied, in memory above all.
//!
//! The history is made here; it is compacted by a process of its own, so that the peak of its
//! memory is not that of the making.

use std::path::PathBuf;
use std::sync::Arc;

use foldback::log_tier::remote::RemoteOptions;
use foldback::{
    BucketCompactor, CompactorConfig, Config, Database, Durability, Policy, Retention, SystemClock,
    WriteBatch, WriteOptions,
};
use serde::{Deserialize, Serialize};

use crate::{BucketChoice, Error, Result, Spread, Updates};

/// Events of one batch.
const BATCH_EVENTS: u64 = 1_000;
/// Batches between two looks at how much was sealed.
const BATCHES_PER_LOOK: u64 = 32;
/// The table.
const TABLE: &str = "compact";
/// Where Linux says what a process takes.
const PROCESS_STATUS: &str = "/proc/self/status";
/// The line of it that says how much memory the process had at most.
const PEAK: &str = "VmHWM:";
/// Where Linux says how long a process has worked, in hundredths of a second.
const PROCESS_TIMES: &str = "/proc/self/stat";
/// Microseconds of one of them.
const TICK_MICROS: u64 = 10_000;

/// The history to make.
#[derive(Clone, Debug)]
pub struct UntidyOptions {
    /// Where the database is made.
    pub directory: PathBuf,
    /// Its bucket.
    pub bucket: BucketChoice,
    /// Keys of the table.
    pub keys: u64,
    /// Bytes of a value.
    pub value_bytes: usize,
    /// The history has at least so many bytes, compressed.
    pub history_bytes: u64,
    /// Size at which segments are rolled: about how much log one delta file holds.
    pub segment_bytes_max: u64,
    /// Determines all keys and values.
    pub seed: u64,
}

/// A history that consists of deltas alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntidyHistory {
    /// URL of the bucket that it is in.
    pub bucket: String,
    /// Bytes of its files.
    pub history_bytes: u64,
}

/// What a compaction took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompactCost {
    /// How many jobs were done.
    pub jobs: u64,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// How long processors worked for this process, in microseconds, where the system tells.
    pub cpu_micros: Option<u64>,
    /// The most memory that this process has had, in bytes, where the system tells.
    pub memory_bytes_max: Option<u64>,
    /// Bytes read from the bucket.
    pub bytes_read: u64,
    /// Bytes uploaded to the bucket.
    pub bytes_written: u64,
}

/// Writes each key once, and then updates until there is as much history as is wanted, without
/// merging or folding any of it.
///
/// # Errors
///
/// What the engine fails with.
pub fn make_untidy(options: &UntidyOptions) -> Result<UntidyHistory> {
    let mut config = Config::new(&options.directory);
    let beside = || format!("file://{}", options.directory.join("bucket").display());
    let bucket = options.bucket.url.clone().unwrap_or_else(beside);
    options.bucket.choose_in(&mut config);
    config.durability = Durability::Buffered;
    config.segment_bytes_max = options.segment_bytes_max;
    config.compactor = false;
    let database = Database::open(config)?;
    let table = database.create_table(TABLE)?.id();
    database.protect(TABLE, Retention::Forever)?;
    let mut updates =
        Updates::new(options.seed, options.keys, options.value_bytes, Spread::Uniform);
    let mut unwritten = 0..options.keys;
    for written in 1_u64.. {
        let mut batch = WriteBatch::new();
        for _ in 0..BATCH_EVENTS {
            let (key, value) = updates.update();
            let key = unwritten.next().map_or(key, Updates::key);
            batch.put(table, key, value);
        }
        database.write(batch, WriteOptions::default()).wait()?;
        let looks = written.is_multiple_of(BATCHES_PER_LOOK);
        if looks && database.status().history_bytes >= options.history_bytes {
            break;
        }
    }
    database.seal()?;
    Ok(UntidyHistory { bucket, history_bytes: database.status().history_bytes })
}

/// Does all that is due in a bucket, and says what that took of this process, which does nothing
/// else.
///
/// # Errors
///
/// What the engine fails with.
pub fn compact_bucket(bucket: &BucketChoice) -> Result<CompactCost> {
    let Some(url) = bucket.url.clone() else {
        return Err(Error::Input("name the bucket to compact with --bucket".to_owned()));
    };
    let began = foldback::steady_now();
    let store_options = bucket.store_options.clone();
    let mut compactor = BucketCompactor::open(&CompactorConfig {
        bucket: url,
        remote: RemoteOptions { store_options, ..RemoteOptions::default() },
        policy: Policy::default(),
        clock: Arc::new(SystemClock),
    })?;
    let jobs = compactor.run(&mut |_| {})?;
    let traffic = compactor.traffic();
    Ok(CompactCost {
        jobs,
        micros: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        cpu_micros: cpu_micros(),
        memory_bytes_max: memory_bytes_max()?,
        bytes_read: traffic.bytes_read,
        bytes_written: traffic.bytes_written,
    })
}

/// The most memory that this process has had; `None` where the system does not tell.
fn memory_bytes_max() -> Result<Option<u64>> {
    let Ok(status) = std::fs::read_to_string(PROCESS_STATUS) else { return Ok(None) };
    let line = status.lines().find_map(|line| line.strip_prefix(PEAK));
    let Some(amount) = line else { return Ok(None) };
    let kibibytes = amount.trim().strip_suffix("kB").and_then(|kib| kib.trim().parse::<u64>().ok());
    let bytes = kibibytes.and_then(|kib| kib.checked_mul(1024));
    let unclear = || Error::Wrong(format!("{PROCESS_STATUS} has {PEAK} {amount:?}"));
    bytes.map(Some).ok_or_else(unclear)
}

/// How long processors worked for this process; `None` where the system does not tell.
fn cpu_micros() -> Option<u64> {
    let times = std::fs::read_to_string(PROCESS_TIMES).ok()?;
    // The second field is the program's name in parentheses, which may hold anything.
    let (_, times) = times.rsplit_once(')')?;
    // Fields 14 and 15 of all: in the program, and in the system for it.
    let ticks = times.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().ok());
    ticks.sum::<Option<u64>>()?.checked_mul(TICK_MICROS)
}

#[cfg(test)]
mod tests;
