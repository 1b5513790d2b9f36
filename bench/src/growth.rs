//! Growth: what a restore costs as history grows while the state keeps its size.

use std::collections::BTreeMap;
use std::path::PathBuf;

use foldback::{
    Config, Database, Durability, KeyRange, Retention, Selection, Seq, Target, WriteBatch,
    WriteOptions,
};

use crate::{Error, Random, Result, Spread, Updates, as_f64};

/// Events of one batch.
const BATCH_EVENTS: u64 = 100;
/// Rows of one batch of the first load.
const LOAD_EVENTS: usize = 10_000;
/// Moments, spread over one state's worth of updates, at which restores are measured.
const MOMENTS: u64 = 8;
/// Keys of the past that are read at each moment, one by one, by a newly opened database.
const VIEW_READS: u64 = 100;
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

/// What was measured with one length of history, over one state's worth of further updates: what a
/// restore reads depends on how long ago the last fold was, so one moment would tell only of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrowthRow {
    /// How many updates each key had before.
    pub updates_per_key: u64,
    /// Events in the history at the end.
    pub events: u64,
    /// Bytes that a restore of the latest state read from the bucket, on a newly opened database:
    /// the mean.
    pub bytes_read: u64,
    /// The most bytes that one read.
    pub bytes_read_max: u64,
    /// Requests that a restore made: the mean.
    pub requests: u64,
    /// Requests that a restore made at each moment.
    pub requests_each: Vec<u64>,
    /// Bytes that a restore read at each moment.
    pub bytes_read_each: Vec<u64>,
    /// How long a restore took: the median, in microseconds.
    pub micros: u64,
    /// How long each restore took, in microseconds.
    pub restore_micros: Vec<u64>,
    /// How long each read of one key took, as of an eighth of the state's worth of updates ago, in
    /// nanoseconds, moment by moment. At each they begin with nothing in memory.
    pub view_read_nanos: Vec<Vec<u64>>,
    /// Requests that all of these reads made.
    pub view_requests: u64,
    /// Bytes of the newest base at the end.
    pub base_bytes: u64,
    /// Bytes of the deltas that were sealed, over all of it.
    pub sealed_bytes: u64,
    /// Bytes uploaded to the bucket, over all of it.
    pub bytes_written: u64,
    /// Bytes of live history files at the end.
    pub history_bytes: u64,
}

impl GrowthRow {
    /// How long a read of the past takes, in nanoseconds: the mean of each moment.
    #[must_use]
    pub fn view_nanos_means(&self) -> Vec<f64> {
        let means = self.view_read_nanos.iter().filter(|nanos| !nanos.is_empty()).map(|nanos| {
            as_f64(nanos.iter().sum()) / as_f64(u64::try_from(nanos.len()).unwrap_or(u64::MAX))
        });
        means.collect()
    }

    /// What 99 in a hundred reads of the past did not take longer than, in nanoseconds.
    #[must_use]
    pub fn view_nanos_p99(&self) -> u64 {
        let mut nanos = self.view_read_nanos.concat();
        nanos.sort_unstable();
        let at = (nanos.len() * 99).div_ceil(100).saturating_sub(1);
        nanos.get(at).copied().unwrap_or_default()
    }

    /// Requests of one read of the past: the mean.
    #[must_use]
    pub fn requests_a_read(&self) -> f64 {
        let reads = u64::try_from(self.view_read_nanos.concat().len()).unwrap_or(u64::MAX);
        as_f64(self.view_requests) / as_f64(reads.max(1))
    }
}

/// Measures a row for each length of history. All histories are written first, and then measured in
/// turn, so that whatever else the machine does strikes them alike; `watch` is told of each history
/// and of each turn, [`growth_steps`] times in all.
///
/// # Errors
///
/// What the engine fails with; [`Error::Wrong`] if a restore does not hold what was written.
pub fn growth(options: &GrowthOptions, watch: &mut dyn FnMut()) -> Result<Vec<GrowthRow>> {
    let mut rows = Vec::new();
    for updates_per_key in &options.updates_per_key {
        let config = config(options, *updates_per_key);
        rows.push((Writing::begin(options, &config, *updates_per_key)?, config, Vec::new()));
        watch();
    }
    for _ in 0..MOMENTS {
        for (writing, config, samples) in &mut rows {
            let past = Past::note(options, writing);
            writing.update(config, options.keys.div_ceil(MOMENTS))?;
            let sample = sample(options, config, &writing.state)?;
            samples.push(Sample { past: past.read(config)?, ..sample });
        }
        watch();
    }
    let updates_per_key = options.updates_per_key.iter();
    let rows = updates_per_key.zip(&rows);
    Ok(rows.map(|(updates, (writing, _, samples))| row(*updates, writing, samples)).collect())
}

/// How often a measurement tells how far it is.
#[must_use]
pub fn growth_steps(options: &GrowthOptions) -> u64 {
    MOMENTS + u64::try_from(options.updates_per_key.len()).unwrap_or(u64::MAX - MOMENTS)
}

fn row(updates_per_key: u64, writing: &Writing, samples: &[Sample]) -> GrowthRow {
    let mean = |of: fn(&Sample) -> u64| samples.iter().map(of).sum::<u64>() / MOMENTS;
    let mut micros: Vec<_> = samples.iter().flat_map(|sample| sample.micros.clone()).collect();
    micros.sort_unstable();
    let last = samples.last().expect("there is more than one moment");
    GrowthRow {
        updates_per_key,
        events: writing.events,
        bytes_read: mean(|sample| sample.bytes_read),
        bytes_read_max: samples.iter().map(|sample| sample.bytes_read).max().unwrap_or_default(),
        requests: mean(|sample| sample.requests),
        requests_each: samples.iter().map(|sample| sample.requests).collect(),
        bytes_read_each: samples.iter().map(|sample| sample.bytes_read).collect(),
        micros: micros[micros.len() / 2],
        restore_micros: micros,
        view_read_nanos: samples.iter().map(|sample| sample.past.nanos.clone()).collect(),
        view_requests: samples.iter().map(|sample| sample.past.requests).sum(),
        base_bytes: last.base_bytes,
        sealed_bytes: writing.sealed_bytes,
        bytes_written: writing.bytes_written,
        history_bytes: last.history_bytes,
    }
}

/// What restores cost at one moment.
struct Sample {
    bytes_read: u64,
    requests: u64,
    micros: Vec<u64>,
    base_bytes: u64,
    history_bytes: u64,
    past: PastReads,
}

/// What reads of the past cost at one moment.
#[derive(Default)]
struct PastReads {
    nanos: Vec<u64>,
    requests: u64,
}

/// A moment of the past, and what some keys held then.
struct Past {
    seq: Seq,
    held: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Past {
    /// Notes what keys from all over the table hold now.
    fn note(options: &GrowthOptions, writing: &Writing) -> Self {
        let mut random = Random::new(options.seed ^ writing.events);
        let keys = (0..VIEW_READS).map(|_| Updates::key(random.below(options.keys)));
        let held = keys.map(|key| {
            let value = writing.state[&key].clone();
            (key, value)
        });
        Self { seq: writing.tip, held: held.collect() }
    }

    /// Opens the database anew, and reads the keys as they were.
    fn read(&self, config: &Config) -> Result<PastReads> {
        let database = Database::open(config.clone())?;
        let view = database.table(TABLE)?.as_of(Target::Seq(self.seq))?;
        let before = database.traffic().requests();
        let mut reads = PastReads::default();
        for (key, value) in &self.held {
            let began = foldback::steady_now();
            let found = view.get(key)?;
            reads.nanos.push(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
            if found.as_deref() != Some(value) {
                let key = key.escape_ascii();
                return Err(Error::Wrong(format!("commit {} differs at {key}", self.seq.0)));
            }
        }
        reads.requests = database.traffic().requests() - before;
        Ok(reads)
    }
}

/// Opens the database anew and restores the latest state some times, the first of which counts for
/// bytes and requests: nothing of the history is in memory then.
fn sample(options: &GrowthOptions, config: &Config, state: &State) -> Result<Sample> {
    let database = Database::open(config.clone())?;
    let (before, status) = (database.traffic(), database.status());
    let mut sample = Sample {
        bytes_read: 0,
        requests: 0,
        micros: Vec::new(),
        base_bytes: newest_base_bytes(&database)?,
        history_bytes: status.history_bytes,
        past: PastReads::default(),
    };
    for at in 0..options.restores.max(1) {
        let began = foldback::steady_now();
        let plan = database.plan(TABLE, Target::Latest, &Selection::all())?;
        let name = format!("restored-{at}");
        database.restore(&plan, &name)?;
        sample.micros.push(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
        if at == 0 {
            let after = database.traffic();
            sample.bytes_read = after.bytes_read - before.bytes_read;
            sample.requests = after.gets - before.gets;
            check(&database, &name, state)?;
        }
        database.drop_table(&name)?;
    }
    Ok(sample)
}

fn newest_base_bytes(database: &Database) -> Result<u64> {
    let (manifest, table) = (database.manifest(), database.table(TABLE)?.id());
    let bases = manifest.files.iter().filter(|file| file.is_base_of(table));
    let newest = bases.clone().map(|base| base.last.seq).max();
    Ok(bases.filter(|base| Some(base.last.seq) == newest).map(|base| base.bytes).sum())
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

/// The workload as it goes on, from one opening of the database to the next.
struct Writing {
    updates: Updates,
    state: State,
    events: u64,
    /// The last commit.
    tip: Seq,
    sealed_bytes: u64,
    bytes_written: u64,
}

impl Writing {
    /// Writes every key once, and then the updates.
    fn begin(options: &GrowthOptions, config: &Config, updates_per_key: u64) -> Result<Self> {
        let mut updates =
            Updates::new(options.seed, options.keys, options.value_bytes, Spread::Uniform);
        let state = updates.load();
        let database = Database::open(config.clone())?;
        let table = database.create_table(TABLE)?.id();
        database.protect(TABLE, Retention::Forever)?;
        let rows: Vec<_> = state.iter().collect();
        for rows in rows.chunks(LOAD_EVENTS) {
            let mut batch = WriteBatch::new();
            for (key, value) in rows {
                batch.put(table, key.to_vec(), value.to_vec());
            }
            database.write(batch, WriteOptions::default()).wait()?;
        }
        drop(database);
        let (events, tip, sealed_bytes, bytes_written) = (options.keys, Seq::ZERO, 0, 0);
        let mut writing = Self { updates, state, events, tip, sealed_bytes, bytes_written };
        writing.update(config, options.keys * updates_per_key)?;
        Ok(writing)
    }

    /// Writes so many updates more, seals them, and has history tidied.
    fn update(&mut self, config: &Config, events: u64) -> Result<()> {
        let database = Database::open(config.clone())?;
        let table = database.table(TABLE)?.id();
        let mut left = events;
        while left > 0 {
            let mut batch = WriteBatch::new();
            for _ in 0..BATCH_EVENTS.min(left) {
                let (key, value) = self.updates.update();
                batch.put(table, key.clone(), value.clone());
                self.state.insert(key, value);
                left -= 1;
            }
            database.write(batch, WriteOptions::default()).wait()?;
        }
        self.events += events;
        self.tip = database.status().tip.seq;
        database.seal()?;
        database.compact()?;
        let status = database.status();
        self.sealed_bytes += status.sealed_bytes;
        self.bytes_written += status.uploaded_bytes;
        Ok(())
    }
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
