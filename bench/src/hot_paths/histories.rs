//! The histories that the other hot paths read, and the decoding of one.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use foldback::log_tier::history::HistoryTail;
use foldback::log_tier::manifest::HistoryEntry;
use foldback::log_tier::remote::{BucketUrl, RemoteLog, RemoteOptions};
use foldback::{
    Config, Database, Durability, ManualClock, Retention, Seq, Table, Timestamp, WriteBatch,
    WriteOptions,
};
use foldback_compactor::Network;

use super::{EVENTS, HotWork, KEYS, SEED};
use crate::w1::W1Event;
use crate::{Error, Result, W1, W1_BATCH_EVENTS};

/// The table.
pub(super) const TABLE: &str = "hot";
/// Microseconds between two commits: timestamps are the same in every run, and so are the bytes.
const MICROS_A_COMMIT: i64 = 1_000;

/// Settings under which nothing happens but what is measured.
pub(super) fn config(directory: &Path) -> (Config, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp(1_700_000_000_000_000)));
    let config = Config {
        durability: Durability::Buffered,
        compactor: false,
        segment_age_max: std::time::Duration::from_secs(24 * 60 * 60),
        clock: clock.clone(),
        ..Config::new(directory)
    };
    (config, clock)
}

/// The batch of a table that these events make.
pub(super) fn batch_of(table: &Table, events: Vec<W1Event>) -> WriteBatch {
    let mut batch = WriteBatch::new();
    for event in events {
        match event.value {
            Some(value) => batch.put(table.id(), event.key, value),
            None => batch.delete(table.id(), event.key),
        }
    }
    batch
}

/// Writes the events into a new database, sealed into so many delta files, and folded if that is
/// asked for.
pub(super) fn write(directory: &Path, deltas: u64, folds: bool) -> Result<()> {
    let (config, clock) = config(directory);
    let database = Database::open(Config { compactor: folds, ..config })?;
    let table = database.create_table(TABLE)?;
    database.protect(TABLE, Retention::Forever)?;
    let (mut w1, batches) = (W1::new(SEED, KEYS), EVENTS / W1_BATCH_EVENTS);
    for number in 1..=batches {
        clock.advance(MICROS_A_COMMIT);
        database.write(batch_of(&table, w1.batch()), WriteOptions::default()).wait()?;
        if number % (batches / deltas) == 0 {
            database.seal()?;
        }
    }
    match folds {
        true => Ok(database.compact()?),
        false => Ok(()),
    }
}

/// The bucket of a database, and the files of its history.
pub(super) fn bucket_of(
    directory: &Path,
    network: &Network,
) -> Result<(RemoteLog, Vec<Arc<HistoryEntry>>)> {
    let manifest = Database::open(config(directory).0)?.manifest();
    let url = BucketUrl::for_directory(&directory.join("bucket"))?;
    let connecting = async move { RemoteLog::connect(&url, &RemoteOptions::default()).await };
    let remote = network.run(connecting)?;
    Ok((remote, manifest.files.iter().cloned().map(Arc::new).collect()))
}

/// Decodes every row group of the history, all columns, one after the other.
pub(super) fn decoding(directory: &Path) -> Result<HotWork> {
    let network = Network::start().map_err(Error::io("start threads for", directory))?;
    let (remote, files) = bucket_of(directory, &network)?;
    let mut groups: Vec<(Arc<HistoryTail>, u32, Bytes)> = Vec::new();
    for file in files {
        let remote = remote.clone();
        let reading = async move {
            let tail = Arc::new(remote.read_tail(&file).await?);
            let mut groups = Vec::new();
            for group in tail.row_groups() {
                let bytes = remote.read(&file.name, group.range()).await?;
                groups.push((Arc::clone(&tail), group.index, bytes));
            }
            Ok::<_, foldback::log_tier::Error>(groups)
        };
        groups.extend(network.run(reading)?);
    }
    Ok(Box::new(move || {
        let mut newest = Seq::ZERO;
        let mut events = 0;
        for (tail, index, bytes) in &groups {
            let rows = tail.decode_row_group(*index, bytes.clone())?;
            for row in rows.iter() {
                newest = newest.max(row.seq);
                events += 1;
            }
        }
        std::hint::black_box(newest);
        Ok(events)
    }))
}
