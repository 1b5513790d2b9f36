//! What the golden files hold, spelled out: commits, rows, a manifest, an identity.

use bytes::Bytes;
use foldback_log_tier::history::{CommitIndex, FileKind, HistoryIdentity};
use foldback_log_tier::ids::RandomId;
use foldback_log_tier::manifest::{Floor, Manifest, Removed, Scope};
use foldback_log_tier::{
    Batch, Change, Commit, CommittedBatch, DatabaseId, Event, EventRow, KeyRange, Seq, TableId,
    Timestamp, WriterId,
};

/// The database of all golden files.
pub(crate) const DATABASE: DatabaseId = RandomId(*b"golden database!");
/// Who holds the epoch.
pub(crate) const WRITER: WriterId = RandomId([0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
/// Who published the manifest.
pub(crate) const COMPACTOR: WriterId = RandomId([0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10]);
/// The number of the manifest.
pub(crate) const MANIFEST_NUMBER: u64 = 7;
/// Where the log begins: before any commit.
pub(crate) const ORIGIN: Commit =
    Commit { seq: Seq::ZERO, timestamp: Timestamp(-9_000_000_000_000_000) };
/// The delta covers all commits up to this one.
pub(crate) const SEALED: Seq = Seq(4);
/// The base is the state at this commit.
pub(crate) const BASE: Seq = Seq(3);
/// The size of a segment: small, so that the zeros after the last frame are few.
pub(crate) const SEGMENT_BYTES_MAX: u64 = 640;

/// Paths of the golden files below the directory of their version.
pub(crate) const SEALED_SEGMENT: &str = "log/00000000000000000001.segment";
pub(crate) const ACTIVE_SEGMENT: &str = "log/00000000000000000004.segment";
pub(crate) const MANIFEST: &str = "bucket/manifest/00000000000000000007.json";
pub(crate) const DELTA: &str = "bucket/history/\
    delta-00000000000000000001-00000000000000000004-00000000000000000005-00000000000000d1.parquet";
pub(crate) const BASE_OF_A: &str = "bucket/history/\
    base-00000000000000000003-00000000000000000003-00000000000000000006-00000000000000b1.parquet";
/// The path that a file had which the manifest lists no more.
pub(crate) const REMOVED: &str = "bucket/history/\
    delta-00000000000000000001-00000000000000000002-00000000000000000002-00000000000000c1.parquet";
pub(crate) const IDENTITY: &str = "identity.json";

/// The identity file, as text.
pub(crate) const IDENTITY_TEXT: &str = r#"{
  "format": 1,
  "database": "676f6c64656e20646174616261736521",
  "bucket": "s3://golden/prefix",
  "state": "ready",
  "writers": [
    "0123456789abcdef"
  ]
}"#;

/// An object's name, from its path below the directory of its version.
pub(crate) fn object_name(path: &str) -> String {
    path.strip_prefix("bucket/").expect("it is an object").to_owned()
}

/// The groups in which the commits of the sealed segment were synced.
pub(crate) fn sealed_groups() -> Vec<Vec<CommittedBatch>> {
    let apple = put(1, b"apple", b"red");
    let not_text = put(2, b"\x00\\\xff", b"\xf0\x1d\xba\xc4");
    let first = committed(1, -1_000_000, vec![apple, not_text]);
    let empty = put(1, b"", b"");
    let second = vec![empty, put(1, b"avocado", b"green"), delete(2, b"\x00\\\xff")];
    let third = vec![put(1, b"apple", b""), put(1, b"banana", b"yellow"), delete(1, b"")];
    vec![vec![first, committed(2, 0, second)], vec![committed(3, 0, third)]]
}

/// The groups in which the commits of the active segment were synced.
pub(crate) fn active_groups() -> Vec<Vec<CommittedBatch>> {
    let long = put(TableId::MAX.0, &[b'k'; 40], &[b'v'; 120]);
    let fourth = committed(4, 1_700_000_000_000_000, vec![long, delete(1, b"apple")]);
    // A batch may have no event: the commit alone is a fact.
    let fifth = committed(5, 1_700_000_000_000_000, Vec::new());
    let sixth = committed(6, 1_700_000_000_000_001, vec![put(1, b"cherry", b"dark red")]);
    vec![vec![fourth], vec![fifth, sixth]]
}

/// Every commit of the log, in order.
pub(crate) fn all_commits() -> Vec<CommittedBatch> {
    sealed_groups().into_iter().chain(active_groups()).flatten().collect()
}

/// The position of the commit `seq`.
pub(crate) fn commit(seq: Seq) -> Commit {
    let mut commits = all_commits().into_iter().map(|committed| committed.commit);
    commits.find(|commit| commit.seq == seq).expect("it is one of the golden commits")
}

/// One row of a golden history file: table, key, seq, value.
pub(crate) type GoldenRow = (TableId, &'static [u8], u64, Option<&'static [u8]>);

/// The rows of the delta.
pub(crate) fn delta_rows() -> Vec<GoldenRow> {
    vec![
        (TableId(1), b"", 3, None),
        (TableId(1), b"", 2, Some(b"")),
        (TableId(1), b"apple", 4, None),
        (TableId(1), b"apple", 3, Some(b"")),
        (TableId(1), b"apple", 1, Some(b"red")),
        (TableId(1), b"avocado", 2, Some(b"green")),
        (TableId(1), b"banana", 3, Some(b"yellow")),
        (TableId(2), b"\x00\\\xff", 2, None),
        (TableId(2), b"\x00\\\xff", 1, Some(b"\xf0\x1d\xba\xc4")),
        (TableId::MAX, &[b'k'; 40], 4, Some(&[b'v'; 120])),
    ]
}

/// The rows of the base.
pub(crate) fn base_rows() -> Vec<GoldenRow> {
    vec![(TableId(1), b"apple", 3, Some(b"")), (TableId(1), b"avocado", 2, Some(b"green"))]
}

/// A golden row as an event of its commit.
pub(crate) fn event_row(row: &GoldenRow) -> EventRow<'static> {
    let &(table, key, seq, value) = row;
    let Commit { seq, timestamp } = commit(Seq(seq));
    EventRow { table, key, seq, timestamp, value }
}

/// What the delta says of itself.
pub(crate) fn delta_identity() -> HistoryIdentity {
    let (first, last) = (commit(Seq(1)), commit(SEALED));
    HistoryIdentity { database: DATABASE, kind: FileKind::Delta, first, last, scope: None }
}

/// What the base says of itself: it covers the keys of table 1 that begin with `a`.
pub(crate) fn base_identity() -> HistoryIdentity {
    let scope = Scope { table: TableId(1), keys: KeyRange::prefix(b"a") };
    let at = commit(BASE);
    let kind = FileKind::Base;
    HistoryIdentity { database: DATABASE, kind, first: at, last: at, scope: Some(scope) }
}

/// The index of the delta's commits.
pub(crate) fn delta_commits() -> CommitIndex {
    let mut index = CommitIndex::new();
    (1..=SEALED.0).for_each(|seq| index.push(commit(Seq(seq))));
    index
}

/// The manifest, without its files.
pub(crate) fn manifest_without_files() -> Manifest {
    Manifest {
        format: 1,
        database: DATABASE,
        number: MANIFEST_NUMBER,
        epoch: 2,
        writer: WRITER,
        publisher: COMPACTOR,
        published: Timestamp(1_700_000_000_500_000),
        clock: Timestamp(1_700_000_000_250_000),
        sealed: commit(SEALED),
        swept: 2,
        floors: vec![Floor { table: TableId(1), interval: Seq(1), earliest: commit(Seq(2)) }],
        removed: vec![Removed {
            name: object_name(REMOVED),
            bytes: 1234,
            since: 6,
            at: Timestamp(1_700_000_000_125_000),
        }],
        verified: Vec::new(),
        files: Vec::new(),
    }
}

fn committed(seq: u64, timestamp: i64, events: Vec<Event>) -> CommittedBatch {
    let commit = Commit { seq: Seq(seq), timestamp: Timestamp(timestamp) };
    CommittedBatch { commit, batch: Batch { events } }
}

fn put(table: u64, key: &[u8], value: &[u8]) -> Event {
    let change = Change::Put(Bytes::copy_from_slice(value));
    Event { table: TableId(table), key: Bytes::copy_from_slice(key), change }
}

fn delete(table: u64, key: &[u8]) -> Event {
    Event { table: TableId(table), key: Bytes::copy_from_slice(key), change: Change::Delete }
}
