//! Changes made to the manifest they were decided on, to newer ones, twice and too late.

use foldback_log_tier::{KeyRange, Seq, TableId};
use proptest::prelude::*;

use super::*;
use crate::kept::Interval;
use crate::model::{Dice, Plane, Row};

const TABLE: TableId = TableId(3);
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// Twenty commits of one table, of which those up to `sealed` are sealed in twos.
fn plane(sealed: u64) -> Plane {
    let mut plane = Plane::new(1);
    plane.times = (1..=20).map(|seq| seq * 10).collect();
    let row = |seq| Row { table: TABLE, key: b'b', seq, value: Some(seq) };
    plane.events = (2..=20).map(row).collect();
    let (first, last, starts_empty) = (plane.commit(1), None, true);
    let retention_micros = None;
    let shortens = None;
    plane.intervals.push(Interval {
        table: TABLE,
        first,
        last,
        starts_empty,
        retention_micros,
        shortens,
    });
    (1..=sealed / 2).for_each(|half| plane.seal(half * 2));
    plane
}

fn made(change: &Change, plane: &Plane) -> &'static str {
    match change.apply(&plane.manifest, plane.publishing(0)) {
        Applied::Next(next) => {
            next.encode().expect("it keeps the rules");
            assert_eq!(next.number, plane.manifest.number + 1);
            "next"
        }
        Applied::Already => "already",
        Applied::Superseded => "superseded",
    }
}

fn base(plane: &mut Plane, at: u64) -> Vec<HistoryEntry> {
    let interval = plane.intervals[0];
    plane.base(&interval, at, &KeyRange::all(), b"c")
}

fn replacing(plane: &mut Plane, inputs: &[HistoryEntry]) -> Change {
    let output = plane.merged(inputs);
    Change::Replace { inputs: inputs.iter().map(|file| file.name.clone()).collect(), output }
}

fn expire(plane: &Plane, dropped: &[&HistoryEntry]) -> Change {
    let dropped = dropped.iter().map(|file| file.name.clone()).collect();
    Change::Expire(Expiry { decided_on: plane.manifest.number, dropped, ..Expiry::default() })
}

fn sweep(plane: &Plane, through: u64, forgotten: &[&HistoryEntry]) -> Change {
    let forgotten = forgotten.iter().map(|file| file.name.clone()).collect();
    Change::Sweep { decided_on: plane.manifest.number, through, forgotten }
}

#[test]
fn history_grows_by_what_follows_on_it() {
    let mut plane = plane(4);
    let [next, gap, double] = [plane.delta(5, 6), plane.delta(7, 8), plane.delta(4, 6)];
    assert_eq!(made(&Change::Seal(gap.clone()), &plane), "superseded");
    assert_eq!(made(&Change::Seal(double), &plane), "superseded");
    plane.apply(&Change::Seal(next.clone()), 0);
    assert_eq!(plane.manifest.sealed, next.last);
    assert_eq!(made(&Change::Seal(next), &plane), "already");
    assert_eq!(made(&Change::Seal(gap), &plane), "next");
}

#[test]
fn what_was_proved_only_rises() {
    let mut plane = plane(8);
    let proved = |plane: &Plane, seq: u64, on: i64| {
        let (at, on) = (plane.commit(seq), Timestamp(on));
        Change::Verified(Verified { table: TABLE, at, on })
    };
    let first = proved(&plane, 4, 100);
    plane.apply(&first, 0);
    assert_eq!(made(&first, &plane), "already");
    assert_eq!(made(&proved(&plane, 4, 99), &plane), "already");
    assert_eq!(made(&proved(&plane, 3, 200), &plane), "already");
    assert_eq!(made(&proved(&plane, 10, 200), &plane), "superseded", "it is not sealed");
    for (seq, on) in [(4, 101), (6, 50)] {
        let change = proved(&plane, seq, on);
        plane.apply(&change, 0);
        let known = Verified { table: TABLE, at: plane.commit(seq), on: Timestamp(on) };
        assert_eq!(plane.manifest.verified, [known]);
    }
    let other = Verified { table: TableId(1), at: plane.commit(2), on: Timestamp(1) };
    plane.apply(&Change::Verified(other), 0);
    assert_eq!(plane.manifest.verified.len(), 2);
    let over = Expiry { over: BTreeSet::from([TABLE]), ..Expiry::tick(plane.manifest.number) };
    plane.apply(&Change::Expire(over), 0);
    assert_eq!(plane.manifest.verified, [other], "nothing is left of the table");
}

#[test]
fn bases_are_added_all_or_none() {
    let mut plane = plane(4);
    let (files, above) = (base(&mut plane, 3), base(&mut plane, 5));
    assert_eq!(made(&Change::Add(above), &plane), "superseded");
    assert_eq!(made(&Change::Add(files.clone()), &plane), "next");
    let seal = Change::Seal(plane.delta(5, 6));
    plane.apply(&seal, 0);
    plane.apply(&Change::Add(files.clone()), 0);
    assert_eq!(made(&Change::Add(files.clone()), &plane), "already");
    let half_gone = expire(&plane, &[&files[0]]);
    plane.apply(&half_gone, 0);
    assert_eq!(made(&Change::Add(files), &plane), "superseded");
}

#[test]
fn deltas_are_replaced_while_all_are_listed() {
    let mut plane = plane(8);
    let inputs = plane.manifest.files[1..3].to_vec();
    let change = replacing(&mut plane, &inputs);
    let longer = plane.manifest.files[1..].to_vec();
    let rival = replacing(&mut plane, &longer);
    plane.apply(&change, 0);
    assert_eq!(made(&change, &plane), "already");
    assert_eq!(made(&rival, &plane), "superseded", "two of its inputs are gone");
    let seqs: Vec<_> = plane.manifest.files.iter().map(|file| file.first.seq.0).collect();
    assert_eq!(seqs, [1, 3, 7], "it stands where they stood");
    let removed: Vec<_> = plane.manifest.removed.iter().map(|removed| &removed.name).collect();
    assert_eq!(removed, [&inputs[0].name, &inputs[1].name]);
    assert!(plane.manifest.removed.iter().all(|file| file.since == plane.manifest.number));
    let gone = expire(&plane, &plane.manifest.files.iter().collect::<Vec<_>>());
    plane.apply(&gone, 0);
    assert_eq!(made(&change, &plane), "superseded", "what was listed never is again");
}

/// The decision allows a merge across a base of which little is read in vain; the change did not,
/// so that the same merge was done again and again, and never published.
#[test]
fn a_merge_across_a_base_is_judged_as_when_it_was_decided_on() {
    for (base_bytes, expected) in [(100_000, "next"), (0, "superseded")] {
        let mut plane = plane(8);
        let inputs = plane.manifest.files[1..3].to_vec();
        let change = replacing(&mut plane, &inputs);
        let mut files = base(&mut plane, 4);
        files.iter_mut().for_each(|file| file.bytes = file.bytes.max(base_bytes));
        plane.apply(&Change::Add(files), 0);
        assert_eq!(made(&change, &plane), expected);
    }
}

#[test]
fn what_was_decided_on_a_whole_manifest_goes_for_that_one_only() {
    let mut plane = plane(8);
    let first = plane.manifest.files[0].clone();
    let changes = [expire(&plane, &[&first]), sweep(&plane, 1, &[])];
    assert!(changes.iter().all(|change| made(change, &plane) == "next"));
    plane.apply(&Change::Confirm, 0);
    assert!(changes.iter().all(|change| made(change, &plane) == "superseded"));
}

#[test]
fn what_is_condemned_is_never_listed() {
    let mut plane = plane(4);
    let (files, delta) = (base(&mut plane, 3), plane.delta(5, 6));
    let inputs = plane.manifest.files.clone();
    let replace = replacing(&mut plane, &inputs);
    let condemned = sweep(&plane, plane.manifest.number, &[]);
    plane.apply(&condemned, 0);
    for change in [Change::Add(files), Change::Seal(delta), replace] {
        assert_eq!(made(&change, &plane), "superseded", "{change:?}");
    }
    let fresh = Change::Seal(plane.delta(5, 6));
    assert_eq!(made(&fresh, &plane), "next");
}

#[test]
fn a_writer_opens_an_epoch_and_others_carry_it_over() {
    let mut plane = plane(4);
    let (writer, compactor) = (WriterId::random(), WriterId::random());
    plane.apply(&Change::Open(writer), 0);
    assert_eq!((plane.manifest.epoch, plane.manifest.writer), (2, writer));
    assert_eq!(made(&Change::Open(writer), &plane), "already");
    let publishing = Publishing { publisher: compactor, ..plane.publishing(7) };
    let Applied::Next(next) = Change::Confirm.apply(&plane.manifest, publishing) else {
        panic!("a word can always be given");
    };
    let Manifest { epoch, publisher, published, .. } = *next;
    assert_eq!((epoch, next.writer), (2, writer));
    assert_eq!((publisher, published), (compactor, Timestamp(7)));
}

#[test]
fn the_clock_follows_in_bounded_steps_and_a_word_lifts_it() {
    let check = |clock: Timestamp, now: i64, expected: i64| {
        assert_eq!(moved_on(clock, Timestamp(now), DAY), Timestamp(expected), "{clock:?} {now}");
    };
    check(Timestamp::MIN, 5 * DAY, 5 * DAY);
    check(Timestamp(DAY), 2 * DAY, 2 * DAY);
    check(Timestamp(DAY), 2 * DAY + 1, DAY);
    check(Timestamp(DAY), 0, DAY);
    check(Timestamp(i64::MAX - 1), i64::MAX, i64::MAX);
    let mut plane = plane(0);
    plane.manifest.clock = Timestamp(DAY);
    let confirmed = |now: i64| {
        let publishing = Publishing { clock_step_max: DAY, ..plane.publishing(now) };
        match Change::Confirm.apply(&plane.manifest, publishing) {
            Applied::Next(next) => next.clock,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(confirmed(100 * DAY), Timestamp(100 * DAY));
    assert_eq!(confirmed(0), Timestamp(DAY), "not even a word sets it back");
}

/// A random change, decided on what a process last saw.
fn decide(plane: &mut Plane, dice: &mut Dice) -> Change {
    let sealed = plane.manifest.sealed.seq.0;
    let number = plane.manifest.number;
    let deltas = plane.manifest.files.iter().filter(|file| file.name.contains("delta"));
    let deltas: Vec<_> = deltas.cloned().collect();
    match dice.below(7) {
        0..=1 if sealed < plane.tip() => Change::Seal(plane.delta(sealed + 1, sealed + 1)),
        2 if sealed > 0 => Change::Add(base(plane, sealed)),
        3 if deltas.len() > 1 => replacing(plane, &deltas[..2]),
        4 => {
            let some: Vec<_> = plane.manifest.files.iter().filter(|_| dice.one_in(4)).collect();
            let Change::Expire(mut expiry) = expire(plane, &some) else { unreachable!("it is") };
            let earliest = plane.commit(dice.between(1, plane.tip()));
            expiry.floors = vec![Floor { table: TABLE, interval: Seq(1), earliest }];
            Change::Expire(expiry)
        }
        5 => {
            let removed = plane.manifest.removed.iter().map(|removed| removed.name.clone());
            let through = dice.below(number + 1);
            // Only what is condemned may be forgotten.
            let is_condemned = |name: &String| {
                let born = foldback_log_tier::names::parse_history(name).map(|name| name.born);
                born.is_some_and(|born| born <= through.max(plane.manifest.swept))
            };
            let forgotten = removed.filter(is_condemned).collect();
            Change::Sweep { decided_on: number, through, forgotten }
        }
        _ => Change::Open(WriterId::random()),
    }
}

proptest! {
    #[test]
    fn two_processes_with_stale_views_never_bring_a_name_back(seed in any::<u64>()) {
        let mut dice = Dice(seed);
        let mut newest = plane(0);
        let mut views = [newest.clone(), newest.clone()];
        let mut gone = BTreeSet::new();
        let mut pending = Vec::new();
        for step in 0..120 {
            let view = &mut views[usize::try_from(dice.below(2)).expect("it is small")];
            if dice.one_in(3) {
                view.manifest = newest.manifest.clone();
            }
            view.rows.clone_from(&newest.rows);
            let change = decide(view, &mut dice);
            newest.rows.clone_from(&view.rows);
            pending.push(change);
            let at = usize::try_from(dice.below(pending.len() as u64)).expect("it is small");
            let change = if dice.one_in(3) { pending[at].clone() } else { pending.remove(at) };
            let publishing = newest.publishing(step);
            let Applied::Next(next) = change.apply(&newest.manifest, publishing) else { continue };
            prop_assert!(next.encode().is_ok(), "{change:?}");
            let before = &newest.manifest;
            let listed = |manifest: &Manifest| -> BTreeSet<String> {
                manifest.files.iter().map(|file| file.name.clone()).collect()
            };
            gone.extend(listed(before).difference(&listed(&next)).cloned());
            prop_assert!(listed(&next).is_disjoint(&gone), "it came back by {change:?}");
            for file in next.files.iter().filter(|file| !is_listed(before, &file.name)) {
                prop_assert!(file.born() > before.swept, "{file:?} was condemned");
            }
            for floor in &before.floors {
                let above = next.floors.iter().find(|above| above.interval == floor.interval);
                prop_assert!(above.is_some_and(|above| above.earliest >= floor.earliest));
            }
            prop_assert!(next.clock >= before.clock && next.swept >= before.swept);
            prop_assert!(next.sealed >= before.sealed && next.epoch >= before.epoch);
            newest.manifest = *next;
        }
    }
}

/// A clock that was ahead had moved expiry's clock on, and what was dropped from then on stayed
/// until that time had come.
#[test]
fn what_goes_does_not_wait_for_a_clock_that_was_ahead() {
    let mut plane = plane(4);
    plane.manifest.clock = Timestamp(1_000 * DAY);
    let first = plane.manifest.files[0].clone();
    let publishing = Publishing { now: Timestamp(500), ..plane.publishing(0) };
    let Applied::Next(next) = expire(&plane, &[&first]).apply(&plane.manifest, publishing) else {
        panic!("it was decided on this manifest")
    };
    assert_eq!(next.removed[0].at, Timestamp(500));
    assert_eq!(next.clock, Timestamp(1_000 * DAY));
}
