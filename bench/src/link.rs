//! Restores over a link: what a distant bucket costs in time, and in requests.

use std::path::PathBuf;

use foldback::log_tier::history::FileKind;
use foldback::{
    Config, Database, Durability, KeyRange, Retention, Selection, Target, WriteBatch, WriteOptions,
};

use crate::{Error, Fingerprint, Result, Spread, Updates, as_f64};

/// The table.
const TABLE: &str = "link";
/// Events of one batch.
const BATCH_EVENTS: usize = 1_000;
/// Bytes that a request may read, of those beyond one for each file.
const BYTES_PER_REQUEST: u64 = 8 << 20;

/// What to measure.
#[derive(Clone, Debug)]
pub struct LinkOptions {
    /// Where the database is made; its bucket is a directory in it.
    pub directory: PathBuf,
    /// Bytes of keys and values of the state.
    pub state_bytes: u64,
    /// Bytes of a value.
    pub value_bytes: usize,
    /// How many updates there are after the first load, in hundredths of the keys.
    pub updates_percent: u64,
    /// What a request waits for its answer, in milliseconds, a case each.
    pub latencies_ms: Vec<u64>,
    /// Bytes that the link carries in a second; none is no bound.
    pub link_bytes_per_sec: Option<u64>,
    /// Restores of each case.
    pub runs: usize,
    /// Determines all keys and values.
    pub seed: u64,
}

/// What restores over a link of one latency took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkRow {
    /// What a request waits for its answer, in milliseconds.
    pub latency_ms: u64,
    /// How long each restore took, plan and all, in microseconds.
    pub micros: Vec<u64>,
    /// Reads of an object or a part of one, of each.
    pub gets: Vec<u64>,
    /// Other requests of each.
    pub other_requests: Vec<u64>,
    /// Bytes that each read.
    pub bytes_read: Vec<u64>,
    /// Files that the plan names.
    pub files: u64,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkCosts {
    /// A row for each latency.
    pub rows: Vec<LinkRow>,
    /// Segments that were sealed while the history was written.
    pub seals: u64,
    /// Writes to the bucket meanwhile.
    pub puts: u64,
    /// Bytes of keys and values that each restore brought back.
    pub state_bytes: u64,
}

impl LinkRow {
    /// How many reads a restore may make: one for each file, and one for each 8 MiB.
    #[must_use]
    pub fn gets_max(&self) -> u64 {
        let bytes = self.bytes_read.iter().copied().max().unwrap_or_default();
        self.files + bytes / BYTES_PER_REQUEST
    }
}

impl LinkCosts {
    /// Writes to the bucket for each seal.
    #[must_use]
    pub fn puts_a_seal(&self) -> f64 {
        as_f64(self.puts) / as_f64(self.seals.max(1))
    }
}

/// Writes a history, and restores its latest state over links of each latency, turn by turn.
///
/// # Errors
///
/// What the engine fails with; [`Error::Wrong`] if a restore does not hold what was written.
pub fn link(options: &LinkOptions) -> Result<LinkCosts> {
    let (expected, state_bytes, (seals, puts)) = write(options)?;
    Database::open(config(options, 0))?.compact()?;
    let row = |latency_ms: &u64| LinkRow { latency_ms: *latency_ms, ..LinkRow::default() };
    let mut rows: Vec<_> = options.latencies_ms.iter().map(row).collect();
    for _ in 0..options.runs.max(1) {
        for row in &mut rows {
            restore(options, row, expected)?;
        }
    }
    Ok(LinkCosts { rows, seals, puts, state_bytes })
}

fn config(options: &LinkOptions, latency_ms: u64) -> Config {
    let mut config = Config::new(options.directory.join("data"));
    config.durability = Durability::Buffered;
    if latency_ms > 0 {
        let latency = ("link_latency_ms".to_owned(), latency_ms.to_string());
        config.remote.store_options.extend([latency]);
    }
    if let Some(bytes) = options.link_bytes_per_sec.filter(|_| latency_ms > 0) {
        let rate = ("link_bytes_per_sec".to_owned(), bytes.to_string());
        config.remote.store_options.extend([rate]);
    }
    config
}

/// Writes the history, sealed and not yet compacted; says what its state is, how large, and how
/// many segments were sealed by how many writes to the bucket.
fn write(options: &LinkOptions) -> Result<(Fingerprint, u64, (u64, u64))> {
    let row_bytes = Updates::key(0).len() + options.value_bytes;
    let keys = options.state_bytes / u64::try_from(row_bytes).unwrap_or(u64::MAX).max(1);
    let keys = keys.max(1);
    let mut updates = Updates::new(options.seed, keys, options.value_bytes, Spread::Uniform);
    let database = Database::open(Config { compactor: false, ..config(options, 0) })?;
    let table = database.create_table(TABLE)?.id();
    database.protect(TABLE, Retention::Forever)?;
    database.seal()?;
    let deltas = || {
        let manifest = database.manifest();
        let deltas = manifest.files.iter().filter(|file| file.kind == FileKind::Delta).count();
        u64::try_from(deltas).unwrap_or(u64::MAX)
    };
    let before = (deltas(), database.traffic().puts);
    let mut state = updates.load();
    let rows: Vec<_> = state.iter().collect();
    for rows in rows.chunks(BATCH_EVENTS) {
        let mut batch = WriteBatch::new();
        for (key, value) in rows {
            batch.put(table, key.to_vec(), value.to_vec());
        }
        database.commit(batch, WriteOptions::default())?;
    }
    let mut left = keys * options.updates_percent / 100;
    while left > 0 {
        let mut batch = WriteBatch::new();
        while left > 0 && batch.len() < BATCH_EVENTS {
            let (key, value) = updates.update();
            batch.put(table, key.clone(), value.clone());
            state.insert(key, value);
            left -= 1;
        }
        database.commit(batch, WriteOptions::default())?;
    }
    database.seal()?;
    let sealed = (deltas() - before.0, database.traffic().puts - before.1);
    let mut expected = Fingerprint::default();
    state.iter().for_each(|(key, value)| expected.add(key, value));
    let bytes: usize = state.iter().map(|(key, value)| key.len() + value.len()).sum();
    Ok((expected, u64::try_from(bytes).unwrap_or(u64::MAX), sealed))
}

/// Restores the latest state once, by a database that has nothing in memory.
fn restore(options: &LinkOptions, row: &mut LinkRow, expected: Fingerprint) -> Result<()> {
    let config = Config { compactor: false, ..config(options, row.latency_ms) };
    let database = Database::open(config)?;
    let before = database.traffic();
    let began = foldback::steady_now();
    let plan = database.plan(TABLE, Target::Latest, &Selection::all())?;
    database.restore(&plan, "restored")?;
    row.micros.push(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
    let after = database.traffic();
    let gets = after.gets - before.gets;
    row.gets.push(gets);
    row.other_requests.push(after.requests() - before.requests() - gets);
    row.bytes_read.push(after.bytes_read - before.bytes_read);
    let mut files: Vec<_> = plan.files().map(|read| read.file.name.as_str()).collect();
    files.sort_unstable();
    files.dedup();
    row.files = u64::try_from(files.len()).unwrap_or(u64::MAX);
    let mut found = Fingerprint::default();
    for restored in database.table("restored")?.range(&KeyRange::all())? {
        let (key, value) = restored?;
        found.add(&key, &value);
    }
    database.drop_table("restored")?;
    match found == expected {
        true => Ok(()),
        false => Err(Error::Wrong(format!(
            "over {} ms {} rows came back, and they are not the {} that were written",
            row.latency_ms, found.rows, expected.rows
        ))),
    }
}
