//! The next job, from small manifests and logs.

use foldback_log_tier::history::FileKind;
use foldback_log_tier::manifest::{Removed, Scope};
use foldback_log_tier::{Commit, KeyRange, Seq, names};

use super::*;
use crate::model::{Plane, Row};

mod endings;

const ORDERS: TableId = TableId(3);
const STOCK: TableId = TableId(4);
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// Few and small: four deltas are merged, up to 1,000 bytes, and ten bytes are folded.
const POLICY: Policy = Policy {
    fold_ratio: 1.0,
    fold_bytes_min: 10,
    fold_files_max: 64,
    merge_fanout: 4,
    file_bytes_target: 1_000,
    grace_micros: 100,
};

fn segment(first: u64, last: u64, sealed: bool) -> SegmentInfo {
    let (first_timestamp, last_timestamp) = (Timestamp(0), Timestamp(0));
    let (first, last) = (Seq(first), Seq(last));
    SegmentInfo { first, last, first_timestamp, last_timestamp, bytes: 64, sealed }
}

/// Twenty commits, none of them in a file yet.
fn ground() -> Plane {
    let mut plane = Plane::new(1);
    plane.times = (1..=20).map(|seq| seq * 10).collect();
    plane.manifest.sealed = plane.commit(20);
    plane.row_bytes = 1;
    plane
}

fn protect(plane: &mut Plane, table: TableId, first: u64, starts_empty: bool) {
    let (first, last, retention_micros) = (plane.commit(first), None, None);
    let shortens = None;
    plane.intervals.push(Interval { table, first, last, starts_empty, retention_micros, shortens });
}

/// A delta with so many bytes of each of these tables.
fn delta(plane: &mut Plane, (first, last): (u64, u64), tables: &[(TableId, u64)]) {
    let row = |table, seq| Row { table, key: b'b', seq, value: Some(1) };
    let rows = tables.iter().flat_map(|(table, _)| [row(*table, first), row(*table, last)]);
    let mut file = plane.file((FileKind::Delta, first, last), None, rows.collect());
    resize(&mut file, tables);
    plane.manifest.files.push(file);
}

fn base(plane: &mut Plane, table: TableId, at: u64, bytes: u64) {
    base_of(plane, table, at, (KeyRange::all(), bytes));
}

fn base_of(plane: &mut Plane, table: TableId, at: u64, (keys, bytes): (KeyRange, u64)) {
    let key = keys.from.first().copied().unwrap_or(b'a');
    let row = Row { table, key, seq: at, value: Some(1) };
    let scope = Some(Scope { table, keys });
    let mut file = plane.file((FileKind::Base, at, at), scope, vec![row]);
    resize(&mut file, &[(table, bytes)]);
    plane.manifest.files.push(file);
}

fn resize(file: &mut HistoryEntry, tables: &[(TableId, u64)]) {
    for (entry, (_, bytes)) in file.tables.iter_mut().zip(tables) {
        entry.bytes = *bytes;
    }
    file.bytes = tables.iter().map(|(_, bytes)| bytes).sum();
}

fn inputs<'a>(plane: &'a Plane, avoid: &'a BTreeSet<String>) -> JobInputs<'a> {
    JobInputs {
        duty: Duty::Upkeep,
        manifest: &plane.manifest,
        segments: &[],
        intervals: &plane.intervals,
        pins: &plane.pins,
        policy: POLICY,
        now: Timestamp(200),
        around: None,
        avoid,
    }
}

fn upkeep(plane: &Plane) -> String {
    shown(next_job(inputs(plane, &BTreeSet::new())))
}

fn sealing(plane: &Plane, segments: &[SegmentInfo]) -> String {
    let avoid = BTreeSet::new();
    shown(next_job(JobInputs { duty: Duty::Sealing, segments, ..inputs(plane, &avoid) }))
}

/// The job in a few words.
fn shown(job: Option<Job>) -> String {
    let names = |files: &[HistoryEntry]| {
        let short = |file: &HistoryEntry| format!(", {} {}", file.first.seq, file.last.seq);
        files.iter().map(short).collect::<String>()
    };
    match job {
        None => "nothing".to_owned(),
        Some(Job::Seal(info)) => format!("seal {} to {}", info.first, info.last),
        Some(Job::Base(table)) => format!("base of {table}"),
        Some(Job::Look) => "look".to_owned(),
        Some(Job::Expire(expiry)) => format!("expire {}", expiry.dropped.len()),
        Some(Job::Sweep(sweeping)) => format!("sweep {}", sweeping.objects.len()),
        Some(Job::Merge(deltas)) => format!("merge{}", names(&deltas)),
        Some(Job::Fold(FoldInputs { table, at, base, floor, deltas, .. })) => {
            let (base, deltas) = (names(&base), names(&deltas));
            format!("fold {table} above {floor} at {}:{base};{deltas}", at.seq)
        }
    }
}

#[test]
fn the_oldest_segment_that_history_lacks_is_sealed_first() {
    let [one, two, three] = [segment(1, 4, true), segment(5, 8, true), segment(9, 9, false)];
    let mut plane = ground();
    let mut check = |sealed: u64, segments: &[SegmentInfo], expected: &str| {
        plane.manifest.sealed = plane.commit(sealed);
        assert_eq!(sealing(&plane, segments), expected, "sealed up to {sealed}");
    };
    check(0, &[], "nothing");
    check(0, &[three], "nothing");
    check(0, &[one, two, three], "seal 1 to 4");
    check(4, &[one, two, three], "seal 5 to 8");
    check(8, &[one, two, three], "nothing");
    // History may end inside a segment: after a recovery it can.
    check(6, &[one, two, three], "seal 5 to 8");
    protect(&mut plane, ORDERS, 2, false);
    plane.manifest.sealed = Commit::ORIGIN;
    let job = sealing(&plane, &[one, segment(5, 4, false)]);
    assert_eq!(job, "seal 1 to 4", "what is only here goes before what is not there yet");
    assert_eq!(sealing(&plane, &[]), "base of 3");
    assert_eq!(upkeep(&plane), "nothing", "upkeep is another duty");
}

#[test]
fn a_table_that_had_keys_gets_a_base_of_its_own_interval() {
    let check = |starts_empty: bool, bases: &[(TableId, u64)], expected: &str| {
        let mut plane = ground();
        protect(&mut plane, ORDERS, 5, starts_empty);
        bases.iter().for_each(|(table, at)| base(&mut plane, *table, *at, 5));
        assert_eq!(sealing(&plane, &[]), expected, "{bases:?}");
    };
    check(true, &[], "nothing");
    check(false, &[], "base of 3");
    check(false, &[(ORDERS, 5)], "nothing");
    check(false, &[(ORDERS, 7)], "nothing");
    check(false, &[(ORDERS, 4)], "base of 3");
    check(false, &[(STOCK, 7)], "base of 3");
    let mut plane = ground();
    protect(&mut plane, ORDERS, 5, false);
    plane.intervals[0].last = Some(plane.commit(9));
    assert_eq!(sealing(&plane, &[]), "nothing", "its state of then is not to be had any more");
    protect(&mut plane, STOCK, 6, false);
    assert_eq!(sealing(&plane, &[]), "base of 4");
}

/// A plane with a delta of so many bytes for every two commits.
fn in_twos(count: u64, bytes: u64) -> Plane {
    let mut plane = ground();
    for at in 0..count {
        delta(&mut plane, (at * 2 + 1, at * 2 + 2), &[(ORDERS, bytes)]);
    }
    plane
}

#[test]
fn adjacent_deltas_of_one_size_are_merged() {
    let four = "merge, 1 2, 3 4, 5 6, 7 8";
    assert_eq!(upkeep(&in_twos(3, 5)), "nothing");
    assert_eq!(upkeep(&in_twos(4, 5)), four);
    let mut plane = in_twos(5, 5);
    assert_eq!(upkeep(&plane), four);
    plane.manifest.files.reverse();
    assert_eq!(upkeep(&plane), four);
    plane.manifest.files.remove(2);
    assert_eq!(upkeep(&plane), "nothing", "a gap ends a run");
    assert_eq!(upkeep(&in_twos(4, 300)), "nothing", "what would be too large stays apart");
    let mut scoped = in_twos(5, 5);
    for file in &mut scoped.manifest.files {
        file.scope = Some(Scope { table: ORDERS, keys: KeyRange::all() });
    }
    assert_eq!(upkeep(&scoped), "nothing");
    let plane = in_twos(5, 5);
    let avoid = BTreeSet::from([plane.manifest.files[1].name.clone()]);
    assert_eq!(shown(next_job(inputs(&plane, &avoid))), "nothing");
    let avoid = BTreeSet::from([plane.manifest.files[0].name.clone()]);
    assert_eq!(shown(next_job(inputs(&plane, &avoid))), "merge, 3 4, 5 6, 7 8, 9 10");
}

#[test]
fn deltas_are_merged_across_a_base_only_if_little_is_read_in_vain() {
    let check = |at: u64, bytes: u64, expected: &str| {
        let mut plane = in_twos(5, 5);
        base(&mut plane, ORDERS, at, bytes);
        assert_eq!(upkeep(&plane), expected, "a base at {at} of {bytes} bytes");
    };
    check(6, 1, "nothing");
    check(2, 1, "merge, 3 4, 5 6, 7 8, 9 10");
    // Three deltas of five bytes lie below it: an eighth of 120.
    check(6, 120, "merge, 1 2, 3 4, 5 6, 7 8");
    check(6, 119, "merge, 3 4, 5 6, 7 8, 9 10");
    check(6, 79, "nothing");
    check(8, 1, "merge, 1 2, 3 4, 5 6, 7 8");
    // What it is known to hold to counts.
    let mut plane = in_twos(4, 5);
    base(&mut plane, ORDERS, 3, 1);
    assert_eq!(upkeep(&plane), "nothing");
    plane.manifest.files[4].until = Some(plane.commit(8));
    assert_eq!(upkeep(&plane), "merge, 1 2, 3 4, 5 6, 7 8");
}

#[test]
fn rows_that_nobody_needs_are_left_out_once_they_are_half_of_much() {
    let check = |(orders, stock): (u64, u64), expected: &str| {
        let mut plane = ground();
        protect(&mut plane, STOCK, 1, true);
        protect(&mut plane, ORDERS, 1, true);
        plane.intervals[1].last = Some(plane.commit(4));
        delta(&mut plane, (5, 20), &[(ORDERS, orders), (STOCK, stock)]);
        let mut policy = POLICY;
        policy.fold_bytes_min = u64::MAX;
        let job = next_job(JobInputs { policy, ..inputs(&plane, &BTreeSet::new()) });
        assert_eq!(shown(job), expected, "{orders} {stock}");
    };
    check((64 * 1024, 64 * 1024), "merge, 5 20");
    check((64 * 1024, 64 * 1024 + 1), "nothing");
    check((64 * 1024 - 1, 10), "nothing");
}

#[test]
fn a_table_is_folded_once_its_deltas_outweigh_its_base() {
    let check = |starts_empty: bool, files: &[(u64, u64, u64)], expected: &str| {
        let mut plane = ground();
        protect(&mut plane, ORDERS, if starts_empty { 1 } else { 4 }, starts_empty);
        for (first, last, bytes) in files {
            match first == last {
                true => base(&mut plane, ORDERS, *last, *bytes),
                false => delta(&mut plane, (*first, *last), &[(ORDERS, *bytes)]),
            }
        }
        assert_eq!(upkeep(&plane), expected, "{files:?}");
    };
    check(true, &[(1, 20, 9)], "nothing");
    check(true, &[(1, 20, 10)], "fold 3 above 1 at 20:;, 1 20");
    check(false, &[(9, 9, 50), (1, 9, 99), (10, 20, 49)], "nothing");
    let due = [(9, 9, 50), (1, 9, 99), (10, 20, 50), (5, 5, 1)];
    check(false, &due, "fold 3 above 9 at 20:, 9 9;, 10 20");
    check(false, &[(1, 20, 99)], "nothing");
    let mut plane = ground();
    protect(&mut plane, ORDERS, 4, false);
    base(&mut plane, ORDERS, 9, 50);
    delta(&mut plane, (10, 20), &[(STOCK, 500)]);
    assert_eq!(upkeep(&plane), "nothing", "that is of others");
}

#[test]
fn many_deltas_are_folded_however_small_they_are() {
    let mut plane = in_twos(3, 1);
    protect(&mut plane, ORDERS, 0, true);
    let mut policy = POLICY;
    let next = |policy| shown(next_job(JobInputs { policy, ..inputs(&plane, &BTreeSet::new()) }));
    assert_eq!(next(policy), "nothing");
    policy.fold_files_max = 3;
    assert_eq!(next(policy), "fold 3 above 0 at 20:;, 1 2, 3 4, 5 6");
}

#[test]
fn a_fold_reaches_no_further_down_than_the_interval_that_is_open() {
    // A delta that spans the gap between two intervals holds events of the first: a fold that took
    // them brought keys back that had been deleted in the gap.
    let mut plane = ground();
    protect(&mut plane, ORDERS, 1, true);
    plane.intervals[0].last = Some(plane.commit(8));
    protect(&mut plane, ORDERS, 12, true);
    delta(&mut plane, (1, 20), &[(ORDERS, 50)]);
    base(&mut plane, ORDERS, 6, 1);
    assert_eq!(upkeep(&plane), "fold 3 above 12 at 20:;, 1 20");
    let mut plane = ground();
    protect(&mut plane, ORDERS, 12, true);
    delta(&mut plane, (1, 12), &[(ORDERS, 50)]);
    assert_eq!(upkeep(&plane), "nothing");
}

#[test]
fn the_table_with_most_to_fold_for_its_size_goes_first() {
    let mut plane = ground();
    protect(&mut plane, ORDERS, 1, true);
    protect(&mut plane, STOCK, 1, true);
    base(&mut plane, ORDERS, 5, 10);
    base(&mut plane, STOCK, 5, 100);
    delta(&mut plane, (6, 20), &[(ORDERS, 30), (STOCK, 200)]);
    assert_eq!(upkeep(&plane), "fold 3 above 5 at 20:, 5 5;, 6 20");
    let base_of_orders = BTreeSet::from([plane.manifest.files[0].name.clone()]);
    let job = shown(next_job(inputs(&plane, &base_of_orders)));
    assert_eq!(job, "fold 4 above 5 at 20:, 5 5;, 6 20", "what cannot be read is avoided");
}

#[test]
fn a_large_table_is_folded_file_by_file() {
    let mut plane = ground();
    protect(&mut plane, ORDERS, 1, true);
    let ends = |from: &'static str, until: Option<&'static str>| KeyRange {
        from: from.into(),
        until: until.map(Into::into),
    };
    base_of(&mut plane, ORDERS, 5, (ends("", Some("c")), 600));
    base_of(&mut plane, ORDERS, 5, (ends("c", None), 600));
    delta(&mut plane, (6, 20), &[(ORDERS, 700)]);
    let job = next_job(inputs(&plane, &BTreeSet::new()));
    let Some(Job::Fold(fold)) = job else { panic!("{job:?}") };
    assert_eq!((fold.keys, fold.base.len()), (ends("", Some("c")), 1), "its keys are all b");
    let mut policy = POLICY;
    policy.file_bytes_target = 1_900;
    policy.fold_ratio = 0.1;
    let job = next_job(JobInputs { policy, ..inputs(&plane, &BTreeSet::new()) });
    let Some(Job::Fold(fold)) = job else { panic!("{job:?}") };
    assert_eq!((fold.keys, fold.base.len()), (KeyRange::all(), 2), "all of it makes one file");
}

/// One event of a table without a base kept the deltas of all tables for ever.
#[test]
fn a_few_old_events_are_folded_if_they_hold_more_back() {
    let next = |retention: Option<i64>| {
        let mut plane = ground();
        protect(&mut plane, ORDERS, 1, true);
        plane.intervals[0].retention_micros = retention;
        delta(&mut plane, (2, 3), &[(ORDERS, 5)]);
        delta(&mut plane, (4, 10), &[(STOCK, 500)]);
        delta(&mut plane, (11, 20), &[(STOCK, 500)]);
        upkeep(&plane)
    };
    assert_eq!(next(None), "nothing");
    assert_eq!(next(Some(150)), "nothing", "only so little is too old by then");
    assert_eq!(next(Some(100)), "fold 3 above 1 at 20:;, 2 3");
}

fn looked(plane: &Plane, store_now: i64) -> Surroundings {
    Surroundings {
        looked_on: plane.manifest.number,
        store_now: Timestamp(store_now),
        leases: Vec::new(),
        manifests: Vec::new(),
        history: Vec::new(),
        scratch: Vec::new(),
    }
}

/// A table whose first half can expire, and a file that was removed.
fn old() -> Plane {
    let mut plane = ground();
    plane.manifest.clock = Timestamp(200);
    protect(&mut plane, ORDERS, 1, true);
    plane.intervals[0].retention_micros = Some(50);
    delta(&mut plane, (2, 9), &[(ORDERS, 5)]);
    delta(&mut plane, (10, 20), &[(ORDERS, 5)]);
    base(&mut plane, ORDERS, 12, 100);
    plane
}

#[test]
fn a_look_is_asked_for_before_anything_goes() {
    let plane = old();
    assert_eq!(upkeep(&plane), "look");
    let (avoid, around) = (BTreeSet::new(), looked(&plane, 200));
    let after = |around| shown(next_job(JobInputs { around, ..inputs(&plane, &avoid) }));
    assert_eq!(after(Some(&around)), "expire 1");
    let behind = looked(&plane, 100);
    assert_eq!(after(Some(&behind)), "nothing", "the store's clock is behind");
    let mut plane = ground();
    plane.manifest.clock = Timestamp(200);
    assert_eq!(upkeep(&plane), "nothing");
    let mut removed = |at: i64| {
        delta(&mut plane, (1, 2), &[(ORDERS, 5)]);
        let name = plane.manifest.files.pop().expect("it was just pushed").name;
        plane.manifest.removed = vec![Removed { name, bytes: 5, since: 1, at: Timestamp(at) }];
        upkeep(&plane)
    };
    assert_eq!(removed(101), "nothing", "its grace is not over");
    assert_eq!(removed(100), "look");
}

#[test]
fn a_clock_that_leaps_by_a_century_expires_and_sweeps_nothing() {
    let mut plane = old();
    plane.times.iter_mut().for_each(|at| *at += 100_000 * DAY - 200);
    let far = 100_000 * DAY;
    delta(&mut plane, (1, 1), &[(ORDERS, 5)]);
    let name = plane.manifest.files.pop().expect("it was just pushed").name;
    plane.manifest.removed = vec![Removed { name, bytes: 5, since: 1, at: Timestamp(200) }];
    for file in &mut plane.manifest.files {
        for commit in [&mut file.first, &mut file.last] {
            commit.timestamp = commit.timestamp.saturating_add_micros(1_000);
        }
    }
    plane.manifest.sealed.timestamp = Timestamp(far);
    let mut around = looked(&plane, far);
    around.manifests = vec![foldback_log_tier::remote::ListedObject {
        name: names::manifest(1),
        bytes: 1,
        modified: Timestamp(0),
    }];
    let next = |plane: &Plane, around| {
        let avoid = BTreeSet::new();
        shown(next_job(JobInputs { around, now: Timestamp(far), ..inputs(plane, &avoid) }))
    };
    assert_eq!(next(&plane, None), "nothing");
    assert_eq!(next(&plane, Some(&around)), "nothing");
    // As an operator's word does.
    plane.manifest.clock = Timestamp(far);
    assert_eq!(next(&plane, None), "look");
    assert_eq!(next(&plane, Some(&around)), "expire 1");
    plane.intervals.clear();
    plane.manifest.files.clear();
    assert_eq!(next(&plane, Some(&around)), "sweep 1");
}

#[test]
fn what_costs_least_goes_first() {
    let mut plane = old();
    for first in [13, 15, 17, 19] {
        delta(&mut plane, (first, first + 1), &[(ORDERS, 40)]);
    }
    plane.manifest.files.remove(1);
    let around = looked(&plane, 200);
    let avoid = BTreeSet::new();
    let next = |plane: &Plane| {
        shown(next_job(JobInputs { around: Some(&around), ..inputs(plane, &avoid) }))
    };
    assert_eq!(next(&plane), "expire 1");
    plane.intervals[0].retention_micros = None;
    assert_eq!(next(&plane), "merge, 13 14, 15 16, 17 18, 19 20");
    plane.manifest.files.remove(2);
    assert_eq!(next(&plane), "fold 3 above 12 at 20:, 12 12;, 15 16, 17 18, 19 20");
}
