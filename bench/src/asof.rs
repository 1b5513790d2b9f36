//! As of an instant: what a point read of a table's past costs, without a restore.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use foldback::log_tier::remote::RemoteOptions;
use foldback::{
    BucketReader, Config, Database, Durability, Retention, Seq, SystemClock, TableId, Target, View,
    WriteBatch, WriteOptions,
};

use crate::{Error, Random, Result, Spread, Updates};

/// Events of one batch.
const BATCH_EVENTS: u64 = 1_000;
/// Keys side by side that the warm reads ask for, again and again.
const WARM_KEYS: u64 = 100;
/// Reads of keys from all over the table before any is measured: they read the tails.
const WARM_UP_READS: usize = 200;
/// Readers that are opened for the cold reads, one after the other.
const COLD_READS: usize = 40;
/// The table.
const TABLE: &str = "asof";

/// What to measure.
#[derive(Clone, Debug)]
pub struct AsofOptions {
    /// Where the database is made.
    pub directory: PathBuf,
    /// The bucket's URL; `None` is a directory beside the data.
    pub bucket: Option<String>,
    /// Options of the bucket's store.
    pub store_options: BTreeMap<String, String>,
    /// Events of the table: updates of keys drawn at random.
    pub events: u64,
    /// Keys of the table.
    pub keys: u64,
    /// Bytes of a value.
    pub value_bytes: usize,
    /// Point reads of each kind, but for the cold ones.
    pub gets: usize,
    /// Determines all keys and values.
    pub seed: u64,
}

/// What was measured of reads at the middle of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsofRow {
    /// Events that were written.
    pub events: u64,
    /// Bytes of live history files.
    pub history_bytes: u64,
    /// Requests of a new reader to take a view: the median.
    pub view_requests: u64,
    /// The first read of a view by a new reader.
    pub cold: ReadCost,
    /// Reads of keys near each other, whose pages are in memory.
    pub warm: ReadCost,
    /// Reads of keys from all over the table, more of which than memory keeps.
    pub spread: ReadCost,
    /// Reads of keys from all over the table that never were.
    pub absent: ReadCost,
}

/// What reads of one kind cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCost {
    /// How long they take: the median, in microseconds.
    pub p50_micros: u64,
    /// The 99th percentile.
    pub p99_micros: u64,
    /// The longest.
    pub max_micros: u64,
    /// Requests of one: the median.
    pub requests: u64,
    /// Requests of all.
    pub requests_total: u64,
    /// The most requests of one.
    pub requests_max: u64,
}

/// Keys that are asked for, and what they held at the middle; absent if they had not been written.
type Probes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Writes the history, and measures.
///
/// # Errors
///
/// What the engine fails with; [`Error::Wrong`] if a read does not return what was written.
pub fn asof(options: &AsofOptions) -> Result<AsofRow> {
    let mut config = Config::new(options.directory.join(TABLE));
    config.bucket.clone_from(&options.bucket);
    config.remote.store_options = options.store_options.clone();
    config.durability = Durability::Buffered;
    let mut random = Random::new(options.seed);
    let warm_first = random.below(options.keys.saturating_sub(WARM_KEYS).max(1));
    let warm: Vec<_> =
        (0..WARM_KEYS.min(options.keys)).map(|at| Updates::key(warm_first + at)).collect();
    let spread: Vec<_> =
        (0..options.gets).map(|_| Updates::key(random.below(options.keys))).collect();
    let mut probes: Probes = warm.iter().chain(&spread).map(|key| (key.clone(), None)).collect();
    let (middle, bucket) = write(options, &config, &mut probes)?;
    let cold = Cold::measure(options, &bucket, middle, &spread, &probes)?;

    let database = Database::open(config)?;
    let view = database.table(TABLE)?.as_of(Target::Seq(middle))?;
    let requests = || database.traffic().requests();
    let mut kinds = [ReadSamples::default(), ReadSamples::default(), ReadSamples::default()];
    for key in warm.iter().chain(spread.iter().take(WARM_UP_READS)) {
        ReadSamples::default().read(&view, key, &probes, requests)?;
    }
    // In turns, so that what else the machine does falls on all kinds alike.
    for (warm, spread) in warm.iter().cycle().zip(&spread) {
        let absent = [spread.as_slice(), b"/"].concat();
        for (samples, key) in kinds.iter_mut().zip([warm, spread, &absent]) {
            samples.read(&view, key, &probes, requests)?;
        }
    }
    let [warm, spread, absent] = kinds.map(|samples| samples.cost());
    Ok(AsofRow {
        events: options.events,
        history_bytes: database.manifest().files.iter().map(|file| file.bytes).sum(),
        view_requests: percentile(&cold.view_requests, 50),
        cold: cold.reads.cost(),
        warm,
        spread,
        absent,
    })
}

/// Writes all events, and fills in what the probes held at the middle, which it returns with the
/// bucket's URL.
fn write(options: &AsofOptions, config: &Config, probes: &mut Probes) -> Result<(Seq, String)> {
    let mut updates =
        Updates::new(options.seed, options.keys, options.value_bytes, Spread::Uniform);
    let database = Database::open(config.clone())?;
    let table = database.create_table(TABLE)?.id();
    database.protect(TABLE, Retention::Forever)?;
    let first_half = options.events.div_ceil(2);
    let note = &mut |key: &[u8], value: &[u8]| {
        if let Some(held) = probes.get_mut(key) {
            *held = Some(value.to_vec());
        }
    };
    let middle = write_events(&database, table, first_half, || next(&mut updates, note))?;
    write_events(&database, table, options.events - first_half, || updates.update())?;
    database.seal()?;
    database.compact()?;
    let beside = format!("file://{}", config.directory.join("bucket").display());
    Ok((middle, config.bucket.clone().unwrap_or(beside)))
}

fn next(updates: &mut Updates, note: &mut dyn FnMut(&[u8], &[u8])) -> (Vec<u8>, Vec<u8>) {
    let (key, value) = updates.update();
    note(&key, &value);
    (key, value)
}

/// Writes so many events; returns the last commit.
fn write_events(
    database: &Database,
    table: TableId,
    events: u64,
    mut next: impl FnMut() -> (Vec<u8>, Vec<u8>),
) -> Result<Seq> {
    let (mut left, mut last) = (events, database.status().tip.seq);
    while left > 0 {
        let mut batch = WriteBatch::new();
        for _ in 0..BATCH_EVENTS.min(left) {
            let (key, value) = next();
            batch.put(table, key, value);
        }
        left -= BATCH_EVENTS.min(left);
        last = database.commit(batch, WriteOptions::default())?.seq;
    }
    Ok(last)
}

/// What readers took that had read nothing before.
#[derive(Default)]
struct Cold {
    view_requests: Vec<u64>,
    reads: ReadSamples,
}

impl Cold {
    fn measure(
        options: &AsofOptions,
        bucket: &str,
        middle: Seq,
        keys: &[Vec<u8>],
        probes: &Probes,
    ) -> Result<Self> {
        let mut remote = RemoteOptions::default();
        remote.store_options.clone_from(&options.store_options);
        let mut cold = Self::default();
        for key in keys.iter().take(COLD_READS) {
            let reader = BucketReader::open(bucket, &remote, Arc::new(SystemClock))?;
            let requests = || reader.traffic().requests();
            let opened = requests();
            let view = reader.view(TABLE, Target::Seq(middle))?;
            cold.view_requests.push(requests() - opened);
            cold.reads.read(&view, key, probes, requests)?;
        }
        Ok(cold)
    }
}

/// What each read of one kind took.
#[derive(Default)]
struct ReadSamples {
    micros: Vec<u64>,
    requests: Vec<u64>,
}

impl ReadSamples {
    /// Reads a key, and checks the answer; a key that is no probe never was.
    fn read(
        &mut self,
        view: &View<'_>,
        key: &[u8],
        probes: &Probes,
        requests: impl Fn() -> u64,
    ) -> Result<()> {
        let requests_before = requests();
        let began = foldback::steady_now();
        let value = view.get(key)?;
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.micros.push(micros);
        self.requests.push(requests() - requests_before);
        match probes.get(key).and_then(Option::as_deref) == value.as_deref() {
            true => Ok(()),
            false => Err(Error::Wrong(format!("key {:?} held something else", key.escape_ascii()))),
        }
    }

    fn cost(&self) -> ReadCost {
        ReadCost {
            p50_micros: percentile(&self.micros, 50),
            p99_micros: percentile(&self.micros, 99),
            max_micros: percentile(&self.micros, 100),
            requests: percentile(&self.requests, 50),
            requests_total: self.requests.iter().sum(),
            requests_max: percentile(&self.requests, 100),
        }
    }
}

/// The least value that so many in a hundred do not exceed; 0 of none.
fn percentile(values: &[u64], percent: usize) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}
