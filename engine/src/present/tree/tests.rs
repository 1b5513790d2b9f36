//! What a tree keeps in memory.

use super::*;

#[test]
fn what_is_flushed_leaves_memory_however_long_a_view_is_held() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let resources = TreeResources::new(1 << 20);
    let tree = TableTree::open(directory.path(), TableId(7), &resources).expect("it is new");
    let value = Bytes::from(vec![7; 1000]);
    for flushed in 1..=5 {
        let seq = Seq(flushed);
        tree.begin(seq);
        for number in 0..100_u64 {
            let key = stored_key(&number.to_be_bytes());
            tree.apply(seq, key.into(), Some(value.clone()));
        }
        tree.seal_memtable(seq);
        assert!(tree.tree.version_memtable_size_sum() > 100_000);
        // A view reads at the first commit, so nothing that was superseded may go.
        tree.flush_sealed(|| Seq(1)).expect("the disk is fine");
        assert!(tree.tree.version_memtable_size_sum() < 1_000, "after flush {flushed}");
    }
    for seq in [Seq(1), Seq(5)] {
        assert_eq!(tree.get(&42_u64.to_be_bytes(), seq).expect("it is read"), Some(value.clone()));
    }
    assert_eq!(tree.get(&42_u64.to_be_bytes(), Seq(0)).expect("it is read"), None);
}
