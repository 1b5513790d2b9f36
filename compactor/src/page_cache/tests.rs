//! What is kept and what is forgotten.

use std::sync::Arc;

use foldback_log_tier::history::{FetchedBytes, KeyPage};

use super::*;
use crate::test_bucket::{TestBucket, TestRow, commit};

/// A page of one key.
fn keys() -> KeyPage {
    let bucket = TestBucket::new();
    let row = TestRow {
        table: foldback_log_tier::TableId(1),
        key: vec![7; 10_000],
        commit: commit(1),
        value: None,
    };
    let file = Arc::new(bucket.put_delta((1, 1), &[row]));
    let (history, network) = (bucket.reading().history, bucket.reading().network);
    let (reader, entry) = (Arc::clone(history), Arc::clone(&file));
    let tail = network.run(async move { reader.tail(&entry).await }).expect("it is sound");
    let (remote, name, range) =
        (history.remote().clone(), file.name.clone(), tail.key_pages_range(0, 0..1));
    let offset = range.start;
    let bytes = network.run(async move { remote.read(&name, range).await });
    let fetched = FetchedBytes { offset, bytes: bytes.expect("it is there") };
    tail.decode_key_page(0, 0, &fetched).expect("it is sound")
}

#[test]
fn those_used_longest_ago_are_forgotten_first() {
    let keys = keys();
    let bytes = keys.memory_bytes();
    assert!((10_000..20_000).contains(&bytes), "{bytes}");
    let cache = PageCache::new(3 * bytes);
    let id = |row_group| PageId { row_group, column: PageColumn::Keys, page: 0 };
    let check = |expected: &[(&str, u32)]| {
        let all = [("a", 0), ("a", 1), ("b", 0), ("c", 9)];
        let mut kept = cache.lock();
        let is_kept = |(file, row_group): &(&str, u32)| {
            kept.files.get(*file).is_some_and(|pages| pages.contains_key(&id(*row_group)))
        };
        let found: Vec<_> = all.into_iter().filter(is_kept).collect();
        assert_eq!(found, expected);
        assert_eq!(kept.by_use.len(), expected.len());
        assert_eq!(kept.bytes, bytes * u64::try_from(expected.len()).expect("few"));
        assert!(kept.get("none", id(0)).is_none());
        let values = PageId { column: PageColumn::Values, ..id(0) };
        assert!(kept.get("a", values).is_none(), "a page of another column");
    };
    let keep = |file, row_group| cache.keep(file, id(row_group), HistoryPage::Keys(keys.clone()));
    for (file, row_group) in [("a", 0), ("a", 1), ("b", 0), ("b", 0)] {
        keep(file, row_group);
    }
    check(&[("a", 0), ("a", 1), ("b", 0)]);
    assert!(cache.get("a", id(0)).is_some());
    keep("c", 9);
    check(&[("a", 0), ("b", 0), ("c", 9)]);
    cache.set_bytes_max(2 * bytes - 1);
    check(&[("c", 9)]);
    cache.set_bytes_max(bytes - 1);
    check(&[]);
    keep("a", 0);
    check(&[]);
}
