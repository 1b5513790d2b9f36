//! The settings of a database: plain data, checked once when it is opened.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use foldback_compactor::{HISTORY_CACHE_BYTES_DEFAULT, Policy};
use foldback_log_tier::remote::RemoteOptions;

use crate::clock::{Clock, SystemClock};
use crate::{Costs, Error, Result};

/// Longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 4 * 1024;
/// Longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most bytes of keys and values in one batch.
pub const BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most events in one batch: with what the log adds to each, 17 bytes, and [`BATCH_BYTES_MAX`] of
/// keys and values, a batch still fits a frame.
pub const BATCH_EVENTS_MAX: usize = 900_000;
/// Longest table name, in bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// Longest text that says who asked for something, or why, in bytes.
pub const TEXT_BYTES_MAX: usize = 1024;

/// How long a shorter retention waits, unless the settings say otherwise: a day.
const SHORTENING_UNDO: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest that it may wait: a year.
const SHORTENING_UNDO_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How often it is looked whether a scheduled backup is due, unless the settings say otherwise.
const SCHEDULES_WAIT: Duration = Duration::from_secs(60);

/// When a write counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Acknowledged means: on stable storage (fdatasync). It survives a power cut.
    #[default]
    Synced,
    /// Acknowledged means: handed to the operating system. It survives a crash of the process; a
    /// power cut may lose the newest commits, whole and from the end.
    Buffered,
}

/// The settings of a database.
#[derive(Clone, Debug)]
pub struct Config {
    /// The local directory: log, present, and the bucket where none is configured.
    pub directory: PathBuf,
    /// Whether a database is made where there is none.
    pub create_if_missing: bool,
    /// URL of the bucket, such as `s3://bucket/prefix`; `None` is `bucket` in the directory.
    pub bucket: Option<String>,
    /// How the bucket is reached.
    pub remote: RemoteOptions,
    /// When a write counts as done, unless the write says otherwise.
    pub durability: Durability,
    /// A segment is rolled before it grows past this many bytes.
    pub segment_bytes_max: u64,
    /// A segment with something in it is rolled and sealed once it is this old.
    pub segment_age_max: Duration,
    /// Memory for blocks of the present that were read.
    pub block_cache_bytes: u64,
    /// Memory for decoded pieces of history that views have read.
    pub history_cache_bytes: u64,
    /// Memory for events that the present holds unflushed, over all tables.
    pub memtable_bytes_max: u64,
    /// Whether this process merges, folds, expires and sweeps; if not, another one is to.
    pub compactor: bool,
    /// When history is merged and folded, and how long what is not needed stays.
    pub policy: Policy,
    /// How long a shorter retention waits before it takes effect, so that it can be taken back; at
    /// most a year.
    pub shortening_undo: Duration,
    /// How often an open database looks whether a scheduled backup is due; the first time when
    /// this has passed.
    pub schedules_wait: Duration,
    /// What the bucket charges and how fast it answers, by which restores are estimated; `None` is
    /// [`Costs::of_bucket`].
    pub costs: Option<Costs>,
    /// Where commits get their time from.
    pub clock: Arc<dyn Clock>,
}

impl Config {
    /// The default settings for a database in `directory`.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            create_if_missing: true,
            bucket: None,
            remote: RemoteOptions::default(),
            durability: Durability::default(),
            segment_bytes_max: 64 * 1024 * 1024,
            segment_age_max: Duration::from_secs(10),
            block_cache_bytes: 64 * 1024 * 1024,
            history_cache_bytes: HISTORY_CACHE_BYTES_DEFAULT,
            memtable_bytes_max: 64 * 1024 * 1024,
            compactor: true,
            policy: Policy::default(),
            shortening_undo: SHORTENING_UNDO,
            schedules_wait: SCHEDULES_WAIT,
            costs: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// The same settings with this bucket.
    #[must_use]
    pub fn bucket(mut self, url: impl Into<String>) -> Self {
        self.bucket = Some(url.into());
        self
    }

    /// Refuses settings that can't work; repairs none.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with the setting, what it is and what it may be.
    pub(crate) fn check(&self) -> Result<()> {
        let bounds = [
            ("segment_bytes_max", self.segment_bytes_max, 4 * 1024, 4 << 30),
            ("memtable_bytes_max", self.memtable_bytes_max, 64 * 1024, 1 << 40),
            ("block_cache_bytes", self.block_cache_bytes, 0, 1 << 40),
        ];
        for (name, value, least, most) in bounds {
            check_bytes(name, value, (least, most))?;
        }
        check_history_cache_bytes(self.history_cache_bytes)?;
        self.policy.check().map_err(Error::Invalid)?;
        self.costs.as_ref().map_or(Ok(()), Costs::check)?;
        if self.shortening_undo > SHORTENING_UNDO_MAX {
            return Err(Error::Invalid(format!(
                "setting shortening_undo is {} seconds, it may be at most {}",
                self.shortening_undo.as_secs(),
                SHORTENING_UNDO_MAX.as_secs()
            )));
        }
        if self.schedules_wait.is_zero() {
            return Err(Error::Invalid("setting schedules_wait must be over zero".to_owned()));
        }
        if self.segment_age_max.is_zero() {
            return Err(Error::Invalid("setting segment_age_max must be over zero".to_owned()));
        }
        Ok(())
    }
}

/// Refuses a text that is too long for a record of the catalog.
pub(crate) fn check_text(what: &str, text: Option<&str>) -> Result<()> {
    match text.map_or(0, str::len) {
        bytes if bytes > TEXT_BYTES_MAX => Err(Error::Invalid(format!(
            "{what} has {bytes} bytes, {TEXT_BYTES_MAX} is the most; nothing was changed"
        ))),
        _ => Ok(()),
    }
}

/// Refuses a bound of the memory for decoded history that can't be one.
pub(crate) fn check_history_cache_bytes(bytes: u64) -> Result<()> {
    check_bytes("history_cache_bytes", bytes, (0, 1 << 40))
}

fn check_bytes(name: &str, value: u64, (least, most): (u64, u64)) -> Result<()> {
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(Error::Invalid(format!(
            "setting {name} is {value}, it may be from {least} to {most} bytes"
        ))),
    }
}
