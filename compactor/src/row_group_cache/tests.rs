//! What is kept and what is forgotten.

use std::sync::Arc;

use foldback_log_tier::history::RowGroupRows;

use super::*;
use crate::test_bucket::{TestBucket, TestRow, commit};

/// A row group of one row.
fn rows() -> RowGroupRows {
    let bucket = TestBucket::new();
    let row = TestRow {
        table: foldback_log_tier::TableId(1),
        key: b"key".to_vec(),
        commit: commit(1),
        value: Some(vec![7; 10_000]),
    };
    let file = Arc::new(bucket.put_delta((1, 1), &[row]));
    let (history, network) = (bucket.reading().history, bucket.reading().network);
    let (reader, entry) = (Arc::clone(history), Arc::clone(&file));
    let tail = network.run(async move { reader.tail(&entry).await }).expect("it is sound");
    let (remote, name, range) =
        (history.remote().clone(), file.name.clone(), tail.row_groups()[0].range());
    let bytes = network.run(async move { remote.read(&name, range).await });
    tail.decode_row_group(0, bytes.expect("it is there")).expect("it is sound")
}

#[test]
fn those_used_longest_ago_are_forgotten_first() {
    let rows = rows();
    let bytes = rows.memory_bytes();
    assert!((10_000..20_000).contains(&bytes), "{bytes}");
    let cache = RowGroupCache::new(3 * bytes);
    let check = |expected: &[(&str, u32)]| {
        let all = [("a", 0), ("a", 1), ("b", 0), ("c", 9)];
        let mut kept = cache.lock();
        let is_kept = |(file, index): &(&str, u32)| {
            kept.files.get(*file).is_some_and(|groups| groups.contains_key(index))
        };
        let found: Vec<_> = all.into_iter().filter(is_kept).collect();
        assert_eq!(found, expected);
        assert_eq!(kept.by_use.len(), expected.len());
        assert_eq!(kept.bytes, bytes * u64::try_from(expected.len()).expect("few"));
        assert!(kept.get("none", 0).is_none());
    };
    for (file, index) in [("a", 0), ("a", 1), ("b", 0), ("b", 0)] {
        cache.keep(file, index, &rows);
    }
    check(&[("a", 0), ("a", 1), ("b", 0)]);
    assert!(cache.get("a", 0).is_some());
    cache.keep("c", 9, &rows);
    check(&[("a", 0), ("b", 0), ("c", 9)]);
    cache.set_bytes_max(2 * bytes - 1);
    check(&[("c", 9)]);
    cache.set_bytes_max(bytes - 1);
    check(&[]);
    cache.keep("a", 0, &rows);
    check(&[]);
}
