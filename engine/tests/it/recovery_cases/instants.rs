//! Cases about instants: their edges, their precision, and commits that share them.

use foldback::{Error, Policy, Retention, Target, Timestamp};

use super::place::{FOLDS, HASTY, Place, SECOND, START, just_after, just_before, read, state};
use crate::support::{Numbers, State};

/// A restore at the instant of a commit holds that commit, and one a microsecond earlier does not,
/// also where commits follow each other by a microsecond.
#[test]
fn case_04_the_instant_of_a_commit_includes_it() {
    let place = Place::new();
    let table = place.table("orders", Retention::Forever);
    let values = ["1", "2", "3", "4", "5"];
    let commits = values.map(|value| {
        let commit = table.put("a", value).wait().expect("it commits");
        place.clock.advance(if value < "3" { 1 } else { 10 });
        commit
    });
    assert_eq!(just_after(commits[0]), commits[1].timestamp);
    drop(table);
    place.everywhere(|place, stage| {
        for (at, commit) in commits.iter().enumerate() {
            let now = state(&[("a", values[at])]);
            let before =
                at.checked_sub(1).map_or_else(State::new, |at| state(&[("a", values[at])]));
            place.check_state("orders", Target::At(commit.timestamp), &now);
            place.check_state("orders", Target::Before(just_after(*commit)), &now);
            place.check_state("orders", Target::Before(commit.timestamp), &before);
            place.check_state("orders", Target::At(just_before(*commit)), &before);
            let resolved = place.database.resolve("orders", Target::At(commit.timestamp));
            let resolved = resolved.expect("it is in the window");
            assert_eq!(resolved.commit, *commit, "{stage}");
            assert_eq!(resolved.next, commits.get(at + 1).copied(), "{stage}");
        }
    });
}

/// Commits of one instant are told apart by their numbers alone, wherever a seal cuts between them.
#[test]
fn case_05_many_commits_of_one_instant() {
    let place = Place::with(HASTY);
    let table = place.table("orders", Retention::Forever);
    let first = place.put(&table, "a", "before");
    let instant = place.clock_now();
    let (mut states, mut now) = (Vec::new(), state(&[("a", "before")]));
    for number in 0..40 {
        let (key, value) = (format!("k{}", number % 7), number.to_string());
        let commit = table.put(key.clone(), value.clone()).wait().expect("it commits");
        assert_eq!(commit.timestamp, instant);
        now.insert(key.into_bytes(), value.into_bytes());
        states.push((commit.seq, now.clone()));
        match number {
            5 | 19 | 31 => drop(place.database.seal().expect("the bucket takes it")),
            11 | 25 => place.tidy(),
            _ => {}
        }
    }
    // What a bucket holds by now may not be all of that instant.
    place.database.seal().expect("the bucket takes it");
    let reader = place.reader();
    let refused = read(&reader, "orders", Target::At(instant));
    assert!(matches!(refused, Err(Error::NotSealed { .. })), "{refused:?}");
    place.clock.advance(1);
    let after = table.delete("a").wait().expect("it commits");
    place.clock.advance(10);
    drop(table);
    place.everywhere(|place, stage| {
        let at_once = state(&[("a", "before")]);
        place.check_state("orders", Target::At(instant), &now);
        place.check_state("orders", Target::Before(after.timestamp), &now);
        place.check_state("orders", Target::Before(instant), &at_once);
        place.check_state("orders", Target::At(instant.saturating_add_micros(-1)), &at_once);
        for (seq, state) in &states {
            place.check_state("orders", Target::Seq(*seq), state);
        }
        let resolved = place.database.resolve("orders", Target::At(instant));
        let resolved = resolved.expect("it is in the window");
        let last = states.last().expect("there are some").0;
        assert_eq!((resolved.commit.seq, resolved.next), (last, Some(after)), "{stage}");
        let resolved = place.database.resolve("orders", Target::Before(instant));
        assert_eq!(resolved.expect("it is in the window").commit, first, "{stage}");
    });
}

/// An instant is a microsecond, a whole second is its first one, and none is too far to be refused.
#[test]
fn case_06_a_whole_second_is_its_start() {
    let place = Place::new();
    let table = place.table("orders", Retention::Forever);
    let whole = START + 5 * SECOND;
    for (micros, value) in [(0, "0"), (1, "1"), (400_000, "2"), (999_999, "3"), (SECOND, "4")] {
        place.clock.set(Timestamp(whole + micros));
        let commit = table.put("a", value).wait().expect("it commits");
        assert_eq!(commit.timestamp, Timestamp(whole + micros), "nothing is rounded");
    }
    place.clock.advance(10);
    drop(table);
    place.everywhere(|place, _| {
        let edges = [(0, "0"), (1, "1"), (399_999, "1"), (400_000, "2"), (999_998, "2")];
        for (micros, value) in edges.into_iter().chain([(999_999, "3"), (SECOND, "4")]) {
            place.check("orders", Target::At(Timestamp(whole + micros)), &[("a", value)]);
        }
        place.check("orders", Target::At(Timestamp(whole - 1)), &[]);
        for far in [Timestamp(i64::MIN), Timestamp(0), Timestamp(START - 1)] {
            place.check_outside("orders", Target::At(far));
            place.check_outside("orders", Target::Before(far));
        }
        for target in [Target::At(Timestamp::MAX), Target::Before(Timestamp::MAX)] {
            let answer = place.rows("orders", target);
            assert!(matches!(answer, Err(Error::InFuture { .. })), "{target}: {answer:?}");
        }
    });
}

/// Segments and deltas whose times meet and stand still, as the clock goes back and forth, merged
/// and folded at random: times find where to look, and numbers alone say what comes first.
#[test]
fn case_09_segments_that_overlap_in_time() {
    check_overlap(1, FOLDS);
    check_overlap(2, HASTY);
}

fn check_overlap(seed: u64, policy: Policy) {
    let place = Place::with(policy);
    let mut numbers = Numbers(seed);
    let table = place.table("orders", Retention::Forever);
    place.clock.advance(5_000);
    let (mut states, mut now) = (Vec::new(), State::new());
    let mut meet = 0;
    for _ in 0..60 {
        place.clock.advance([0, 1, -40, 25][numbers.index(4)]);
        let key = format!("k{}", numbers.below(6)).into_bytes();
        let commit = match numbers.below(4) {
            0 => {
                now.remove(&key);
                table.delete(key).wait().expect("it commits")
            }
            _ => {
                let value = numbers.next().to_string().into_bytes();
                now.insert(key.clone(), value.clone());
                table.put(key, value).wait().expect("it commits")
            }
        };
        states.push((commit, now.clone()));
        match numbers.below(8) {
            0..3 => {
                place.database.seal().expect("the bucket takes it");
                let manifest = place.database.manifest();
                let mut pairs = manifest.files.windows(2);
                meet += usize::from(pairs.any(|pair| {
                    pair[0].first != pair[1].first
                        && pair[0].last.timestamp == pair[1].first.timestamp
                }));
            }
            3 => place.tidy(),
            _ => {}
        }
    }
    assert!(meet > 3, "few deltas meet in one instant");
    let (last, _) = states.last().expect("there are some");
    place.clock.set(last.timestamp.saturating_add_micros(10));
    drop(table);
    place.everywhere(|place, _| {
        let state_at = |instant: Timestamp| {
            let earlier = states.iter().rfind(|(commit, _)| commit.timestamp <= instant);
            earlier.map_or_else(State::new, |(_, state)| state.clone())
        };
        for (commit, state) in &states {
            let instant = commit.timestamp;
            place.check_state("orders", Target::Seq(commit.seq), state);
            place.check_state("orders", Target::At(instant), &state_at(instant));
            let before = state_at(just_before(*commit));
            place.check_state("orders", Target::Before(instant), &before);
            place.check_state("orders", Target::At(just_before(*commit)), &before);
        }
    });
}
