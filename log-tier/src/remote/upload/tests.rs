//! Uploads of every size, in pieces of every size, and the ones that fail midway.

use std::future::Future;
use std::sync::Arc;

use super::super::{Fault, FaultyStore, StoreCall, Traffic};
use super::*;
use crate::Error;
use crate::history::FileKind;
use crate::{Commit, Seq, Timestamp};

const NAME: &str = "history/file";

/// Runs what a test awaits.
fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
    runtime.expect("a runtime").block_on(future)
}

fn faulty() -> (RemoteLog, Arc<FaultyStore>) {
    let store = Arc::new(FaultyStore::in_memory());
    (RemoteLog::with_store(store.clone(), "faulty".to_owned()), store)
}

/// Bytes that say where they stand.
fn body(bytes: usize) -> Bytes {
    let numbers = 0..u32::try_from(bytes.div_ceil(4)).expect("it is small");
    Bytes::from_iter(numbers.flat_map(u32::to_le_bytes)).slice(..bytes)
}

fn entry(body: &Bytes) -> HistoryEntry {
    let commit = Commit { seq: Seq(1), timestamp: Timestamp(0) };
    HistoryEntry {
        name: NAME.to_owned(),
        kind: FileKind::Delta,
        first: commit,
        last: commit,
        until: None,
        scope: None,
        bytes: to_length(body.len()),
        rows: 0,
        blake3: blake3::hash(body).to_hex().to_string(),
        tail_offset: 0,
        tail_blake3: String::new(),
        tables: Vec::new(),
    }
}

/// Uploads `body` in pieces of these lengths, over and over.
async fn upload(remote: &RemoteLog, body: &Bytes, pieces: &[usize]) -> Result<()> {
    let mut upload = remote.begin_history(NAME);
    let (mut rest, mut lengths) = (body.clone(), pieces.iter().cycle());
    while !rest.is_empty() {
        let bytes = *lengths.next().expect("it never ends");
        let piece = rest.split_to(bytes.min(rest.len()));
        upload.push(piece).await?;
    }
    upload.finish(&entry(body)).await
}

fn traffic_of(body: &Bytes, pieces: &[usize]) -> Traffic {
    run(async {
        let (remote, _) = faulty();
        upload(&remote, body, pieces).await.expect("the store takes it");
        let traffic = remote.traffic();
        let stored = remote.read(NAME, 0..to_length(body.len())).await.expect("it is there");
        assert!(stored == *body, "other bytes came to be stored: {pieces:?}");
        assert_eq!(blake3::hash(&stored).to_hex().to_string(), entry(body).blake3);
        traffic
    })
}

#[test]
fn a_small_file_is_one_request_however_it_comes() {
    for bytes in [0, 1, 5_000_000, SINGLE_PUT_BYTES_MAX] {
        for pieces in [&[1 << 30][..], &[1_500_000], &[3, 2 << 20]] {
            let traffic = traffic_of(&body(bytes), pieces);
            assert_eq!((traffic.puts, traffic.heads), (1, 1), "{bytes} in {pieces:?}");
        }
    }
}

#[test]
fn a_large_file_is_the_same_in_parts() {
    let (part, length) = (to_length(PART_BYTES), 3 * PART_BYTES + 5);
    for pieces in [&[1 << 30][..], &[1_500_000], &[PART_BYTES], &[PART_BYTES + 1, 7]] {
        let traffic = traffic_of(&body(length), pieces);
        // It is begun and completed, and every part but the last is full.
        assert_eq!(traffic.puts, 2 + 4, "{pieces:?}");
        assert_eq!(traffic.bytes_written, 3 * part + 5, "{pieces:?}");
    }
    let traffic = traffic_of(&body(4 * PART_BYTES), &[1 << 20]);
    assert_eq!(traffic.puts, 2 + 4, "no part is empty");
}

#[test]
fn an_upload_that_fails_midway_leaves_no_object() {
    let body = body(4 * PART_BYTES + 1);
    // It is begun, has five parts, and is completed.
    for calls_before in [0, 1, 3, 5, 6] {
        let script = [vec![Fault::None; calls_before], vec![Fault::Busy]].concat();
        run(async {
            let (remote, store) = faulty();
            store.script(StoreCall::Put, &script);
            let error = upload(&remote, &body, &[3 << 20]).await.expect_err("a fault is due");
            assert!(matches!(error, Error::Store { .. }), "{error}");
            assert_eq!(remote.list_objects().await.expect("a listing"), []);
            // What was begun is aborted.
            assert_eq!(remote.traffic().deletes, u64::from(calls_before > 0), "{calls_before}");
            upload(&remote, &body, &[3 << 20]).await.expect("the store is well again");
        });
    }
}

#[test]
fn an_upload_that_is_given_up_leaves_no_object() {
    for (bytes, aborts) in [(1_000, 0), (3 * PART_BYTES, 1)] {
        run(async {
            let (remote, _) = faulty();
            let mut upload = remote.begin_history(NAME);
            upload.push(body(bytes)).await.expect("the store takes it");
            upload.abort().await;
            assert_eq!(remote.list_objects().await.expect("a listing"), []);
            assert_eq!(remote.traffic().deletes, aborts);
        });
    }
}

#[test]
fn a_file_that_is_to_go_in_one_request_goes_in_parts_where_it_cannot() {
    let body = body(3 * PART_BYTES + 5);
    for (script, puts) in [(&[][..], 1), (&[Fault::Busy], 1 + 2 + 4)] {
        run(async {
            let (remote, store) = faulty();
            store.script(StoreCall::Put, script);
            let mut upload = remote.begin_history_in_one(NAME);
            for piece in body.chunks(1 << 20) {
                upload.push(body.slice_ref(piece)).await.expect("the store takes it");
            }
            upload.finish(&entry(&body)).await.expect("the store takes it");
            assert_eq!(remote.traffic().puts, puts);
            let stored = remote.read(NAME, 0..to_length(body.len())).await.expect("it is there");
            assert!(stored == body, "other bytes came to be stored");
        });
    }
}
