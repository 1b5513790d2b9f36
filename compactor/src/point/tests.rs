//! Point reads of a file against a look at all of its rows, and what they ask the store for.

use foldback_log_tier::manifest::HistoryEntry;

use super::*;
use crate::test_bucket::{TestBucket, TestRow, commit};

const TABLE: TableId = TableId(3);

/// Events of keys 10, 20, … with gaps between, of several row groups: of one key more than one
/// row group holds, so that its events span some.
fn rows() -> Vec<TestRow> {
    let mut rows = Vec::new();
    for key in (10..100_u8).step_by(10) {
        let versions = if key == 50 { 900 } else { 9 };
        for version in (0..versions).rev() {
            let seq = 5 + version * 2;
            // What does not compress, so that row groups end.
            let noise = (0..16_384_u32).map(|at| {
                let mixed = (u64::from(at) + seq * 977 + u64::from(key)).wrapping_mul(0x9e37_79b9);
                (mixed ^ (mixed >> 13)).to_le_bytes()[1]
            });
            let value = (version % 3 != 0).then(|| noise.collect());
            rows.push(TestRow { table: TABLE, key: vec![key], commit: commit(seq), value });
        }
    }
    rows
}

fn look(
    bucket: &TestBucket,
    file: &Arc<HistoryEntry>,
    sought: EventSought<'_>,
) -> Option<Option<Vec<u8>>> {
    let reading = bucket.reading();
    let found = reading.history.newest_event(reading.network, file, sought);
    found.expect("all is sound").map(|value| value.map(|value| value.to_vec()))
}

#[test]
fn the_newest_event_of_a_key_is_found_or_not() {
    let (bucket, rows) = (TestBucket::new(), rows());
    let file = Arc::new(bucket.put_delta((1, 2_000), &rows));
    assert!(file.tables[0].row_group_last > 2, "there are several row groups");
    for key in [0, 9, 10, 15, 20, 50, 55, 90, 99_u8] {
        for (floor, target) in [
            (0, 4),
            (0, 5),
            (0, 6),
            (5, 6),
            (4, 7),
            (0, 21),
            (20, 22),
            (0, 600),
            (599, 900),
            (900, 1_700),
        ] {
            let (floor, target) = (Seq(floor), Seq(target));
            let key = [key];
            let sought = EventSought { table: TABLE, key: &key, floor, target };
            let counts = |row: &&TestRow| {
                row.key == key && floor < row.commit.seq && row.commit.seq <= target
            };
            let newest = rows.iter().filter(counts).max_by_key(|row| row.commit.seq);
            let expected = newest.map(|row| row.value.clone());
            assert_eq!(look(&bucket, &file, sought), expected, "{sought:?}");
            let other = EventSought { table: TableId(2), ..sought };
            assert_eq!(look(&bucket, &file, other), None, "{other:?}");
        }
    }
}

#[test]
fn what_is_in_memory_is_not_asked_for_again() {
    let bucket = TestBucket::new();
    let file = Arc::new(bucket.put_delta((1, 2_000), &rows()));
    let sought = EventSought { table: TABLE, key: &[20], floor: Seq::ZERO, target: Seq(2_000) };
    let requests = || bucket.remote().traffic().requests();
    let before = requests();
    assert!(look(&bucket, &file, sought).is_some());
    assert_eq!(requests() - before, 2, "the tail, and all pages that are needed");
    assert!(look(&bucket, &file, sought).is_some());
    assert_eq!(requests() - before, 2, "all were in memory");
    assert!(look(&bucket, &file, EventSought { target: Seq(5), ..sought }).is_some());
    assert_eq!(requests() - before, 3, "the page of another value");
    assert!(look(&bucket, &file, EventSought { key: &[21], ..sought }).is_none());
    assert_eq!(requests() - before, 3, "the filter leaves the key out");
    bucket.reading().history.set_cache_bytes(0);
    assert!(look(&bucket, &file, sought).is_some());
    assert!(look(&bucket, &file, sought).is_some());
    assert_eq!(requests() - before, 5, "no page may be kept, and one request reads all");
}
