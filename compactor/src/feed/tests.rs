//! How little a source holds among many.

use std::sync::Arc;

use foldback_log_tier::TableId;

use super::*;
use crate::merge::{Merge, Source};
use crate::test_bucket::{TestBucket, TestRow, commit};

#[test]
fn sources_share_what_their_runs_may_take() {
    for sources in 0..200 {
        let FeedBudget { run_bytes, reads_ahead, portion_bytes } = FeedBudget::shared_by(sources);
        let rows = portion_bytes * PORTIONS_HELD * sources;
        let few = sources <= ROWS_BYTES_MAX / PORTIONS_HELD / PORTION_BYTES_MIN;
        assert!(rows <= ROWS_BYTES_MAX || !few, "{sources} sources: {portion_bytes}");
        let runs = u64::try_from(sources).expect("few") * if reads_ahead { 2 } else { 1 };
        let bytes_max = u64::try_from(RUNS_BYTES_MAX).expect("small");
        assert!(run_bytes > 0 && run_bytes * runs <= bytes_max, "{sources} sources: {run_bytes}");
    }
}

/// Values that do not compress, of a quarter of a row group each.
fn rows(count: u32) -> Vec<TestRow> {
    rows_of(count, (1 << 19) - 100)
}

fn rows_of(count: u32, value_bytes: usize) -> Vec<TestRow> {
    let row = |key: u32| {
        let mut state = u64::from(key) + 1;
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        };
        let value = Some(std::iter::repeat_with(next).take(value_bytes).collect());
        TestRow { table: TableId(1), key: key.to_be_bytes().to_vec(), commit: commit(1), value }
    };
    (0..count).map(row).collect()
}

fn all_rows(file: &Arc<HistoryEntry>, groups: Vec<u32>) -> FeedReads {
    FeedReads { reads: vec![(Arc::clone(file), groups)], filter: RowFilter::all() }
}

#[test]
fn a_file_is_read_in_runs_whatever_the_budget() {
    let bucket = TestBucket::new();
    let rows = rows(80);
    let file = Arc::new(bucket.put_delta((1, 1), &rows));
    assert_eq!(file.tables[0].row_group_last, 19, "it has 40 MiB, 2 MiB a row group");
    let reading = bucket.reading();
    for (sources, requests) in [(1, 5), (8, 5), (16, 10), (200, 20)] {
        let before = bucket.remote().traffic();
        let reads = all_rows(&file, (0..20).collect());
        let budget = FeedBudget::shared_by(sources);
        let feed = reading.history.feed(reading.network, reads, budget);
        let mut merge = Merge::new([Source::history(feed)]).expect("it is sound");
        let mut expected = rows.iter();
        let mut compare = |row: foldback_log_tier::EventRow<'_>, _| {
            let expected = expected.next().expect("no row comes twice");
            assert!(expected.key == row.key && expected.value.as_deref() == row.value);
        };
        while merge.next_row(&mut compare).expect("it is sound").is_some() {}
        assert!(expected.next().is_none(), "a row is missing");
        let gets = bucket.remote().traffic().gets - before.gets;
        // The tail is read once, by the first.
        assert_eq!(gets - u64::from(sources == 1), requests, "one of {sources} sources");
    }
}

#[test]
fn a_run_that_cannot_be_read_is_an_error_after_the_rows_before_it() {
    use foldback_log_tier::Error;
    use foldback_log_tier::remote::{Fault, StoreCall};
    let bucket = TestBucket::new();
    let file = Arc::new(bucket.put_delta((1, 1), &rows(80)));
    // The tail and the first run are read, and nothing after them, however often it is asked for.
    let faults = [vec![Fault::None; 2], vec![Fault::Busy; 20]].concat();
    bucket.store().script(StoreCall::Get, &faults);
    let reading = bucket.reading();
    let reads = all_rows(&file, (0..20).collect());
    let feed = reading.history.feed(reading.network, reads, FeedBudget::shared_by(1));
    let mut merge = Merge::new([Source::history(feed)]).expect("it is sound");
    let mut taken = 0;
    let failed = loop {
        match merge.next_row(|_, _| taken += 1) {
            Ok(row) => row.expect("it came to an end"),
            Err(error) => break error,
        }
    };
    assert!(matches!(failed, Error::Store { .. }), "{failed}");
    assert_eq!(taken, 16, "four row groups of four rows each were in the first run");
}

#[test]
fn sources_never_hold_more_bytes_of_runs_than_their_budget() {
    const SOURCES: [usize; 4] = [1, 4, 16, 64];
    // Each row is a row group of about a mebibyte, so that 64 sources with one each are within.
    let rows = rows_of(24, 1_050_000);
    let bytes_max = u64::try_from(RUNS_BYTES_MAX).expect("small");
    for sources in SOURCES {
        // A bucket each: a feed may hold its last run a little longer than its last row is awaited.
        let bucket = TestBucket::new();
        let file = Arc::new(bucket.put_delta((1, 1), &rows));
        let groups: Vec<_> = (0..=file.tables[0].row_group_last).collect();
        assert_eq!(groups.len(), rows.len());
        let (reading, budget) = (bucket.reading(), FeedBudget::shared_by(sources));
        // The tail is read before, so that only runs are counted.
        let (history, of) = (Arc::clone(reading.history), Arc::clone(&file));
        reading.network.run(async move { history.tail(&of).await.map(drop) }).expect("sound");
        let _ = bucket.store().take_bytes_held_max();
        let sources_of = (0..sources).map(|_| {
            let reads = all_rows(&file, groups.clone());
            Source::history(reading.history.feed(reading.network, reads, budget))
        });
        let mut merge = Merge::new(sources_of).expect("it is sound");
        let mut taken = 0;
        while merge.next_row(|_, _| taken += 1).expect("it is sound").is_some() {}
        assert_eq!(taken, sources * rows.len());
        let held = bucket.store().take_bytes_held_max();
        assert!(held <= bytes_max, "{sources} sources held {held} of {bytes_max} bytes");
        // A good part of what is allowed is made use of, or the count counts nothing. How much at
        // once depends on how fast what is read ahead comes.
        let all = file.bytes * u64::try_from(sources).expect("few");
        assert!(held >= (bytes_max / 4).min(all / 4), "{sources} sources held {held}");
    }
}
