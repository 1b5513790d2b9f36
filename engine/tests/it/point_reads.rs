//! What a point read of the past asks the bucket for, to the request.

use std::collections::BTreeMap;

use foldback::log_tier::history::FileKind;
use foldback::log_tier::remote::RemoteOptions;
use foldback::{
    BucketReader, Config, Database, Policy, Retention, Seq, SystemClock, Table, Target, View,
    WriteBatch, WriteOptions,
};
use tempfile::TempDir;

use crate::support::{Numbers, State, fast_directory};

/// Keys of the base; between any two lies a key that is never written.
const KEYS: u64 = 12_000;
/// Wide deltas that nobody has merged.
const DELTAS: usize = 6;

/// Nothing is merged or folded.
const UNMERGED: Policy = Policy {
    fold_ratio: 1.0,
    fold_bytes_min: 1 << 30,
    fold_files_max: 64,
    merge_fanout: 64,
    file_bytes_target: 128 << 20,
    grace_micros: 0,
};

/// A base, many deltas over all of its keys, and commits that only the local log has.
struct World {
    scratch: TempDir,
    database: Database,
    table: Table,
    numbers: Numbers,
    state: State,
    /// The last commit of each delta, and the state then.
    sealed: Vec<(Seq, State)>,
}

impl World {
    fn new(deltas: usize) -> Self {
        let scratch = fast_directory();
        let mut config = Config::new(scratch.path().join("data")).bucket(url(&scratch));
        config.policy = UNMERGED;
        let database = Database::open(config).expect("it opens");
        let table = database.create_table("reads").expect("the name is free");
        let (numbers, state) = (Numbers(11), State::new());
        let mut world = Self { scratch, database, table, numbers, state, sealed: Vec::new() };
        world.write((0..KEYS).map(key).collect());
        world.database.protect("reads", Retention::Forever).expect("it is not protected");
        world.database.compact().expect("it makes the base");
        for _ in 0..deltas {
            let keys = (0..600).map(|_| key(world.numbers.below(KEYS)));
            let keys = keys.chain([key(0), key(KEYS - 1)]).collect();
            let seq = world.write(keys);
            world.database.seal().expect("the bucket takes it");
            world.sealed.push((seq, world.state.clone()));
        }
        world.write((0..200).map(|at| key(at * 7)).collect());
        world
    }

    fn write(&mut self, keys: Vec<Vec<u8>>) -> Seq {
        let mut batch = WriteBatch::new();
        for key in keys.into_iter().collect::<std::collections::BTreeSet<_>>() {
            // What compresses to next to nothing has no key filter.
            let digits: String = (0..12).map(|_| format!("{:x}", self.numbers.next())).collect();
            let value = digits.into_bytes();
            batch.put(self.table.id(), key.clone(), value.clone());
            self.state.insert(key, value);
        }
        self.database.write(batch, WriteOptions::default()).wait().expect("it commits").seq
    }

    fn reader(&self) -> BucketReader {
        let clock = std::sync::Arc::new(SystemClock);
        BucketReader::open(&url(&self.scratch), &RemoteOptions::default(), clock).expect("it opens")
    }
}

fn url(scratch: &TempDir) -> String {
    format!("file://{}", scratch.path().join("bucket").display())
}

fn key(number: u64) -> Vec<u8> {
    format!("key/{:08}", number * 2).into_bytes()
}

fn absent(number: u64) -> Vec<u8> {
    format!("key/{:08}", number * 2 + 1).into_bytes()
}

/// Reads keys one after the other; returns how many reads took how many requests.
fn count(
    view: &View<'_>,
    keys: impl Iterator<Item = Vec<u8>>,
    state: &State,
    requests: impl Fn() -> u64,
) -> BTreeMap<u64, u32> {
    let mut counts = BTreeMap::new();
    for key in keys {
        let before = requests();
        let value = view.get(&key).expect("all is sound");
        assert_eq!(value.as_deref(), state.get(&key).map(Vec::as_slice), "{}", key.escape_ascii());
        *counts.entry(requests() - before).or_default() += 1;
    }
    counts
}

#[test]
fn a_warm_point_read_takes_one_request_but_where_a_filter_lets_a_key_pass() {
    let world = World::new(DELTAS);
    let kinds = world.database.manifest().files.iter().map(|file| file.kind).collect::<Vec<_>>();
    assert!(kinds.contains(&FileKind::Base), "{kinds:?}");
    let requests = || world.database.traffic().requests();
    let step = || (0..KEYS).step_by(61);
    for (seq, state) in [&world.sealed[DELTAS - 1], &world.sealed[DELTAS / 2]] {
        let view = world.table.as_of(Target::Seq(*seq)).expect("it is in its window");
        // Whatever the first reads take, the tails are in memory after them.
        count(&view, step().map(key), state, requests);
        let pages = count(&view, step().map(key), state, requests);
        assert_eq!(pages.keys().collect::<Vec<_>>(), [&0], "all of them are in memory");
        // No page is in memory where there may be none.
        let reader = world.reader();
        reader.set_history_cache_bytes(0).expect("it may be none");
        let view = reader.view("reads", Target::Seq(*seq)).expect("it is there");
        let requests = || reader.traffic().requests();
        count(&view, [key(1)].into_iter(), state, requests);
        let present = count(&view, step().map(key), state, requests);
        let gone = count(&view, step().map(absent), state, requests);
        // Each of the filters lets about one key in a hundred pass in vain.
        let in_vain = |counts: &BTreeMap<u64, u32>, most: u64| {
            counts.range(most + 1..).map(|(_, reads)| reads).sum::<u32>()
        };
        assert!(present.range(..1).next().is_none(), "{present:?}");
        assert!(in_vain(&present, 1) <= 20 && in_vain(&present, 2) <= 2, "{present:?}");
        assert!(in_vain(&gone, 0) <= 30 && in_vain(&gone, 1) <= 4, "{gone:?}");
    }
    // What only the local log has takes none.
    let view = world.table.as_of(Target::Latest).expect("it is in its window");
    let in_log = count(&view, (0..200).map(|at| key(at * 7)), &world.state, requests);
    assert_eq!(in_log, BTreeMap::from([(0, 200)]));
}

#[test]
fn a_cold_point_read_takes_a_request_a_file_that_may_hold_the_key_and_one_more() {
    for deltas in [1, DELTAS] {
        let world = World::new(deltas);
        let (seq, state) = &world.sealed[deltas - 1];
        // The base and the deltas above it.
        let files = u64::try_from(deltas).expect("few") + 1;
        for (key, pages) in [(key(1), 1), (key(4_321), 1), (absent(1), 0), (absent(4_321), 0)] {
            let reader = world.reader();
            let view = reader.view("reads", Target::Seq(*seq)).expect("it is there");
            let requests = || reader.traffic().requests();
            let cold = count(&view, [key.clone()].into_iter(), state, requests);
            assert_eq!(cold, BTreeMap::from([(files + pages, 1)]), "{}", key.escape_ascii());
            assert!(deltas > 1 || files + pages <= 3);
        }
    }
}
