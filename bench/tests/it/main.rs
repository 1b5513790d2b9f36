//! What a long run may cost: to keep, by default settings, and to restore from; and the suites as
//! commands.

mod engines;
mod suites;

mod instructions;

use foldback_bench::{GrowthOptions, Spread, StorageOptions, StorageRow, growth, storage};

fn run(spread: Spread) -> StorageRow {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let options = StorageOptions {
        directory: directory.path().to_path_buf(),
        bucket: None,
        store_options: Default::default(),
        keys: 10_000,
        value_bytes: 200,
        updates_per_key: 60,
        spread,
        retentions: 6,
        seed: 7,
    };
    storage(&options, &mut || {}).expect("the disk is fine")
}

/// Each byte that is sealed is uploaded a few times at most, and the bucket holds a few times what
/// the state and the changes of the window take.
fn check(spread: Spread) {
    let row = run(spread);
    assert!(row.uploaded_bytes <= 6 * row.sealed_bytes, "{row:?}");
    assert!(row.held_bytes <= 3 * (row.state_bytes + row.window_bytes), "{row:?}");
    // Without expiry, the bucket would hold all six retentions.
    assert!(row.window_bytes < row.sealed_bytes / 3, "{row:?}");
}

#[test]
fn uniform_updates_are_kept_at_a_bounded_cost() {
    check(Spread::Uniform);
}

#[test]
fn zipfian_updates_are_kept_at_a_bounded_cost() {
    check(Spread::Zipfian(0.9));
}

/// However long the history, a restore reads at most `1 + fold_ratio` times what the newest base
/// has, and a quarter for what a reader needs to find its way. Bytes are counted where they pass to
/// the object store.
#[test]
fn a_restore_reads_what_it_returns_however_long_the_history() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let options = GrowthOptions {
        directory: directory.path().to_path_buf(),
        bucket: None,
        store_options: Default::default(),
        keys: 4_000,
        value_bytes: 300,
        updates_per_key: vec![1, 10, 100],
        segment_bytes_max: 256 * 1024,
        restores: 1,
        seed: 3,
    };
    let rows = growth(&options, &mut || {}).expect("every restore is right");
    for row in &rows {
        assert!(row.bytes_read_max <= row.base_bytes * 2 * 5 / 4, "{row:?}");
    }
    let (least, most) =
        (rows.iter().map(|row| row.bytes_read), rows.iter().map(|row| row.bytes_read));
    let (least, most) = (least.min().expect("three rows"), most.max().expect("three rows"));
    assert!(most * 4 <= least * 5, "{rows:?}");
}
