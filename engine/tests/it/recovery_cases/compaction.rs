//! Cases about a history that is merged, folded, expired and swept: while it is read, and when the
//! one who does it stops at any point.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use foldback::log_tier::names;
use foldback::log_tier::remote::RemoteOptions;
use foldback::{
    BucketCompactor, BucketReader, Clock, Commit, CompactorConfig, Config, Database, Error,
    Retention, Target,
};

use super::place::{HASTY, LAZY, Place, SECOND, read};
use crate::support::{Numbers, State, collect, copy_directory, rows};

/// Writes, deletes and seals; returns the state after each commit.
fn write(place: &Place, rounds: u64, step: i64) -> Vec<(Commit, State)> {
    let table = place.database.table("orders").expect("it is live");
    let mut now = rows(&place.database, "orders");
    let mut numbers = Numbers(rounds + u64::try_from(now.len()).expect("few"));
    let mut states = Vec::new();
    for round in 0..rounds {
        let key = format!("key/{:02}", numbers.below(40)).into_bytes();
        let commit = match numbers.below(5) {
            0 => {
                now.remove(&key);
                table.delete(key).wait()
            }
            _ => {
                let value = format!("{:x}", numbers.next()).repeat(30).into_bytes();
                now.insert(key.clone(), value.clone());
                table.put(key, value).wait()
            }
        };
        states.push((commit.expect("it commits"), now.clone()));
        place.clock.advance(step);
        if round % 3 == 2 {
            place.database.seal().expect("the bucket takes it");
        }
    }
    place.database.seal().expect("the bucket takes it");
    states
}

/// The objects below a directory of a bucket.
fn objects(bucket: &Path, prefix: &str) -> BTreeSet<PathBuf> {
    let (mut found, mut waiting) = (BTreeSet::new(), vec![bucket.join(prefix)]);
    while let Some(directory) = waiting.pop() {
        let Ok(entries) = std::fs::read_dir(directory) else { continue };
        for path in entries.map(|entry| entry.expect("it can be listed").path()) {
            match path.is_dir() {
                true => waiting.push(path),
                false => drop(found.insert(path.strip_prefix(bucket).expect("below").to_owned())),
            }
        }
    }
    found
}

/// All that the bucket's windows offer is what it was; returns how many states that are.
fn check_windows(reader: &BucketReader, states: &[(Commit, State)]) -> usize {
    let windows = reader.windows("orders").expect("it is protected");
    let offered = |commit: &Commit| windows.iter().any(|window| window.contains(commit.seq));
    let mut count = 0;
    for (commit, state) in states.iter().filter(|(commit, _)| offered(commit)) {
        let found = read(reader, "orders", Target::Seq(commit.seq));
        assert_eq!(found.expect("it is offered"), *state, "{commit:?}");
        count += 1;
    }
    count
}

/// Somebody else who does the upkeep of a bucket, in haste.
fn compactor_of(place: &Place, bucket: &Path) -> BucketCompactor {
    let config = CompactorConfig {
        bucket: format!("file://{}", bucket.display()),
        remote: RemoteOptions::default(),
        policy: HASTY,
        clock: Arc::clone(&place.clock) as Arc<dyn Clock>,
    };
    BucketCompactor::open(&config).expect("it opens")
}

/// Whoever does the upkeep may stop after any object that it made or deleted: each bucket that is
/// left so offers all that it should, and the next one goes on from there.
#[test]
fn case_02_a_crash_at_each_point_of_expiry() {
    let place = Place::without_upkeep();
    place.table("orders", Retention::Secs(100));
    let states = write(&place, 24, 10 * SECOND);
    let needed = |commit: &Commit| commit.timestamp.0 + 100 * SECOND >= place.clock_now().0;
    let least = states.iter().filter(|(commit, _)| needed(commit)).count();
    assert!(0 < least && least < states.len());
    let (bucket, stages) = (place.path("bucket"), place.path("stages"));
    let mut jobs = 0;
    let mut watch = |_: &str| {
        copy_directory(&bucket, &stages.join(format!("{jobs}")));
        jobs += 1;
    };
    let mut compactor = compactor_of(&place, &bucket);
    compactor.run(&mut watch).expect("history can be read");
    watch("done");
    assert!(jobs > 5, "{jobs} jobs");
    let mut deleted = 0;
    for job in 1..jobs {
        let (from, to) = (stages.join(format!("{}", job - 1)), stages.join(job.to_string()));
        let both = |prefix: &str| (objects(&from, prefix), objects(&to, prefix));
        let [(history, next_history), (manifests, next_manifests)] =
            [names::HISTORY_PREFIX, names::MANIFEST_PREFIX].map(both);
        let mut steps: Vec<(PathBuf, bool)> = Vec::new();
        steps.extend(next_history.difference(&history).map(|name| (name.clone(), true)));
        steps.extend(next_manifests.difference(&manifests).map(|name| (name.clone(), true)));
        steps.extend(history.difference(&next_history).map(|name| (name.clone(), false)));
        steps.extend(manifests.difference(&next_manifests).map(|name| (name.clone(), false)));
        for (name, is_made) in steps {
            match is_made {
                true => drop(std::fs::copy(to.join(&name), from.join(&name)).expect("it is there")),
                false => std::fs::remove_file(from.join(&name)).expect("it is there"),
            }
            deleted += u32::from(!is_made);
            let offered = check_windows(&place.reader_of(&from), &states);
            assert!(offered >= least, "{offered} of {least} states after {name:?} of job {job}");
        }
        // Another one takes over what the last step left.
        let mut next = compactor_of(&place, &from);
        next.run(&mut |_| {}).expect("history can be read");
        assert!(check_windows(&place.reader_of(&from), &states) >= least);
    }
    assert!(deleted > 5, "{deleted} objects were deleted");
    let place = place.reopened();
    assert!(check_windows(&place.reader(), &states) >= least);
}

/// A restore gives the same rows whether its history lies still, is merged, folded and swept before
/// it begins, or while it reads.
#[test]
fn case_10_a_restore_while_history_is_compacted() {
    let mut place = Place::with(LAZY);
    place.table("orders", Retention::Forever);
    let states = write(&place, 60, 10);
    let planned: Vec<_> = states
        .iter()
        .step_by(7)
        .map(|(commit, state)| (place.plan("orders", Target::Seq(commit.seq)), state))
        .map(|(plan, state)| (plan.expect("it is restorable"), state))
        .collect();
    // Nothing of what they name is left when they run.
    place = place.reopened_with(HASTY);
    write(&place, 30, 10);
    place.tidy();
    let listed = place.database.manifest();
    let is_gone = |name: &String| !place.path("bucket").join(name).exists();
    for (number, (plan, state)) in planned.iter().enumerate() {
        let gone = plan.files().filter(|read| is_gone(&read.file.name)).count();
        assert!(gone > 0, "all files of {} are there", plan.target.seq);
        assert!(listed.number > plan.manifest);
        let name = format!("restored-{number}");
        let restored = place.database.restore(plan, &name).expect("it is planned anew");
        assert_eq!(restored.target, plan.target, "the same commit");
        assert_eq!(rows(&place.database, &name), **state);
    }
    // Some rows before, the others after it was replaced; here and through the bucket alone.
    let reader = place.reader();
    for round in 0..6_usize {
        let (commit, state) = &states[round * 9];
        let target = Target::Seq(commit.seq);
        let ours = place.plan("orders", target).expect("it is restorable");
        let theirs = reader.plan("orders", target, &foldback::Selection::all());
        let theirs = theirs.expect("it is restorable");
        let mut our_rows = place.database.plan_rows(&ours).expect("it starts");
        let mut their_rows = reader.plan_rows(&theirs).expect("it starts");
        let our_first: Vec<_> = our_rows.by_ref().take(round).collect();
        let their_first: Vec<_> = their_rows.by_ref().take(1).collect();
        write(&place, 12, 10);
        place.tidy();
        assert_eq!(collect(our_first.into_iter().chain(our_rows)), *state);
        assert_eq!(collect(their_first.into_iter().chain(their_rows)), *state);
    }
}

/// Restores some of these states, one after the other.
fn restore_some(place: &Place, states: &[(Commit, State)], thread: u64) {
    let mut numbers = Numbers(thread);
    for round in 0..15 {
        let (commit, state) = &states[numbers.index(states.len())];
        let plan = place.plan("orders", Target::Seq(commit.seq)).expect("it is in the window");
        let name = format!("restored-{thread}-{round}");
        place.database.restore(&plan, &name).expect("its history is kept");
        assert_eq!(rows(&place.database, &name), *state, "{commit:?}");
    }
}

/// The same with real threads: whatever meets, each restore is the fold of its commits.
#[test]
fn case_10_restores_beside_a_busy_compactor() {
    let place = Place::with(HASTY);
    place.table("orders", Retention::Forever);
    let states = write(&place, 40, 10);
    let start = std::sync::Barrier::new(3);
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (place, states, start) = (&place, &states, &start);
            scope.spawn(move || {
                start.wait();
                restore_some(place, states, thread);
            });
        }
        start.wait();
        for _ in 0..10 {
            write(&place, 6, 10);
            place.tidy();
        }
    });
}

/// A restore whose instant falls below the horizon while it runs reads to its end; nobody can ask
/// for that instant any more, and what was held goes once it has ended.
#[test]
fn case_11_a_restore_that_outlasts_its_retention() {
    let place = Place::with(HASTY);
    place.table("orders", Retention::Secs(10));
    let states = write(&place, 12, 10);
    place.tidy();
    let (commit, state) = states.last().expect("there are some");
    let target = Target::Seq(commit.seq);
    let reader = place.reader();
    let plan = place.plan("orders", target).expect("it is in the window");
    let theirs = reader.plan("orders", target, &foldback::Selection::all());
    let theirs = theirs.expect("it is in the window");
    let held: BTreeSet<_> = plan.files().map(|read| read.file.name.clone()).collect();
    let left = || held.iter().filter(|name| place.path("bucket").join(name).exists()).count();
    let mut running = place.database.plan_rows(&plan).expect("it starts");
    let mut of_reader = reader.plan_rows(&theirs).expect("it starts");
    let (first, of_reader_first) = (running.next(), of_reader.next());
    for _ in 0..5 {
        write(&place, 6, 10 * SECOND);
        place.tidy();
        place.check_outside("orders", target);
    }
    assert_eq!(left(), held.len(), "a lease keeps what the restore reads");
    assert_eq!(collect(first.into_iter().chain(running)), *state);
    assert_eq!(collect(of_reader_first.into_iter().chain(of_reader)), *state);
    place.clock.advance(SECOND);
    place.tidy();
    assert_eq!(left(), 0, "nothing keeps it any more");
    // Planned in time, and begun too late.
    let late = place.database.restore(&plan, "late");
    assert!(matches!(late, Err(Error::OutsideWindow { .. })), "{late:?}");
    let absent = place.database.table("late");
    assert!(matches!(absent, Err(Error::TableNotFound { .. })), "{absent:?}");
}

/// The lease of a restore that died holds nothing for longer than it lasts; if its holder comes
/// back all the same, it is told that the instant is over, and never given other rows.
#[test]
fn case_11_a_lease_whose_holder_is_gone() {
    let place = Place::with(HASTY);
    place.table("orders", Retention::Secs(10));
    let states = write(&place, 40, 10);
    place.tidy();
    let (commit, state) = states.last().expect("there are some");
    let plan = place.plan("orders", Target::Seq(commit.seq)).expect("it is in the window");
    let held: BTreeSet<_> = plan.files().map(|read| read.file.name.clone()).collect();
    let left = || held.iter().filter(|name| place.path("bucket").join(name).exists()).count();
    let stalled = place.database.plan_rows(&plan).expect("it starts");
    for name in objects(&place.path("bucket"), names::LEASE_PREFIX) {
        let lease = std::fs::File::options().write(true).open(place.path("bucket").join(name));
        let lease = lease.expect("it is there");
        let taken = lease.metadata().and_then(|lease| lease.modified()).expect("it has a time");
        lease.set_modified(taken - Duration::from_secs(3_600)).expect("it can be set");
    }
    write(&place, 6, 10 * SECOND);
    place.tidy();
    // A piece of the base stays the newest one where no event came to its keys.
    let newest = place.plan("orders", Target::Latest).expect("it is in the window");
    let listed = newest.files().filter(|read| held.contains(&read.file.name)).count();
    assert!(listed < held.len(), "something of what was planned has been replaced");
    assert_eq!(left(), listed, "a dead lease holds nothing");
    let read: Result<State, Error> =
        stalled.map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec()))).collect();
    match read {
        Ok(rows) => assert_eq!(rows, *state, "what it had fetched is all it needs"),
        Err(error) => assert!(matches!(error, Error::OutsideWindow { .. }), "{error}"),
    }
}

/// A database that is opened again in the midst of it all goes on from what is there.
#[test]
fn case_02_every_instant_outlives_a_crash_of_the_writer() {
    let place = Place::without_upkeep();
    place.table("orders", Retention::Secs(100));
    let mut states = Vec::new();
    for round in 0..8 {
        states.extend(write(&place, 6, 5 * SECOND));
        if round % 2 == 1 {
            let mut compactor = compactor_of(&place, &place.path("bucket"));
            compactor.run(&mut |_| {}).expect("history can be read");
        }
        let copy = place.copy(&format!("crash-{round}"));
        let copy = Config { compactor: true, policy: HASTY, ..copy };
        let database = Database::open(copy).expect("it opens");
        database.compact().expect("history can be read");
        let needed = place.clock_now().saturating_add_micros(-100 * SECOND);
        for (commit, state) in states.iter().filter(|(commit, _)| commit.timestamp >= needed) {
            let table = database.table("orders").expect("it is live");
            let view = table.as_of(Target::At(commit.timestamp)).expect("it is in the window");
            assert_eq!(collect(view.scan().expect("it can be read")), *state, "{commit:?}");
        }
    }
}
