//! Growth: what a restore costs as history grows while the state keeps its size.

use std::collections::BTreeMap;
use std::path::PathBuf;

use foldback::{
    Config, Database, Durability, KeyRange, Retention, Selection, Target, WriteBatch, WriteOptions,
};

use crate::{Error, Result, Updates};

/// Events of one batch.
const BATCH_EVENTS: u64 = 100;
/// Keys and values of a table.
type State = BTreeMap<Vec<u8>, Vec<u8>>;
/// The table.
const TABLE: &str = "growth";

/// What to measure.
#[derive(Clone, Debug)]
pub struct GrowthOptions {
    /// Where databases are made, one a row.
    pub directory: PathBuf,
    /// The bucket's URL, to which a name is added a row; `None` is a directory beside the data.
    pub bucket: Option<String>,
    /// Options of the bucket's store.
    pub store_options: BTreeMap<String, String>,
    /// Keys of the table.
    pub keys: u64,
    /// Bytes of a value.
    pub value_bytes: usize,
    /// How many updates a key gets, row by row.
    pub updates_per_key: Vec<u64>,
    /// Size at which segments are rolled: about how much log one delta file holds.
    pub segment_bytes_max: u64,
    /// Restores that are timed, of which the median counts.
    pub restores: usize,
    /// Determines all keys and values.
    pub seed: u64,
}

/// What was measured with one length of history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrowthRow {
    /// How many updates each key had.
    pub updates_per_key: u64,
    /// Events in the history.
    pub events: u64,
    /// Bytes that a restore of the latest state read from the bucket, on a newly opened database.
    pub bytes_read: u64,
    /// Requests that it made.
    pub requests: u64,
    /// How long a restore took: the median, in microseconds.
    pub micros: u64,
    /// History files that it read.
    pub files: u64,
    /// Bytes uploaded to the bucket until then.
    pub bytes_written: u64,
    /// Bytes of live history files.
    pub history_bytes: u64,
}

/// Measures a row for each length of history, and tells `watch` of each.
///
/// # Errors
///
/// What the engine fails with; [`Error::Wrong`] if a restore does not hold what was written.
pub fn growth(
    options: &GrowthOptions,
    watch: &mut dyn FnMut(&GrowthRow),
) -> Result<Vec<GrowthRow>> {
    let mut rows = Vec::new();
    for updates_per_key in &options.updates_per_key {
        let row = measure(options, *updates_per_key)?;
        watch(&row);
        rows.push(row);
    }
    Ok(rows)
}

fn measure(options: &GrowthOptions, updates_per_key: u64) -> Result<GrowthRow> {
    let config = config(options, updates_per_key);
    let database = Database::open(config.clone())?;
    let (state, events) = write(options, &database, updates_per_key)?;
    database.seal()?;
    database.compact()?;
    let bytes_written = database.traffic().bytes_written;
    drop(database);

    let database = Database::open(config)?;
    let before = database.traffic();
    let mut row = GrowthRow {
        updates_per_key,
        events,
        bytes_read: 0,
        requests: 0,
        micros: 0,
        files: 0,
        bytes_written,
        history_bytes: database.status().history_bytes,
    };
    let mut micros = Vec::new();
    for at in 0..options.restores.max(1) {
        let began = foldback::steady_now();
        let plan = database.plan(TABLE, Target::Latest, &Selection::all())?;
        let name = format!("restored-{at}");
        database.restore(&plan, &name)?;
        micros.push(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
        if at == 0 {
            let after = database.traffic();
            row.bytes_read = after.bytes_read - before.bytes_read;
            row.requests = after.gets - before.gets;
            row.files = u64::try_from(plan.files().count()).unwrap_or(u64::MAX);
            check(&database, &name, &state)?;
        }
        database.drop_table(&name)?;
    }
    micros.sort_unstable();
    row.micros = micros[micros.len() / 2];
    Ok(row)
}

fn config(options: &GrowthOptions, updates_per_key: u64) -> Config {
    let name = format!("growth-{updates_per_key}");
    let mut config = Config::new(options.directory.join(&name));
    config.bucket =
        options.bucket.as_ref().map(|url| format!("{}/{name}", url.trim_end_matches('/')));
    config.remote.store_options = options.store_options.clone();
    config.durability = Durability::Buffered;
    config.segment_bytes_max = options.segment_bytes_max;
    config
}

/// Writes every key once, and then the updates; returns the state and the number of events.
fn write(
    options: &GrowthOptions,
    database: &Database,
    updates_per_key: u64,
) -> Result<(State, u64)> {
    let table = database.create_table(TABLE)?.id();
    database.protect(TABLE, Retention::Forever)?;
    let mut updates = Updates::new(options.seed, options.keys, options.value_bytes);
    let mut state = updates.load();
    let mut batch = WriteBatch::new();
    for (key, value) in &state {
        batch.put(table, key.clone(), value.clone());
    }
    database.write(batch, WriteOptions::default()).wait()?;
    let events = options.keys * updates_per_key;
    let mut written = 0;
    while written < events {
        let mut batch = WriteBatch::new();
        for _ in 0..BATCH_EVENTS.min(events - written) {
            let (key, value) = updates.update();
            batch.put(table, key.clone(), value.clone());
            state.insert(key, value);
            written += 1;
        }
        database.write(batch, WriteOptions::default()).wait()?;
    }
    Ok((state, options.keys + events))
}

fn check(database: &Database, name: &str, state: &State) -> Result<()> {
    let mut expected = state.iter();
    for row in database.table(name)?.range(&KeyRange::all())? {
        let (key, value) = row?;
        if expected.next() != Some((&key.to_vec(), &value.to_vec())) {
            return Err(Error::Wrong(format!("{name} differs at key {:?}", key.escape_ascii())));
        }
    }
    match expected.next() {
        None => Ok(()),
        Some((key, _)) => Err(Error::Wrong(format!("{name} lacks key {:?}", key.escape_ascii()))),
    }
}
