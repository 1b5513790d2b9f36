//! What a directory does once a sync in it has failed.

use futures::executor::block_on;

use super::*;

#[test]
fn after_a_failed_sync_nothing_is_written_and_all_can_be_read() {
    let root = tempfile::tempdir().expect("a directory");
    let store = DurableLocalStore::new(root.path()).expect("it is there");
    let (before, after) = (Path::from("before"), Path::from("after"));
    block_on(store.put(&before, "body".into())).expect("nothing has failed");
    let error = store.directory.explain(&before, PlacingError::NotSynced(io::Error::other("disk")));
    let refused = [
        error,
        block_on(store.put(&after, "body".into())).expect_err("a sync has failed"),
        block_on(store.copy(&before, &after)).expect_err("a sync has failed"),
        block_on(store.put_multipart(&after)).expect_err("a sync has failed"),
    ];
    for error in refused {
        assert!(matches!(error, Error::NotSupported { .. }), "{error}");
    }
    block_on(store.get(&before)).expect("reading goes on");
    block_on(store.get(&after)).expect_err("nothing was written");
    let reopened = DurableLocalStore::new(root.path()).expect("it is there");
    block_on(reopened.put(&after, "body".into())).expect("it was opened again");
}
