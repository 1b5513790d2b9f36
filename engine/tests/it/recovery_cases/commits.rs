//! Cases about commits: whole or not at all, durable once acknowledged, and those that change
//! little or much.

use foldback::log_tier::names;
use foldback::{
    Commit, Config, Database, Error, Policy, Retention, Selection, Target, WriteBatch, WriteOptions,
};

use super::place::{FOLDS, Place, state};
use crate::support::{Numbers, State, planned_rows, rows};

const SIDES: [&str; 2] = ["left", "right"];

/// Writes the same to both tables, in one batch.
fn write_both(place: &Place, puts: &[(String, String)], deletes: &[String]) -> Commit {
    let mut batch = WriteBatch::new();
    for side in SIDES {
        let id = place.database.table(side).expect("it is live").id();
        puts.iter().for_each(|(key, value)| batch.put(id, key.clone(), value.clone()));
        deletes.iter().for_each(|key| batch.delete(id, key.clone()));
    }
    let commit = place.database.write(batch, WriteOptions::default()).wait();
    place.clock.advance(10);
    commit.expect("it commits")
}

/// A database with both tables, and their state after each commit.
fn sides() -> (Place, Vec<(Commit, State)>) {
    let place = Place::new();
    for side in SIDES {
        place.table(side, Retention::Forever);
    }
    let (mut history, mut now) = (Vec::new(), State::new());
    for round in 0..14_u32 {
        let puts: Vec<_> = (0..4)
            .map(|step| (format!("k{}", (round * 3 + step) % 9), format!("{round}.{step}")))
            .collect();
        let deletes = vec![format!("k{}", (round * 3 + 5) % 9)];
        let commit = write_both(&place, &puts, &deletes);
        now.extend(puts.iter().map(|(key, value)| (key.clone().into(), value.clone().into())));
        deletes.iter().for_each(|key| drop(now.remove(key.as_bytes())));
        history.push((commit, now.clone()));
    }
    (place, history)
}

/// Two tables that are restored to one commit hold all of a batch or nothing of it.
#[test]
fn case_16_a_batch_is_whole_in_every_table() {
    let (place, history) = sides();
    let place = place.everywhere(|place, _| {
        for (at, (commit, state)) in history.iter().enumerate() {
            let before = at.checked_sub(1).map_or_else(State::new, |at| history[at].1.clone());
            for side in SIDES {
                place.check_state(side, Target::Seq(commit.seq), state);
                place.check_state(side, Target::At(commit.timestamp), state);
                place.check_state(side, Target::Before(commit.timestamp), &before);
            }
        }
    });
    for (commit, state) in history.iter().step_by(4) {
        let restored = SIDES.map(|side| {
            let (name, target) = (format!("{side}-{}", commit.seq), Target::Seq(commit.seq));
            let plan = place.plan(side, target).expect("it is restorable");
            place.database.restore(&plan, &name).expect("it restores");
            rows(&place.database, &name)
        });
        assert_eq!(restored, [state.clone(), state.clone()], "{commit:?}");
    }
}

/// The bytes of the active segment, up to the last that is not zero, and its path below `config`.
fn active_segment(config: &Config) -> (std::path::PathBuf, Vec<u8>) {
    let log = std::fs::read_dir(config.directory.join(names::LOG_DIRECTORY));
    let paths = log.expect("it can be listed").map(|entry| entry.expect("it can be").path());
    let is_segment = |path: &std::path::PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.and_then(names::parse_segment).is_some()
    };
    let active = paths.filter(is_segment).max().expect("there is always one");
    let mut bytes = std::fs::read(&active).expect("it can be read");
    let used = bytes.iter().rposition(|byte| *byte != 0).expect("it has a header") + 1;
    bytes.truncate(used);
    (active, bytes)
}

/// A batch of which the machine wrote a part is dropped whole, wherever it was cut, and what was
/// acknowledged before it stays.
#[test]
fn case_16_a_torn_batch_is_dropped_whole() {
    let (place, history) = sides();
    let known = active_segment(&place.config("db")).1.len();
    let (before, state) = history.last().expect("there are some");
    let torn = write_both(&place, &[("new".into(), "n".repeat(60))], &["k1".into()]);
    let whole = active_segment(&place.config("db")).1.len();
    let mut dropped = 0;
    for cut in (known..=whole).step_by(3) {
        let config = place.copy(&format!("cut-{cut}"));
        let (active, bytes) = active_segment(&config);
        std::fs::write(active, &bytes[..cut]).expect("it can be written");
        let database = Database::open(config).expect("a torn tail is no damage");
        let tip = database.status().tip;
        assert!(tip == *before || tip == torn, "{tip:?} after a cut at {cut}");
        dropped += u32::from(tip == *before);
        for side in SIDES {
            let table = rows(&database, side);
            let has_new = table.contains_key(b"new".as_slice());
            assert_eq!(has_new, tip == torn, "a cut at {cut}");
            assert!(has_new || table == *state, "a cut at {cut}");
            let plan = database.plan(side, Target::Latest, &Selection::all());
            assert_eq!(planned_rows(&database, &plan.expect("it is restorable")), table);
            let beyond = database.resolve(side, Target::Seq(tip.seq.next()));
            assert!(matches!(beyond, Err(Error::NoSuchCommit { .. })), "{beyond:?}");
        }
    }
    assert!(dropped > 10, "only {dropped} cuts tore the batch");
}

/// A machine that stops right after an acknowledgement has that commit as its latest restorable
/// one, and a log that is older than its bucket does not open as if nothing had been after it.
#[test]
fn case_17_the_latest_is_the_last_durable_commit() {
    let place = Place::new();
    let table = place.table("orders", Retention::Forever);
    let mut states = Vec::new();
    let early = place.copy("early");
    for round in 0..12 {
        let value = round.to_string();
        let commit = table.put("a", value.clone()).wait().expect("it commits");
        states.push((commit, value));
        match round {
            // A bucket is copied only while nothing changes in it.
            4 | 8 => place.tidy(),
            _ => {}
        }
        let database = Database::open(place.copy(&format!("after-{round}"))).expect("it opens");
        assert_eq!(database.status().tip, commit);
        let window = database.windows("orders").expect("it is protected")[0];
        assert_eq!((window.last, window.latest >= commit.timestamp), (commit.seq, true));
        for (commit, value) in &states {
            let plan = database.plan("orders", Target::Seq(commit.seq), &Selection::all());
            let rows = planned_rows(&database, &plan.expect("it is restorable"));
            assert_eq!(rows, state(&[("a", value)]), "{commit:?} after {round}");
        }
        place.clock.advance(10);
    }
    let late = place.copy("late");
    let older = Config { directory: early.directory, ..late.clone() };
    let opened = Database::open(older);
    let Err(error @ Error::Lost(_)) = &opened else { panic!("{opened:?}") };
    assert!(error.to_string().contains("older than its bucket"), "{error}");
}

/// A put of the value that is there and a delete of a key that is not are commits like any other,
/// and change no state and no count.
#[test]
fn case_27_writes_that_change_nothing() {
    let place = Place::new();
    let table = place.table("orders", Retention::Forever);
    let (one, none): (&[_], &[_]) = (&[("a", "1")], &[]);
    let steps = [
        (place.delete(&table, "never"), none),
        (place.put(&table, "a", "1"), one),
        (place.put(&table, "a", "1"), one),
        (place.delete(&table, "b"), one),
        (place.delete(&table, "a"), none),
        (place.delete(&table, "a"), none),
        (place.put(&table, "a", "1"), one),
        (place.put(&table, "a", "1"), one),
        (place.delete(&table, "never"), one),
    ];
    drop(table);
    let place = place.everywhere(|place, stage| {
        for (at, (commit, expected)) in steps.iter().enumerate() {
            place.check("orders", Target::Seq(commit.seq), expected);
            place.check("orders", Target::At(commit.timestamp), expected);
            let resolved = place.database.resolve("orders", Target::At(commit.timestamp));
            let resolved = resolved.expect("it is in the window");
            assert_eq!(resolved.commit, *commit, "{stage}");
            assert_eq!(resolved.next, steps.get(at + 1).map(|step| step.0), "{stage}");
            let table = place.database.table("orders").expect("it is live");
            let view = table.as_of(Target::Seq(commit.seq)).expect("it is in the window");
            let count = u64::try_from(expected.len()).expect("few");
            assert_eq!(view.len().expect("it can be read"), count, "{stage}");
        }
    });
    for (number, (commit, expected)) in steps.iter().enumerate() {
        let plan = place.plan("orders", Target::Seq(commit.seq)).expect("it is restorable");
        let name = format!("restored-{number}");
        let restored = place.database.restore(&plan, &name).expect("it restores");
        assert_eq!(restored.rows, u64::try_from(expected.len()).expect("few"));
        assert_eq!(rows(&place.database, &name), state(expected));
    }
}

/// A large value that is rewritten often, a few bytes at a time, costs a restore what it is large,
/// and the bucket no more than was logged and a fold of it.
#[test]
fn case_28_a_large_item_that_is_rewritten_often() {
    const BYTES: usize = 400_000;
    const REWRITES: usize = 40;
    let place = Place::with(Policy { fold_ratio: 8.0, ..FOLDS });
    let table = place.table("orders", Retention::Forever);
    place.put(&table, "small", "1");
    let mut numbers = Numbers(28);
    let mut value: Vec<u8> = (0..BYTES).map(|_| numbers.next().to_le_bytes()[0]).collect();
    let mut commits = Vec::new();
    for round in 0..REWRITES {
        let at = numbers.index(BYTES - 8);
        value[at..at + 8].copy_from_slice(&numbers.next().to_le_bytes());
        let commit = table.put("large", value.clone()).wait().expect("it commits");
        place.clock.advance(10);
        commits.push((commit, value.clone()));
        if round % 5 == 4 {
            place.tidy();
        }
    }
    drop(table);
    let place = place.everywhere(|place, stage| {
        // All of them here, and some where reading takes the whole way.
        let some = if stage == "in bases" { 1 } else { 13 };
        for (commit, value) in commits.iter().step_by(some) {
            let mut expected = state(&[("small", "1")]);
            expected.insert(b"large".to_vec(), value.clone());
            place.check_state("orders", Target::Seq(commit.seq), &expected);
        }
    });
    let bytes = u64::try_from(BYTES).expect("small");
    let manifest = place.database.manifest();
    let held: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    let logged = bytes * u64::try_from(REWRITES).expect("few");
    assert!(held < logged * 3 / 2, "{held} bytes are held of {logged} that were logged");
    for (commit, _) in &commits {
        let plan = place.plan("orders", Target::Seq(commit.seq)).expect("it is restorable");
        let most = bytes * (1 + 8 + 5 + 1);
        assert!(plan.bucket_bytes() < most, "{} bytes for {commit:?}", plan.bucket_bytes());
        let name = format!("restored-{}", commit.seq);
        let restored = place.database.restore(&plan, &name).expect("it restores");
        assert_eq!((restored.rows, restored.bytes), (2, bytes + 5 + 6));
        place.database.drop_table(&name).expect("it is live");
    }
}
