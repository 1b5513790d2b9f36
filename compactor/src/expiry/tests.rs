//! What is given up is what no instant from the horizon on needs, and all of that.

use foldback_log_tier::{Seq, TableId};
use proptest::prelude::*;

use super::*;
use crate::model::{Plane, Row};

const TABLE: TableId = TableId(3);
const OTHER: TableId = TableId(4);

/// The last commit of an interval at or before an instant, or its first.
fn resolved(plane: &Plane, interval: &Interval, at: Timestamp) -> Commit {
    let end = interval.last.map_or(plane.tip(), |last| last.seq.0 - 1);
    let commits = (interval.first.seq.0..=end).map(|seq| plane.commit(seq));
    commits.rev().find(|commit| commit.timestamp <= at).unwrap_or(interval.first)
}

/// Expires at `now` as often as there is something to expire, and checks each time.
fn expire(plane: &mut Plane, now: i64) {
    for _ in 0..3 {
        let before = plane.manifest.clone();
        let Some(expiry) = expiry(&before, (&plane.intervals, &plane.pins), Timestamp(now)) else {
            return;
        };
        plane.apply(&Change::Expire(expiry), now);
        for interval in &plane.intervals {
            check_interval(plane, &before, interval, now);
        }
        plane.check();
    }
    panic!("expiry at one instant finds no end");
}

fn check_interval(plane: &Plane, before: &Manifest, interval: &Interval, now: i64) {
    let floor = interval.floor(&plane.manifest);
    assert!(interval.floor(before) <= floor, "a floor went down: {interval:?}");
    if interval.is_over(&plane.manifest) {
        let of_it = |pin: &Pin| {
            (pin.interval.table, pin.interval.first) == (interval.table, interval.first)
        };
        let is_pinned = plane.pins.iter().any(of_it);
        let gone = is_pinned || interval.bases(&plane.manifest).next().is_none();
        assert!(gone, "nothing is left of it: {interval:?}");
        let last = interval.last.expect("only what has ended can be over");
        let horizon = interval.horizon(Timestamp(now)).expect("it has a retention");
        assert!(last.timestamp <= horizon);
        return;
    }
    let Some(horizon) = interval.horizon(Timestamp(now)) else {
        assert_eq!(floor, None, "what is kept for ever was given up");
        return;
    };
    let before_floor = interval.floor(before);
    assert!(floor == before_floor || floor.is_some_and(|floor| floor.timestamp <= horizon));
    if let Some(earliest) = interval.earliest(before) {
        let now_earliest = interval.earliest(&plane.manifest).expect("it had one before");
        assert!(now_earliest <= earliest.max(resolved(plane, interval, horizon)));
    }
}

/// Merges a random run of deltas, where a change allows that.
fn merge_some(plane: &mut Plane) {
    let deltas = plane.manifest.files.iter().filter(|file| file.kind == FileKind::Delta);
    let mut deltas: Vec<_> = deltas.cloned().collect();
    deltas.sort_by_key(|delta| delta.first.seq);
    let adjoin =
        |left: &HistoryEntry, right: &HistoryEntry| left.last.seq.next() == right.first.seq;
    let runs: Vec<_> = deltas.chunk_by(adjoin).map(<[_]>::to_vec).collect();
    for run in runs {
        let count = usize::try_from(plane.dice.between(1, 3)).expect("it is small");
        let run = &run[..count.min(run.len())];
        let output = plane.merged(run);
        let inputs = run.iter().map(|delta| delta.name.clone()).collect();
        let change = Change::Replace { inputs, output };
        if let Applied::Next(next) = change.apply(&plane.manifest, plane.publishing(0)) {
            plane.manifest = *next;
        }
    }
    plane.check();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_instant_from_the_horizon_on_stays_restorable(seed in any::<u64>()) {
        let mut plane = Plane::random(seed);
        plane.seal_at_random();
        let mut now = 1_000;
        for _ in 0..12 {
            now += i64::try_from(plane.dice.below(60)).expect("it is small");
            let at = usize::try_from(plane.dice.below(plane.intervals.len() as u64));
            let interval = plane.intervals[at.expect("it is small")];
            if !interval.is_over(&plane.manifest) {
                plane.add_bases(&interval);
                plane.check();
            }
            merge_some(&mut plane);
            plane.pin_at_random();
            expire(&mut plane, now);
        }
    }
}

/// Twenty commits of another table, and what is put to TABLE at some of them.
fn twenty(puts: &[u64], retention: Option<i64>) -> Plane {
    let mut plane = Plane::new(1);
    plane.times = (1..=20).map(|seq| seq * 10).collect();
    for table in [TABLE, OTHER] {
        let (first, last, starts_empty) = (plane.commit(1), None, true);
        let retention_micros = if table == TABLE { retention } else { Some(10) };
        let shortens = None;
        plane.intervals.push(Interval {
            table,
            first,
            last,
            starts_empty,
            retention_micros,
            shortens,
        });
    }
    for seq in 1..=20 {
        let row = |table| Row { table, key: b'b', seq, value: Some(seq) };
        plane.events.extend(puts.contains(&seq).then(|| row(TABLE)));
        plane.events.push(row(OTHER));
    }
    (1..=10).for_each(|half| plane.seal(half * 2));
    plane
}

fn add_base(plane: &mut Plane, table: TableId, at: u64) {
    let own = plane.intervals.iter().find(|interval| interval.table == table);
    let interval = *own.expect("both are protected");
    let base = plane.base(&interval, at, &KeyRange::all(), b"c");
    plane.apply(&Change::Add(base), 0);
}

fn deltas(plane: &Plane) -> Vec<u64> {
    let deltas = plane.manifest.files.iter().filter(|file| file.kind == FileKind::Delta);
    deltas.map(|delta| delta.last.seq.0).collect()
}

#[test]
fn a_table_that_was_written_once_keeps_its_state_and_loses_its_old_deltas() {
    let mut plane = twenty(&[2], Some(20));
    add_base(&mut plane, TABLE, 4);
    add_base(&mut plane, OTHER, 16);
    expire(&mut plane, 190);
    assert_eq!(deltas(&plane), [16, 18, 20]);
    let floor = plane.intervals[0].floor(&plane.manifest).map(|floor| floor.seq);
    assert_eq!(floor, Some(Seq(16)));
    assert_eq!(plane.read(&plane.intervals[0], 18, None), Ok([(b'b', 2)].into()));
    plane.check();
}

#[test]
fn a_table_that_never_had_a_row_holds_nothing_back() {
    let mut plane = twenty(&[], Some(20));
    add_base(&mut plane, OTHER, 16);
    expire(&mut plane, 190);
    assert_eq!(deltas(&plane), [16, 18, 20]);
    assert_eq!(plane.intervals[0].earliest(&plane.manifest), Some(plane.commit(16)));
}

#[test]
fn a_table_that_is_kept_for_ever_loses_nothing() {
    let mut plane = twenty(&[2, 9], None);
    add_base(&mut plane, TABLE, 4);
    add_base(&mut plane, OTHER, 16);
    expire(&mut plane, 1_000_000);
    assert_eq!(deltas(&plane).len(), 10);
    assert_eq!(plane.intervals[0].earliest(&plane.manifest), Some(plane.commit(1)));
}

/// A base that a newer one covers in part was said to hold for all its keys because those that it
/// still serves had no event: a restore then took the old state of the others from it.
#[test]
fn a_base_that_is_covered_in_part_is_not_said_to_hold_for_the_rest() {
    let mut plane = twenty(&[2, 9, 11], Some(20));
    add_base(&mut plane, TABLE, 4);
    let interval = plane.intervals[0];
    let part = KeyRange { from: bytes::Bytes::new(), until: Some("bb".into()) };
    let base = plane.base(&interval, 10, &KeyRange::all(), b"");
    let (newer, older) = (plane.base(&interval, 12, &part, &[]), base);
    plane.apply(&Change::Add(older), 0);
    plane.apply(&Change::Add(newer), 0);
    add_base(&mut plane, OTHER, 16);
    expire(&mut plane, 190);
    plane.check();
}

#[test]
fn a_base_that_came_too_late_to_be_of_use_goes() {
    let mut plane = twenty(&[2], Some(20));
    add_base(&mut plane, TABLE, 16);
    add_base(&mut plane, OTHER, 16);
    expire(&mut plane, 190);
    add_base(&mut plane, OTHER, 10);
    expire(&mut plane, 190);
    assert!(plane.manifest.files.iter().all(|file| file.last.seq >= Seq(16)));
}

#[test]
fn an_interval_that_is_wholly_too_old_leaves_nothing() {
    let mut plane = twenty(&[2, 9], Some(20));
    let ended = plane.commit(12);
    plane.intervals[0].last = Some(ended);
    add_base(&mut plane, TABLE, 4);
    add_base(&mut plane, OTHER, 16);
    expire(&mut plane, 139);
    assert!(!plane.intervals[0].is_over(&plane.manifest));
    expire(&mut plane, 140);
    assert!(plane.intervals[0].is_over(&plane.manifest));
    assert_eq!(plane.intervals[0].earliest(&plane.manifest), None);
    assert!(plane.manifest.files.iter().all(|file| !file.is_base_of(TABLE)));
}

fn pin(plane: &Plane, at: u64) -> Pin {
    let interval = plane.intervals[0];
    let empty_since = interval.floor(&plane.manifest).unwrap_or(interval.first).seq;
    Pin { interval, at: Seq(at), empty_since }
}

#[test]
fn a_pin_keeps_what_its_commit_reads_until_it_goes_and_nothing_more() {
    let mut plane = twenty(&[2, 5, 7, 13], Some(20));
    add_base(&mut plane, TABLE, 4);
    add_base(&mut plane, TABLE, 16);
    add_base(&mut plane, OTHER, 16);
    plane.pins = vec![pin(&plane, 7)];
    expire(&mut plane, 190);
    assert_eq!(deltas(&plane), [6, 8, 16, 18, 20]);
    let bases = plane.manifest.files.iter().filter(|file| file.is_base_of(TABLE));
    assert_eq!(bases.map(|base| base.last.seq.0).collect::<Vec<_>>(), [4, 4, 16, 16]);
    plane.pins.clear();
    expire(&mut plane, 190);
    assert_eq!(deltas(&plane), [16, 18, 20]);
}

/// The floor of a table that never had a base rises with the horizon; a pin below it still reads
/// all events since the table was known to be empty.
#[test]
fn a_pin_of_a_table_without_a_base_outlives_its_interval() {
    let mut plane = twenty(&[9], Some(20));
    add_base(&mut plane, OTHER, 4);
    expire(&mut plane, 80);
    let floor = plane.intervals[0].floor(&plane.manifest).map(|floor| floor.seq);
    assert_eq!(floor, Some(Seq(6)), "nothing has come to it yet");
    plane.pins = vec![pin(&plane, 10)];
    let ended = plane.commit(12);
    plane.intervals[0].last = Some(ended);
    add_base(&mut plane, OTHER, 18);
    expire(&mut plane, 200);
    assert!(plane.intervals[0].is_over(&plane.manifest));
    assert_eq!(deltas(&plane), [8, 10, 18, 20]);
}
