//! Events come into the order of keys, whatever the keys are, and all of them arrive.

use std::sync::Arc;

use foldback_log_tier::{KeyRange, TableId};

use super::*;
use crate::present::TreeResources;
use crate::present::packing::BLOCK_BYTES;

fn event<'a>(key: &'a [u8], value: Option<&'a [u8]>) -> EventRef<'a> {
    EventRef { table: TableId(7), key, value }
}

#[test]
fn keys_are_sorted_by_all_their_bytes_and_then_by_commit() {
    let keys: [&[u8]; 9] =
        [b"", b"a", b"a\0", b"a\0\0", b"ab", b"abcdefghij", b"abcdefghik", b"b", b"abcdefgh"];
    for shared in [b"".as_slice(), b"all of them begin with this"] {
        let mut events = ReplayedEvents::default();
        let mut expected = Vec::new();
        for seq in [3, 1, 2] {
            for key in keys {
                let key = [shared, key].concat();
                events.push(Seq(seq), event(&key, None));
                expected.push((key, seq));
            }
        }
        expected.sort_unstable();
        events.sort();
        let sorted = events.events.iter().map(|it| (it.key[1..].to_vec(), it.seq.0));
        assert_eq!(sorted.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn what_is_applied_is_what_was_pushed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let resources = TreeResources::new(1 << 20);
    let tree = TableTree::open(directory.path(), TableId(7), &resources).expect("it is new");
    let mut events = ReplayedEvents::default();
    let value = |seq: u64| vec![u8::try_from(seq % 251).expect("it is small"); 100];
    for seq in 1..=3_000_u64 {
        // Each key is written twice; every tenth one is deleted in the end.
        let key = format!("key {:05}", seq % 1_500).into_bytes();
        let is_deleted = seq > 1_500 && seq % 10 == 0;
        events.push(Seq(seq), event(&key, (!is_deleted).then_some(&value(seq))));
    }
    let large = vec![9; 2 * BLOCK_BYTES];
    events.push(Seq(3_001), event(b"large", Some(&large)));
    events.sort();
    events.apply(&tree);
    assert_eq!(tree.first_unflushed(), Some(Seq(1)));
    let tree = Arc::new(tree);
    let rows: Vec<_> =
        tree.range(&KeyRange::all(), Seq(3_001)).map(|row| row.expect("it is read")).collect();
    assert_eq!(rows.len(), 1_500 - 150 + 1);
    for (key, found) in &rows[..rows.len() - 1] {
        let number = key.strip_prefix(b"key ").expect("it is ours");
        let number: u64 = String::from_utf8_lossy(number).parse().expect("a number");
        let last = if number == 0 { 3_000 } else { number + 1_500 };
        assert_eq!(found[..], value(last), "{key:?}");
    }
    assert_eq!(
        rows.last().map(|(key, value)| (&key[..], value.len())),
        Some((&b"large"[..], large.len()))
    );
}
