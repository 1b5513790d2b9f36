//! What was asked for and could not be read is told once, and not asked for again before somebody
//! wants it again.

use foldback_log_tier::remote::{Fault, StoreCall};
use foldback_log_tier::{Error, TableId};

use super::*;
use crate::test_bucket::{TestBucket, TestRow, commit};

#[test]
fn a_request_that_fails_is_made_again_for_who_asks_again() {
    let bucket = TestBucket::new();
    let row = TestRow { table: TableId(1), key: vec![1], commit: commit(1), value: Some(vec![2]) };
    let file = Arc::new(bucket.put_delta((1, 1), &[row]));
    let (history, network) = (bucket.reading().history, bucket.reading().network);
    let groups = vec![GroupWanted { index: 0, merge: 0, uses: 1 }];
    let limits = RunLimits { aim: 1 << 20, bytes_max: 1 << 20 };
    let wanted = vec![FileWanted { file, groups, limits }];
    let fetching = Fetching::new(Arc::clone(history), wanted, 1 << 20, Arc::default());
    bucket.store().script(StoreCall::Get, &[Fault::Busy]);
    let before = bucket.remote().traffic().gets;
    let asked = Arc::clone(&fetching);
    let refused = network.run(async move { asked.group(0, 0).await });
    assert!(matches!(refused, Err(Error::Store { .. })), "{refused:?}");
    assert_eq!(bucket.remote().traffic().gets - before, 1);
    let found = network.run(async move { fetching.group(0, 0).await }).expect("it is there now");
    assert_eq!(bucket.remote().traffic().gets - before, 2, "one request for rows and tail");
    found.tail.decode_row_group(0, found.bytes).expect("it is sound");
}

#[test]
fn what_failed_while_it_was_read_ahead_is_asked_for_again() {
    let bucket = TestBucket::new();
    let row = |number: u8| TestRow {
        table: TableId(1),
        key: vec![number],
        commit: commit(u64::from(number)),
        value: Some(vec![number]),
    };
    let (history, network) = (bucket.reading().history, bucket.reading().network);
    let groups = vec![GroupWanted { index: 0, merge: 0, uses: 1 }];
    let limits = RunLimits { aim: 1 << 20, bytes_max: 1 << 20 };
    let wanted = [1, 2].map(|number| {
        let seq = u64::from(number);
        let file = Arc::new(bucket.put_delta((seq, seq), &[row(number)]));
        FileWanted { file, groups: groups.clone(), limits }
    });
    let fetching = Fetching::new(Arc::clone(history), wanted.to_vec(), 1 << 20, Arc::default());
    bucket.store().script(StoreCall::Get, &[Fault::Busy, Fault::Busy]);
    let before = bucket.remote().traffic().gets;
    let asked = Arc::clone(&fetching);
    let of_first = network.run(async move { asked.group(0, 0).await });
    assert!(matches!(of_first, Err(Error::Store { .. })), "{of_first:?}");
    let of_second = network.run(async move {
        while fetching.state().under_way > 0 {
            tokio::task::yield_now().await;
        }
        fetching.group(1, 0).await
    });
    of_second.expect("it is there by now");
    assert_eq!(bucket.remote().traffic().gets - before, 3, "the second file was asked for twice");
}
