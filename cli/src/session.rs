//! Opening the database or the bucket that the settings name, and saying what that found.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use foldback::log_tier::remote::RemoteOptions;
use foldback::{
    BucketCompactor, BucketReader, CompactorConfig, Config, Database, Drill, Durability, Policy,
    SystemClock, Verifier,
};

use crate::config::{DurabilitySetting, EngineSettings, Settings};
use crate::door::Door;
use crate::error::{Error, Result};
use crate::human::human_bytes;

/// The engine's settings for what the user has set.
pub(crate) fn engine_config(settings: &Settings) -> Result<Config> {
    let mut config = Config::new(settings.require_data()?);
    config.bucket.clone_from(&settings.bucket);
    config.remote.store_options =
        settings.store_options.clone().into_iter().collect::<BTreeMap<_, _>>();
    let engine = &settings.engine;
    if engine.single_writer {
        config.remote.conditional_puts =
            foldback::log_tier::remote::ConditionalPuts::SingleWriterDeclared;
    }
    if let Some(durability) = engine.durability {
        config.durability = match durability {
            DurabilitySetting::Synced => Durability::Synced,
            DurabilitySetting::Buffered => Durability::Buffered,
        };
    }
    config.segment_bytes_max = engine.segment_bytes_max.unwrap_or(config.segment_bytes_max);
    config.block_cache_bytes = engine.block_cache_bytes.unwrap_or(config.block_cache_bytes);
    config.history_cache_bytes = engine.history_cache_bytes.unwrap_or(config.history_cache_bytes);
    config.memtable_bytes_max = engine.memtable_bytes_max.unwrap_or(config.memtable_bytes_max);
    if let Some(secs) = engine.segment_age_max_secs {
        config.segment_age_max = Duration::from_secs(secs);
    }
    if let Some(secs) = engine.shortening_undo_secs {
        config.shortening_undo = Duration::from_secs(secs);
    }
    config.compactor = engine.compactor.unwrap_or(config.compactor);
    config.policy = policy(engine);
    Ok(config)
}

/// When history is merged and folded, and how long what is not needed stays.
fn policy(engine: &EngineSettings) -> Policy {
    let default = Policy::default();
    let micros = |secs: u64| i64::try_from(secs.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    Policy {
        fold_ratio: engine.fold_ratio.unwrap_or(default.fold_ratio),
        fold_bytes_min: engine.fold_bytes_min.unwrap_or(default.fold_bytes_min),
        fold_files_max: engine.fold_files_max.unwrap_or(default.fold_files_max),
        merge_fanout: engine.merge_fanout.unwrap_or(default.merge_fanout),
        file_bytes_target: engine.file_bytes_target.unwrap_or(default.file_bytes_target),
        grace_micros: engine.grace_secs.map_or(default.grace_micros, micros),
    }
}

/// Opens the database, which is made only if the command may make one; what the opening had to mend
/// is said on standard error.
pub(crate) fn open(settings: &Settings, create_if_missing: bool) -> Result<Database> {
    let config = foldback::Config { create_if_missing, ..engine_config(settings)? };
    let database = Database::open(config).map_err(|error| match error {
        // All that an opening can find invalid is its settings.
        foldback::Error::Invalid(_) => Error::Setting(error),
        _ => Error::Engine(error),
    })?;
    let opening = database.opening();
    if opening.torn_bytes > 0 {
        eprintln!(
            "foldback: the last process ended in the middle of a write; {} of it were cut from the \
             end of the log; as far as the log can tell, no write that was acknowledged as synced is \
             among them",
            human_bytes(opening.torn_bytes)
        );
    }
    for table in &opening.rebuilt_tables {
        eprintln!(
            "foldback: the present of {table} was damaged or missing, and was folded again from \
             its history; nothing is lost"
        );
    }
    Ok(database)
}

/// Opens what a command reads history from: the database, or its bucket where no directory is
/// named.
pub(crate) fn open_door(settings: &Settings) -> Result<Door> {
    match (&settings.data, &settings.bucket) {
        (None, Some(url)) => open_bucket(settings, url),
        _ => Ok(Door::Database(open(settings, false)?)),
    }
}

/// Opens a bucket for reading.
pub(crate) fn open_bucket(settings: &Settings, url: &str) -> Result<Door> {
    let reader = BucketReader::open(url, &remote_options(settings, url), Arc::new(SystemClock))?;
    if let Some(bytes) = settings.engine.history_cache_bytes {
        reader.set_history_cache_bytes(bytes).map_err(Error::Setting)?;
    }
    Ok(Door::Bucket(Box::new(reader)))
}

/// Opens a bucket to be verified.
pub(crate) fn open_verifier(settings: &Settings, url: &str) -> Result<Verifier> {
    Ok(Verifier::open(url, &remote_options(settings, url), Arc::new(SystemClock))?)
}

/// Opens a bucket to be drilled, beside whichever process writes to it.
pub(crate) fn open_drill(settings: &Settings, url: &str) -> Result<Drill> {
    refuse_second_writer(settings, "a drill, which publishes what it has proved,")?;
    Ok(Drill::open(url, &remote_options(settings, url), Arc::new(SystemClock))?)
}

/// The bucket, where it is named and no database is.
pub(crate) fn bucket_alone(settings: &Settings) -> Option<&str> {
    settings.bucket.as_deref().filter(|_| settings.data.is_none())
}

/// Opens a bucket for upkeep, beside whichever process writes to it.
pub(crate) fn open_compactor(settings: &Settings, url: &str) -> Result<BucketCompactor> {
    refuse_second_writer(settings, "upkeep")?;
    let config = CompactorConfig {
        bucket: url.to_owned(),
        remote: remote_options(settings, url),
        policy: policy(&settings.engine),
        clock: Arc::new(SystemClock),
    };
    BucketCompactor::open(&config).map_err(|error| match error {
        foldback::Error::Invalid(_) => Error::Setting(error),
        _ => Error::Engine(error),
    })
}

/// Refuses work by a process of its own, which publishes, where only one process may.
fn refuse_second_writer(settings: &Settings, work: &str) -> Result<()> {
    match settings.engine.single_writer {
        false => Ok(()),
        true => Err(Error::usage(format!(
            "single_writer = true says that one process alone writes to the bucket, and {work} by \
             another would be a second; run it with --data while no other process has the database \
             open, or leave it to the one that has"
        ))),
    }
}

fn remote_options(settings: &Settings, url: &str) -> RemoteOptions {
    let mut options = RemoteOptions::default();
    // Options of S3 say nothing about another store.
    if url.starts_with("s3:") {
        options.store_options.clone_from(&settings.store_options);
    }
    options
}
