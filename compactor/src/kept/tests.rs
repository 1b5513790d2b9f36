//! What is kept is enough to restore every instant that is promised, by a brute-force model.

use proptest::prelude::*;

use super::*;
use crate::change::Change;
use crate::model::Plane;

const TABLE: TableId = TableId(3);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_advertised_state_follows_from_what_is_needed(seed in any::<u64>()) {
        let mut plane = Plane::random(seed);
        plane.seal_at_random();
        for interval in plane.intervals.clone() {
            plane.add_bases(&interval);
        }
        plane.check();
        for interval in &plane.intervals {
            let earliest = interval.earliest(&plane.manifest);
            if interval.starts_empty {
                prop_assert_eq!(earliest, Some(interval.first), "nothing was given up");
            }
        }
        let kept = Kept::new(&plane.manifest, &plane.intervals, &plane.pins);
        for delta in plane.manifest.files.iter().filter(|file| file.kind == FileKind::Delta) {
            // What counts as dead is of tables of which no row is needed.
            let dead = delta.tables.iter().filter(|entry| {
                let own = plane.rows[&delta.name].iter().filter(|row| row.table == entry.table);
                own.into_iter().all(|row| !kept.needs_rows(row.table, &(Seq(row.seq)..=Seq(row.seq))))
            });
            let bytes: u64 = dead.map(|entry| entry.bytes).sum();
            prop_assert!(kept.dead_bytes(delta) <= bytes);
        }
    }
}

/// Ten commits, of which each is sealed alone, and a put at every one.
fn ten(intervals: &[(u64, Option<u64>, bool)]) -> Plane {
    let mut plane = Plane::new(1);
    plane.times = (1..=10).map(|seq| seq * 10).collect();
    let interval = |(first, last, starts_empty): &(u64, Option<u64>, bool)| Interval {
        table: TABLE,
        first: plane.commit(*first),
        last: last.map(|last| plane.commit(last)),
        starts_empty: *starts_empty,
        retention_micros: None,
        shortens: None,
    };
    plane.intervals = intervals.iter().map(interval).collect();
    let row = |seq| crate::model::Row { table: TABLE, key: b'a', seq, value: Some(seq) };
    plane.events = (1..=10).map(row).collect();
    (1..=10).for_each(|seq| plane.seal(seq));
    plane
}

#[test]
fn an_interval_that_did_not_start_empty_begins_with_its_first_whole_base() {
    let mut plane = ten(&[(2, None, false)]);
    let interval = plane.intervals[0];
    assert_eq!(interval.earliest(&plane.manifest), None);
    let keys = KeyRange { from: bytes::Bytes::new(), until: Some("c".into()) };
    let part = plane.base(&interval, 4, &keys, &[]);
    plane.apply(&Change::Add(part), 100);
    assert_eq!(interval.earliest(&plane.manifest), None, "it lacks keys");
    let whole = plane.base(&interval, 6, &KeyRange::all(), b"c");
    plane.apply(&Change::Add(whole), 100);
    assert_eq!(interval.earliest(&plane.manifest), Some(plane.commit(6)));
    plane.check();
}

#[test]
fn a_lost_delta_moves_the_earliest_state_to_the_base_after_it() {
    let mut plane = ten(&[(1, None, true)]);
    let interval = plane.intervals[0];
    plane.manifest.files.retain(|file| file.first.seq != Seq(5));
    assert_eq!(interval.earliest(&plane.manifest), None);
    let base = plane.base(&interval, 7, &KeyRange::all(), &[]);
    plane.manifest.files.extend(base);
    assert_eq!(interval.earliest(&plane.manifest), Some(plane.commit(7)));
}

#[test]
fn rows_of_a_gap_and_of_what_is_over_are_not_needed() {
    let mut plane = ten(&[(1, Some(4), true), (7, None, true)]);
    let needed = |plane: &Plane| {
        let kept = Kept::new(&plane.manifest, &plane.intervals, &plane.pins);
        (1..=10).filter(|seq| kept.needs_rows(TABLE, &(Seq(*seq)..=Seq(*seq)))).collect::<Vec<_>>()
    };
    assert_eq!(needed(&plane), [2, 3, 8, 9, 10]);
    let (interval, earliest) = (Seq(1), plane.commit(4));
    plane.manifest.floors =
        vec![foldback_log_tier::manifest::Floor { table: TABLE, interval, earliest }];
    assert!(plane.intervals[0].is_over(&plane.manifest));
    assert_eq!(needed(&plane), [8, 9, 10]);
    assert!(!plane.intervals[1].is_over(&plane.manifest));
}

#[test]
fn what_is_not_known_of_is_kept() {
    let plane = ten(&[(1, None, true)]);
    let other = Interval { table: TableId(9), first: plane.commit(9), ..plane.intervals[0] };
    let kept = Kept::new(&plane.manifest, &[other], &[]);
    assert!(kept.needs_rows(TABLE, &(Seq(5)..=Seq(5))));
    let with_rows = plane.manifest.files.iter().filter(|file| !file.tables.is_empty());
    assert!(with_rows.clone().all(|file| kept.needs_file(file) && kept.dead_bytes(file) == 0));
    assert_eq!(with_rows.count(), 9);
}
