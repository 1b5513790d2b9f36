//! A small history, made and compacted.

use super::*;

#[test]
fn a_history_is_made_untidy_and_compacted() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = UntidyOptions {
        directory: directory.path().to_path_buf(),
        bucket: BucketChoice::default(),
        keys: 1_000,
        value_bytes: 100,
        history_bytes: 1 << 20,
        segment_bytes_max: 256 << 10,
        seed: 1,
    };
    let made = make_untidy(&options).expect("the directory takes it");
    assert!(made.history_bytes >= options.history_bytes);
    let bucket = BucketChoice { url: Some(made.bucket.clone()), ..BucketChoice::default() };
    let cost = compact_bucket(&bucket).expect("it is sound");
    assert!(cost.jobs > 0 && cost.bytes_written > 0, "{cost:?}");
    assert!(cost.bytes_read >= made.history_bytes / 2, "{cost:?} of {made:?}");
    if cfg!(target_os = "linux") {
        assert!(cost.memory_bytes_max.is_some_and(|bytes| bytes > 1 << 20), "{cost:?}");
        assert!(cost.cpu_micros.is_some(), "{cost:?}");
    }
    let again = compact_bucket(&bucket).expect("it is sound");
    assert_eq!(again.jobs, 0, "nothing is due after a compaction");
}
