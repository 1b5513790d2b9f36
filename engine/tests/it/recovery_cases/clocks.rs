//! Cases about clocks that go back, leap, or go on while nothing is written.

use foldback::{Error, Retention, Target, Timestamp, WriteBatch, WriteOptions};

use super::place::{Place, SECOND, just_after, just_before, read, state};

/// 100 years.
const CENTURY: i64 = 100 * 365 * 86_400 * SECOND;

/// Time stands still while the clock is behind: also over a restart, with the log sealed and with
/// the machine lost.
#[test]
fn case_07_a_clock_that_goes_back() {
    let mut place = Place::new();
    let table = place.table("orders", Retention::Forever);
    let before = place.put(&table, "a", "before");
    place.clock.advance(SECOND);
    let mut last = place.put(&table, "a", "held");
    let held = last.timestamp;
    place.clock.advance(-3_600 * SECOND);
    drop(table);
    let mut latest = place.database.windows("orders").expect("it is protected")[0].latest;
    let mut seqs = vec![(last.seq, "held".to_owned())];
    for round in 0..6 {
        let value = round.to_string();
        let table = place.database.table("orders").expect("it is live");
        let commit = table.put("a", value.clone()).wait().expect("it commits");
        assert_eq!((commit.timestamp, commit.seq), (held, last.seq.next()), "round {round}");
        seqs.push((commit.seq, value.clone()));
        let mut batch = WriteBatch::new();
        batch.put(table.id(), "a", "of the past");
        let timestamp = Some(held.saturating_add_micros(-1));
        let options = WriteOptions { timestamp, ..WriteOptions::default() };
        let refused = place.database.write(batch, options).wait();
        assert!(matches!(refused, Err(Error::TimeGoesBack { .. })), "{refused:?}");
        drop(table);
        place = match round {
            0 => place.reopened(),
            1 => {
                place.tidy();
                place.reopened()
            }
            2 => place.everywhere(|_, _| {}),
            _ => place,
        };
        let window = place.database.windows("orders").expect("it is protected")[0];
        assert!(latest <= window.latest, "{window:?} after {latest:?}");
        assert_eq!((window.latest, window.last), (held, place.database.status().tip.seq));
        latest = window.latest;
        last = place.database.status().tip;
        // To ask for that instant would close it.
        place.check("orders", Target::Seq(last.seq), &[("a", &value)]);
        place.check("orders", Target::Before(held), &[("a", "before")]);
    }
    place.clock.set(held.saturating_add_micros(10));
    let table = place.database.table("orders").expect("it is live");
    let resumed = place.put(&table, "a", "resumed");
    assert_eq!(resumed.timestamp, held.saturating_add_micros(10));
    drop(table);
    place.everywhere(|place, _| {
        for (seq, value) in &seqs {
            place.check("orders", Target::Seq(*seq), &[("a", value)]);
        }
        place.check("orders", Target::At(before.timestamp), &[("a", "before")]);
        place.check("orders", Target::At(just_before(resumed)), &[("a", "5")]);
        place.check("orders", Target::At(resumed.timestamp), &[("a", "resumed")]);
    });
}

/// Nothing expires by a clock that leapt, however often the database is opened under it, until an
/// operator says that it is right.
#[test]
fn case_08_a_clock_that_leaps_forward() {
    for writes in [false, true] {
        let mut place = Place::new();
        let table = place.table("orders", Retention::Secs(1_000));
        let mut commits = Vec::new();
        for round in 0..8 {
            commits.push((place.put(&table, "a", &round.to_string()), round.to_string()));
            place.tidy();
            place.clock.advance(100 * SECOND);
        }
        drop(table);
        let right = place.clock_now();
        let earliest = place.database.windows("orders").expect("it is protected")[0].earliest;
        place.clock.advance(CENTURY);
        for round in 0..4 {
            if writes {
                let table = place.database.table("orders").expect("it is live");
                place.put(&table, "b", &round.to_string());
            }
            place.tidy();
            place = place.reopened();
            let window = place.database.windows("orders").expect("it is protected")[0];
            assert_eq!(window.earliest, earliest);
            for (commit, value) in &commits {
                place.check("orders", Target::At(commit.timestamp), &[("a", value)]);
            }
        }
        if writes {
            place.database.confirm_clock().expect("the bucket takes it");
            place.clock.advance(1_001 * SECOND);
            place.tidy();
            place.check_outside("orders", Target::At(commits[6].0.timestamp));
            place.check("orders", Target::Latest, &[("a", "7"), ("b", "3")]);
        } else {
            // It was an error: expiry goes on as if nothing had been.
            place.clock.set(right);
            place.tidy();
            place.check("orders", Target::At(commits[0].0.timestamp), &[("a", "0")]);
            let table = place.database.table("orders").expect("it is live");
            place.put(&table, "a", "8");
            place.tidy();
            place.clock.advance(1_001 * SECOND);
            place.put(&table, "a", "9");
            place.tidy();
            place.check_outside("orders", Target::At(commits[0].0.timestamp));
            place.check("orders", Target::Latest, &[("a", "9")]);
        }
    }
}

/// With one writer there are no shards to wait for. The latest instant of an open database goes on
/// with its clock; a bucket alone knows no more than what is sealed, and says so.
#[test]
fn case_23_the_latest_instant_of_an_idle_writer() {
    let place = Place::new();
    let table = place.table("orders", Retention::Forever);
    let last = place.put(&table, "a", "1");
    place.tidy();
    let reader = place.reader();
    for _ in 0..3 {
        place.clock.advance(3_600 * SECOND);
        let now = place.clock_now();
        let window = place.database.windows("orders").expect("it is protected")[0];
        assert_eq!((window.latest, window.last), (now, last.seq));
        place.check("orders", Target::At(now), &[("a", "1")]);
        let beyond = place.rows("orders", Target::At(Timestamp(now.0 + 1)));
        assert!(matches!(beyond, Err(Error::InFuture { .. })), "{beyond:?}");
        place.tidy();
        reader.refresh().expect("the bucket answers");
        let window = reader.windows("orders").expect("it is protected")[0];
        assert_eq!((window.latest, window.last), (just_before(last), last.seq));
        for unknown in [last.timestamp, just_after(last), now] {
            let answer = read(&reader, "orders", Target::At(unknown));
            assert!(matches!(answer, Err(Error::NotSealed { .. })), "{answer:?}");
        }
        let latest = read(&reader, "orders", Target::Latest).expect("it is sealed");
        assert_eq!(latest, state(&[("a", "1")]));
    }
    // One commit of any table, and all before it is known.
    let others = place.table("others", Retention::Forever);
    place.put(&others, "z", "1");
    place.tidy();
    assert!(reader.refresh().expect("the bucket answers"));
    let known = read(&reader, "orders", Target::At(just_after(last))).expect("it is sealed");
    assert_eq!(known, state(&[("a", "1")]));
}
