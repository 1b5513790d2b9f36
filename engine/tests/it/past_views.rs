//! Views of the past, against the state after every commit of histories that are merged, folded,
//! sealed and given up while they are read.

use std::sync::Arc;
use std::time::Duration;

use foldback::log_tier::remote::RemoteOptions;
use foldback::{
    BucketReader, Clock, Config, Database, Error, KeyRange, ManualClock, Policy, Retention, Seq,
    Table, Target, Timestamp, View, WriteBatch, WriteOptions,
};
use tempfile::TempDir;

use crate::support::{Numbers, State, collect, fast_directory};

const START: Timestamp = Timestamp(1_700_000_000_000_000);
const SECOND: i64 = 1_000_000;
/// So eager that a few hundred small commits are merged and folded many times.
const EAGER: Policy = Policy {
    fold_ratio: 1.0,
    fold_bytes_min: 1,
    fold_files_max: 64,
    merge_fanout: 3,
    file_bytes_target: 8 * 1024,
    grace_micros: 0,
};
/// As eager to merge, with few folds between.
const MERGING: Policy = Policy { fold_bytes_min: 48 << 10, file_bytes_target: 96 << 10, ..EAGER };

/// A database with a clock of its own, and the state of its tables after each commit.
struct World {
    scratch: TempDir,
    clock: Arc<ManualClock>,
    database: Database,
    tables: [Table; 2],
    numbers: Numbers,
    states: [State; 2],
    /// After each commit that was made here, both tables.
    history: Vec<(Seq, [State; 2])>,
}

impl World {
    fn new(retention: Retention, seed: u64) -> Self {
        Self::with_policy(retention, seed, EAGER)
    }

    fn with_policy(retention: Retention, seed: u64, policy: Policy) -> Self {
        let scratch = fast_directory();
        let clock = Arc::new(ManualClock::new(START));
        let bucket = format!("file://{}", scratch.path().join("bucket").display());
        let mut config = Config::new(scratch.path().join("data")).bucket(bucket);
        config.clock = Arc::clone(&clock) as Arc<dyn Clock>;
        config.segment_age_max = Duration::from_secs(86_400);
        config.segment_bytes_max = 8 * 1024;
        config.policy = policy;
        let database = Database::open(config).expect("it opens");
        let tables = ["first", "second"].map(|name| {
            let table = database.create_table(name).expect("the name is free");
            database.protect(name, retention).expect("it is not protected");
            table
        });
        let (numbers, states) = (Numbers(seed), [State::new(), State::new()]);
        Self { scratch, clock, database, tables, numbers, states, history: Vec::new() }
    }

    /// Commits a batch over both tables: puts and deletes of few keys, the empty one among them.
    fn write(&mut self) -> Seq {
        let mut batch = WriteBatch::new();
        for _ in 0..6 {
            let at = self.numbers.index(2);
            let key = key(self.numbers.below(60));
            if self.numbers.below(4) == 0 {
                batch.delete(self.tables[at].id(), key.clone());
                self.states[at].remove(&key);
            } else {
                let repeats = 1 + self.numbers.index(20);
                let value = format!("{:x}", self.numbers.next()).repeat(repeats).into_bytes();
                batch.put(self.tables[at].id(), key.clone(), value.clone());
                self.states[at].insert(key, value);
            }
        }
        let written = self.database.write(batch, WriteOptions::default()).wait();
        let seq = written.expect("it commits").seq;
        self.history.push((seq, self.states.clone()));
        seq
    }

    fn tidy(&self) {
        self.database.seal().expect("the bucket takes it");
        self.database.compact().expect("history can be read");
    }

    fn reader(&self) -> BucketReader {
        let url = format!("file://{}", self.scratch.path().join("bucket").display());
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        BucketReader::open(&url, &RemoteOptions::default(), clock).expect("it can be read")
    }

    fn view(&self, table: usize, seq: Seq) -> foldback::Result<View<'static>> {
        self.tables[table].as_of(Target::Seq(seq))
    }
}

/// Few keys, so that they are overwritten: the empty one, prefixes of each other, binary ones.
fn key(number: u64) -> Vec<u8> {
    match number {
        0 => Vec::new(),
        1 => b"\0".to_vec(),
        2 => b"\xff".to_vec(),
        3 => b"\xff\xff".to_vec(),
        4 => b"key/".to_vec(),
        number => format!("key/{:02}", number).into_bytes(),
    }
}

/// Holds everything that a view answers to the state that it is of.
#[track_caller]
fn check(view: &View<'_>, state: &State) {
    let at = view.commit();
    check_gets(view, state);
    assert_eq!(collect(view.scan().expect("it can be read")), *state, "all at {at:?}");
    assert_eq!(usize::try_from(view.len().expect("it can be read")), Ok(state.len()));
    assert_eq!(view.is_empty().expect("it can be read"), state.is_empty());
    for prefix in [b"".as_slice(), b"\0", b"key/", b"key/3", b"key/31", b"\xff", b"none"] {
        let mut expected = state.clone();
        expected.retain(|key, _| key.starts_with(prefix));
        let found = collect(view.prefix(prefix).expect("it can be read"));
        assert_eq!(found, expected, "{} at {at:?}", prefix.escape_ascii());
    }
    for (from, until) in [("key/10", Some("key/40")), ("key/3", None), ("z", Some("a"))] {
        let keys = KeyRange { from: from.into(), until: until.map(Into::into) };
        let mut expected = state.clone();
        expected.retain(|key, _| keys.contains(key));
        let found = collect(view.range(&keys).expect("it can be read"));
        assert_eq!(found, expected, "{keys:?} at {at:?}");
    }
}

#[track_caller]
fn check_gets(view: &View<'_>, state: &State) {
    let never = [b"key/1".to_vec(), b"none".to_vec(), b"\0\0".to_vec(), vec![b'k'; 9_000]];
    for key in (0..60).map(key).chain(never) {
        let value = view.get(&key).unwrap_or_else(|error| panic!("{error}"));
        let expected = state.get(&key).map(Vec::as_slice);
        assert_eq!(value.as_deref(), expected, "{:?} at {:?}", key.escape_ascii(), view.commit());
    }
}

#[test]
fn every_commit_can_be_viewed_while_history_is_folded() {
    check_every_commit(World::new(Retention::Forever, 3));
}

#[test]
fn every_commit_can_be_viewed_while_history_is_merged() {
    check_every_commit(World::with_policy(Retention::Forever, 13, MERGING));
}

fn check_every_commit(mut world: World) {
    let mut kept = Vec::new();
    for round in 0..150 {
        let seq = world.write();
        world.clock.advance(i64::from(round % 3 != 0));
        let table = world.numbers.index(2);
        if round % 7 == 0 {
            let view = world.view(table, seq).expect("it is in its window");
            kept.push((view, world.states[table].clone()));
        }
        if round % 4 == 3 {
            world.tidy();
        }
        // Views that were taken long ago, in the midst of it.
        if let Some((view, state)) = kept.get(world.numbers.index(kept.len().max(1))) {
            check_gets(view, state);
        }
    }
    for (view, state) in &kept {
        check(view, state);
    }
    for (seq, states) in &world.history {
        for (table, state) in states.iter().enumerate() {
            check(&world.view(table, *seq).expect("it is in its window"), state);
        }
    }
    let leases = world.database.look().expect("the bucket is there").leases;
    assert!(leases.len() <= kept.len(), "there are {} leases", leases.len());
    drop(kept);
    let leases = world.database.look().expect("the bucket is there").leases;
    assert_eq!(leases.len(), 0, "a lease outlives its view");
}

#[test]
fn a_reader_of_the_bucket_views_what_is_sealed() {
    let mut world = World::new(Retention::Forever, 4);
    for round in 0..60 {
        world.write();
        world.clock.advance(2);
        if round % 5 == 4 {
            world.tidy();
        }
    }
    let reader = world.reader();
    let view = reader.view("first", Target::Latest).expect("it is there");
    let at_view = world.states[0].clone();
    for round in 0..60 {
        world.write();
        if round % 5 == 4 {
            world.tidy();
            check(&view, &at_view);
        }
    }
    let reader = world.reader();
    for (seq, [first, second]) in &world.history {
        check(&reader.view("first", Target::Seq(*seq)).expect("it is there"), first);
        check(&reader.view("second", Target::Seq(*seq)).expect("it is there"), second);
    }
    world.write();
    let beyond = reader.view("first", Target::Seq(world.history.last().expect("some").0));
    assert!(matches!(beyond, Err(Error::NotSealed { .. })), "{beyond:?}");
}

/// Retention of a second, and a view of an instant that is given up while it lives: the lease keeps
/// its files, and nothing keeps those of the others.
#[test]
fn a_view_outlives_the_expiry_of_its_instant() {
    let mut world = World::new(Retention::Secs(1), 5);
    let (mut kept, mut given_up) = (Vec::new(), 0);
    for round in 0..120 {
        let seq = world.write();
        if round % 15 == 0 {
            let view = world.view(0, seq).expect("it is in its window");
            // Some have read their files before those are taken off, some have not.
            if round % 2 == 0 {
                check(&view, &world.states[0]);
            }
            kept.push((seq, view, world.states[0].clone()));
        }
        world.clock.advance(SECOND / 8);
        if round % 3 == 2 {
            world.tidy();
        }
        for (seq, states) in world.history.iter().rev().step_by(9) {
            match world.view(0, *seq) {
                Ok(view) => check(&view, &states[0]),
                Err(Error::OutsideWindow { .. }) => given_up += 1,
                Err(other) => panic!("{other}"),
            }
        }
    }
    world.clock.advance(60 * SECOND);
    world.tidy();
    assert!(given_up > 0, "nothing was given up");
    let status = world.database.look().expect("the bucket is there");
    assert!(status.leased_bytes > 0, "nothing is held by a lease alone");
    for (seq, view, state) in &kept {
        let again = world.view(0, *seq);
        let newest = kept.last().expect("there are some").0;
        assert!(
            *seq == newest || matches!(again, Err(Error::OutsideWindow { .. })),
            "#{seq} can still be asked for"
        );
        check(view, state);
    }
}

/// A lease can run out, as that of a process that was stopped for an hour: the files go, and the
/// view finds the same commit's events where they are by then.
#[test]
fn a_view_whose_files_are_gone_goes_on_where_their_events_are_now() {
    let mut world = World::with_policy(Retention::Forever, 9, MERGING);
    for round in 0..21 {
        world.write();
        if round % 2 == 1 {
            world.tidy();
        }
    }
    let seq = world.write();
    let state = world.states[0].clone();
    let unsealed = world.view(0, seq).expect("it is in its window");
    world.database.seal().expect("the bucket takes it");
    let reader = world.reader();
    let sealed = world.view(0, seq).expect("it is in its window");
    let of_reader = reader.view("first", Target::Seq(seq)).expect("it is there");
    let views = [unsealed, sealed, of_reader];
    let half_read: Vec<_> = views.iter().map(|view| view.scan().expect("it is there")).collect();
    let before = world.database.manifest();
    for round in 0..40 {
        world.write();
        if round % 2 == 1 {
            world.tidy();
        }
    }
    let now = world.database.manifest();
    let is_listed = |name: &str| now.files.iter().any(|file| file.name == name);
    let gone: Vec<_> = before.files.iter().filter(|file| !is_listed(&file.name)).collect();
    assert!(!gone.is_empty(), "none of {} files is gone", before.files.len());
    for file in gone {
        let deleted = std::fs::remove_file(world.scratch.path().join("bucket").join(&file.name));
        let was_there = deleted.map_err(|error| error.kind());
        assert!(matches!(was_there, Ok(()) | Err(std::io::ErrorKind::NotFound)), "{was_there:?}");
    }
    for (view, rows) in views.iter().zip(half_read) {
        assert_eq!(collect(rows), state);
        check(view, &state);
    }
}

#[test]
fn a_view_stays_when_its_table_is_dropped_and_the_name_is_used_again() {
    let mut world = World::new(Retention::Forever, 6);
    for round in 0..20 {
        world.write();
        if round % 5 == 4 {
            world.tidy();
        }
    }
    let seq = world.write();
    let view = world.view(0, seq).expect("it is in its window");
    let state = world.states[0].clone();
    world.database.drop_table("first").expect("it is live");
    let table = world.database.create_table("first").expect("the name is free");
    table.put("key/31", "of another table").wait().expect("it commits");
    world.tidy();
    check(&view, &state);
    let of_dropped = world.view(0, seq);
    assert!(matches!(of_dropped, Err(Error::TableNotFound { .. })), "{of_dropped:?}");
    let not_protected = table.as_of(Target::Latest);
    assert!(matches!(not_protected, Err(Error::NotProtected { .. })), "{not_protected:?}");
}

/// A writer that goes on while views are taken and read by other threads.
#[test]
fn views_are_read_by_many_threads_while_the_writer_goes_on() {
    let mut world = World::new(Retention::Forever, 7);
    for _ in 0..30 {
        world.write();
    }
    world.tidy();
    let seq = world.write();
    let state = world.states[1].clone();
    let view = world.view(1, seq).expect("it is in its window");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..10).for_each(|_| check(&view, &state)));
        }
        for round in 0..60 {
            world.write();
            if round % 6 == 5 {
                world.tidy();
            }
        }
    });
    check(&view, &state);
}

#[test]
fn an_instant_in_a_gap_or_in_the_future_is_refused() {
    let mut world = World::new(Retention::Forever, 8);
    world.write();
    world.clock.advance(SECOND);
    world.database.unprotect("first").expect("it is protected");
    world.clock.advance(SECOND);
    let gap = world.clock.now();
    world.write();
    world.clock.advance(SECOND);
    world.database.protect("first", Retention::Forever).expect("it is not protected");
    let seq = world.write();
    let refused = world.tables[0].as_of(Target::At(gap));
    assert!(matches!(refused, Err(Error::OutsideWindow { .. })), "{refused:?}");
    let refused = world.tables[0].as_of(Target::At(gap.saturating_add_micros(3_600 * SECOND)));
    assert!(matches!(refused, Err(Error::InFuture { .. })), "{refused:?}");
    let refused = world.tables[0].as_of(Target::Seq(seq.next()));
    assert!(matches!(refused, Err(Error::NoSuchCommit { .. })), "{refused:?}");
    check(&world.view(0, seq).expect("it is in its window"), &world.states[0]);
}
