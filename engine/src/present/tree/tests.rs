//! What a tree keeps in memory, and in how many files.

use super::*;

fn new_tree() -> (TableTree, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let resources = TreeResources::new(1 << 20);
    let tree = TableTree::open(directory.path(), TableId(7), &resources).expect("it is new");
    (tree, directory)
}

/// Writes a hundred keys in one commit, and seals the memtable.
fn write_and_seal(tree: &TableTree, seq: Seq, value: &Bytes) {
    tree.begin(seq);
    for number in 0..100_u64 {
        let key = stored_key(&number.to_be_bytes());
        tree.apply(seq, key.into(), Some(value.clone()));
    }
    tree.seal_memtable(seq);
}

#[test]
fn what_is_flushed_leaves_memory_however_long_a_view_is_held() {
    let (tree, _directory) = new_tree();
    let value = Bytes::from(vec![7; 1000]);
    for flushed in 1..=5 {
        write_and_seal(&tree, Seq(flushed), &value);
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

#[test]
fn a_tree_that_is_left_alone_has_few_flushed_files() {
    let (tree, _directory) = new_tree();
    for seq in (1..=5).map(Seq) {
        write_and_seal(&tree, seq, &Bytes::from(seq.0.to_le_bytes().to_vec()));
        tree.flush_sealed(|| seq).expect("the disk is fine");
    }
    while tree.is_compaction_due(Load::Busy) {
        tree.compact(Load::Busy, || Seq(5)).expect("the disk is fine");
    }
    assert_eq!(tree.flushed_files(), 5, "while much is written, more are compacted at once");
    while tree.is_compaction_due(Load::Idle) {
        tree.compact(Load::Idle, || Seq(5)).expect("the disk is fine");
    }
    assert_eq!(tree.flushed_files(), 0, "all are in one sorted run");
    let found = tree.get(&42_u64.to_be_bytes(), Seq(5)).expect("it is read");
    assert_eq!(found.as_deref(), Some(5_u64.to_le_bytes().as_slice()));
}
