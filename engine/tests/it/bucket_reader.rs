//! Reading a bucket from elsewhere, beside the process that writes to it.

mod elsewhere;
mod replaced;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use foldback::log_tier::remote::RemoteOptions;
use foldback::{
    BucketReader, Config, Database, Error, ManualClock, Policy, RestorePlan, Result, Retention,
    Selection, Seq, SystemClock, Table, Target, Timestamp, WriteBatch, WriteOptions,
};
use tempfile::TempDir;

use crate::support::{Numbers, State, collect, fast_directory, planned_rows};

const START: i64 = 1_700_000_000_000_000;
/// The first commit after those that make and protect the table.
const FIRST: u64 = 3;
/// So eager that a few hundred small commits are merged and folded many times.
const EAGER: Policy = Policy {
    fold_ratio: 1.0,
    fold_bytes_min: 1,
    fold_files_max: 64,
    merge_fanout: 3,
    file_bytes_target: 16 * 1024,
    grace_micros: 900_000_000,
};

/// A directory for databases, and the bucket of the first of them.
struct Place {
    scratch: TempDir,
    clock: Arc<ManualClock>,
}

impl Place {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp(START)));
        Self { scratch: fast_directory(), clock }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn url(&self, name: &str) -> String {
        format!("file://{}", self.path(name).display())
    }

    /// Settings of a database in `name` with the bucket `name.bucket`, which seals when it is told
    /// to.
    fn config(&self, name: &str) -> Config {
        let bucket = self.url(&format!("{name}.bucket"));
        let mut config = Config::new(self.path(name)).bucket(bucket);
        config.clock = Arc::clone(&self.clock) as Arc<dyn foldback::Clock>;
        config.segment_age_max = Duration::from_secs(86_400);
        config.policy = EAGER;
        config
    }

    /// A database with a protected table `orders`.
    fn writer(&self) -> (Database, Table) {
        let database = Database::open(self.config("writer")).expect("it opens");
        let table = database.create_table("orders").expect("the name is free");
        database.protect("orders", Retention::Forever).expect("it is not protected");
        (database, table)
    }

    fn reader(&self) -> BucketReader {
        self.open("writer.bucket").expect("it can be read")
    }

    fn open(&self, bucket: &str) -> Result<BucketReader> {
        let clock = Arc::clone(&self.clock) as Arc<dyn foldback::Clock>;
        BucketReader::open(&self.url(bucket), &RemoteOptions::default(), clock)
    }

    /// The paths of the objects in a bucket.
    fn objects(&self, bucket: &str) -> Vec<PathBuf> {
        let mut objects = Vec::new();
        let mut waiting = vec![self.path(bucket)];
        while let Some(directory) = waiting.pop() {
            let entries = std::fs::read_dir(directory).expect("it can be listed");
            let paths = entries.map(|entry| entry.expect("it can be listed").path());
            let (below, files): (Vec<_>, Vec<_>) = paths.partition(|path| path.is_dir());
            waiting.extend(below);
            objects.extend(files);
        }
        objects.sort();
        objects
    }
}

/// Writes the batches, and seals and compacts after every fifth.
fn write(place: &Place, writer: &Database, batches: Vec<WriteBatch>) {
    for (round, batch) in batches.into_iter().enumerate() {
        place.clock.advance(i64::try_from(round % 3).expect("it is small"));
        writer.write(batch, WriteOptions::default()).wait().expect("it commits");
        if round % 5 == 4 {
            writer.seal().expect("the bucket takes it");
            writer.compact().expect("history can be read");
        }
    }
}

fn put(table: &Table, key: &str, value: &str) -> foldback::Commit {
    table.put(key.to_owned(), value.to_owned()).wait().expect("it commits")
}

fn rows_of(reader: &BucketReader, plan: &RestorePlan) -> State {
    collect(reader.plan_rows(plan).expect("the plan is of its database"))
}

fn read(reader: &BucketReader, target: Target) -> Result<State> {
    let plan = reader.plan("orders", target, &Selection::all())?;
    Ok(rows_of(reader, &plan))
}

fn check(reader: &BucketReader, target: Target, expected: &[(&str, &str)]) {
    let rows = read(reader, target).unwrap_or_else(|error| panic!("{target}: {error}"));
    let bytes = |text: &str| text.as_bytes().to_vec();
    let expected: State = expected.iter().map(|(key, value)| (bytes(key), bytes(value))).collect();
    assert_eq!(rows, expected, "{target}");
}

fn check_not_sealed(reader: &BucketReader, target: Target) {
    let answer = read(reader, target);
    assert!(matches!(answer, Err(Error::NotSealed { .. })), "{target}: {answer:?}");
}

/// Batches that only a seed decides, and the state after each.
fn history(table: &Table, rounds: usize) -> Vec<(WriteBatch, State)> {
    let (mut numbers, mut state) = (Numbers(11), State::new());
    let mut history = Vec::new();
    for round in 0..rounds {
        let mut batch = WriteBatch::new();
        for _ in 0..8 {
            let key = format!("key/{:03}", numbers.below(300)).into_bytes();
            if numbers.below(6) == 0 {
                batch.delete(table.id(), key.clone());
                state.remove(&key);
            } else {
                let value = format!("{round}.{}", numbers.next()).repeat(9).into_bytes();
                batch.put(table.id(), key.clone(), value.clone());
                state.insert(key, value);
            }
        }
        history.push((batch, state.clone()));
    }
    history
}

/// The state after a commit, of those after each batch.
fn state_at(states: &[State], seq: Seq) -> State {
    let round = usize::try_from(seq.0).expect("it is small");
    let first = usize::try_from(FIRST).expect("it is small");
    round.checked_sub(first).map_or_else(State::new, |round| states[round].clone())
}

#[test]
fn a_reader_keeps_up_with_a_writer_that_goes_on() {
    let place = Place::new();
    let (writer, table) = place.writer();
    writer.seal().expect("the bucket takes it");
    place.clock.advance(10);
    let (batches, states): (Vec<_>, Vec<_>) = history(&table, 260).into_iter().unzip();
    let reader = place.reader();
    let done = AtomicBool::new(false);
    let mut seen = std::collections::BTreeSet::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            write(&place, &writer, batches);
            done.store(true, Ordering::SeqCst);
        });
        let mut numbers = Numbers(5);
        while !done.load(Ordering::SeqCst) {
            reader.refresh().expect("the bucket answers");
            let sealed = reader.sealed().seq;
            let seq = Seq(2 + numbers.below(sealed.0 - 1));
            let rows = read(&reader, Target::Seq(seq)).expect("it is sealed");
            assert_eq!(rows, state_at(&states, seq), "#{seq} of #{sealed}");
            seen.insert(sealed);
        }
    });
    assert!(seen.len() > 2, "the reader saw only {seen:?}");

    writer.seal().expect("the bucket takes it");
    writer.compact().expect("history can be read");
    reader.refresh().expect("the bucket answers");
    assert!(!reader.refresh().expect("the bucket answers"), "nothing was published since");
    for seq in (FIRST..=reader.sealed().seq.0).step_by(13).map(Seq) {
        let at = writer.resolve("orders", Target::Seq(seq)).expect("it is there").commit.timestamp;
        for target in [Target::Seq(seq), Target::At(at), Target::Before(at)] {
            // The writer answers for instants that only the last commit has, the reader does not.
            if at >= reader.sealed().timestamp && matches!(target, Target::At(_)) {
                continue;
            }
            let resolved = writer.resolve("orders", target).expect("it is there");
            assert_eq!(reader.resolve("orders", target).expect("it is there"), resolved);
            let plan = writer.plan("orders", target, &Selection::all()).expect("it is there");
            let rows = read(&reader, target).expect("it is there");
            assert_eq!(rows, planned_rows(&writer, &plan), "{target}");
            assert_eq!(rows, state_at(&states, resolved.commit.seq), "{target}");
        }
    }
}

#[test]
fn a_reader_changes_nothing_and_fences_nobody() {
    let place = Place::new();
    let (writer, table) = place.writer();
    put(&table, "a", "1");
    writer.seal().expect("the bucket takes it");
    writer.compact().expect("history can be read");
    let (objects, manifest) = (place.objects("writer.bucket"), writer.manifest());
    let reader = place.reader();
    assert_eq!((reader.database(), reader.sealed()), (writer.id(), manifest.sealed));
    assert_eq!(reader.manifest(), manifest);
    assert_eq!(reader.tables(), writer.tables());
    check(&reader, Target::Latest, &[("a", "1")]);
    reader.windows("orders").expect("it is protected");
    reader.refresh().expect("the bucket answers");
    let traffic = reader.traffic();
    assert!(traffic.gets > 0 && traffic.bytes_read > 0, "{traffic:?}");
    assert_eq!((traffic.puts, traffic.deletes), (1, 1), "a lease, while rows were read");
    assert_eq!(place.objects("writer.bucket"), objects);
    put(&table, "b", "2");
    writer.seal().expect("the writer is not fenced");
}

#[test]
fn what_is_sealed_later_is_seen_after_a_refresh() {
    let place = Place::new();
    let (writer, table) = place.writer();
    put(&table, "a", "1");
    writer.seal().expect("the bucket takes it");
    writer.compact().expect("history can be read");
    let reader = place.reader();
    put(&table, "a", "2");
    writer.create_table("later").expect("the name is free");
    assert!(!reader.refresh().expect("the bucket answers"), "nothing was sealed");
    writer.seal().expect("the bucket takes it");
    check(&reader, Target::Latest, &[("a", "1")]);
    assert_eq!(reader.tables().len(), 1);
    let unknown = reader.plan("later", Target::Latest, &Selection::all());
    assert!(matches!(unknown, Err(Error::TableNotFound { .. })), "{unknown:?}");

    assert!(reader.refresh().expect("the bucket answers"));
    check(&reader, Target::Latest, &[("a", "2")]);
    assert_eq!(reader.tables(), writer.tables());
    let unprotected = reader.plan("later", Target::Latest, &Selection::all());
    assert!(matches!(unprotected, Err(Error::NotProtected { .. })), "{unprotected:?}");
}

#[test]
fn an_instant_of_which_not_all_is_sealed_is_refused() {
    // The last sealed commit and the first that is not carry one timestamp: a reader that answered
    // for that instant would miss the second.
    let place = Place::new();
    let (writer, table) = place.writer();
    place.clock.advance(10);
    let first = put(&table, "a", "1");
    writer.seal().expect("the bucket takes it");
    let second = put(&table, "b", "2");
    assert_eq!(first.timestamp, second.timestamp);
    let instant = first.timestamp;
    let (just_before, just_after) =
        (instant.saturating_add_micros(-1), instant.saturating_add_micros(1));

    let reader = place.reader();
    place.clock.advance(1_000);
    check(&reader, Target::At(just_before), &[]);
    check(&reader, Target::Before(instant), &[]);
    check(&reader, Target::Seq(first.seq), &[("a", "1")]);
    check(&reader, Target::Latest, &[("a", "1")]);
    for target in [instant, just_after, Timestamp(START + 500)].map(Target::At) {
        check_not_sealed(&reader, target);
    }
    check_not_sealed(&reader, Target::Before(just_after));
    check_not_sealed(&reader, Target::Seq(second.seq));
    let windows = reader.windows("orders").expect("it is protected");
    assert_eq!((windows[0].last, windows[0].latest), (first.seq, just_before));
    let said = read(&reader, Target::At(instant)).expect_err("it is refused").to_string();
    for text in ["holds commits up to #3, at ", "ask for the latest, for #3", "`seal` at once"] {
        assert!(said.contains(text), "{said}");
    }

    let third = put(&table, "a", "3");
    writer.seal().expect("the bucket takes it");
    assert!(reader.refresh().expect("the bucket answers"));
    check(&reader, Target::At(instant), &[("a", "1"), ("b", "2")]);
    check(&reader, Target::Before(third.timestamp), &[("a", "1"), ("b", "2")]);
    check_not_sealed(&reader, Target::At(third.timestamp));
}

#[test]
fn a_bucket_with_nothing_in_it_is_said_to_be_and_not_made() {
    let place = Place::new();
    let check = |bucket: &str, says: &str| {
        let answer = place.open(bucket);
        let Err(error @ Error::NoHistory { .. }) = answer else { panic!("{bucket}: {answer:?}") };
        let said = error.to_string();
        assert!(said.contains(says) && said.contains(bucket), "{said}");
        assert!(said.contains("nothing was changed; check its name"), "{said}");
    };
    check("missing", "is not there");
    assert!(!place.path("missing").exists(), "it was made");
    std::fs::create_dir_all(place.path("empty/photographs")).expect("it can be made");
    check("empty", "holds no history of a database");
    assert_eq!(place.objects("empty"), Vec::<PathBuf>::new());
    for url in ["ftp://bucket/prefix", "bucket/prefix"] {
        let answer = BucketReader::open(url, &RemoteOptions::default(), Arc::new(SystemClock));
        let Err(error) = answer else { panic!("{url} is no bucket") };
        assert!(error.to_string().contains(url), "{error}");
    }

    // A database that has sealed nothing yet has published itself, and has no tables to read.
    let _database = Database::open(place.config("fresh")).expect("it opens");
    let reader = place.open("fresh.bucket").expect("it can be read");
    assert_eq!((reader.sealed().seq, reader.tables()), (Seq::ZERO, Vec::new()));
    let unknown = reader.windows("orders");
    assert!(matches!(unknown, Err(Error::TableNotFound { .. })), "{unknown:?}");
}
