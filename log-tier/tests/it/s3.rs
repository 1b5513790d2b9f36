//! One conformance check of the bucket, run against every kind of store: memory, a directory, and
//! two S3 servers; and a third server, which ignores conditions and must be refused.

use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use foldback_log_tier::history::{
    CommitIndex, FileKind, HistoryIdentity, HistoryObject, HistoryWriter,
};
use foldback_log_tier::manifest::{HistoryEntry, Manifest};
use foldback_log_tier::names::{self, HistoryName};
use foldback_log_tier::remote::{
    BucketUrl, ConditionalPuts, HeldLease, LEASE_FORMAT, Lease, ListedObject, RemoteLog,
    RemoteOptions,
};
use foldback_log_tier::{Commit, DatabaseId, Error, EventRow, Seq, TableId, Timestamp, WriterId};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path as ObjectPath;
use object_store::signer::Signer;

/// Rounds in which publishers race for a number.
const RACE_ROUNDS: u64 = 20;
/// Least length of the manifests that they race with. A server that checks a condition and then
/// stores without a lock betrays itself with long bodies only.
const RACE_BODY_BYTES: u64 = 1 << 20;
/// Files in a manifest of that length.
const RACE_FILES: u64 = 2_200;

/// An S3 server for the tests, and the credentials that it was started with.
struct Server {
    variable: &'static str,
    access_key_id: &'static str,
    secret_access_key: &'static str,
}

const MINISTACK: Server = Server {
    variable: "FOLDBACK_TEST_MINISTACK",
    access_key_id: "test",
    secret_access_key: "test",
};
const SEAWEEDFS: Server = Server {
    variable: "FOLDBACK_TEST_SEAWEEDFS",
    access_key_id: "test-access",
    secret_access_key: "test-secret-key-0123456789",
};
const S3RVER: Server = Server {
    variable: "FOLDBACK_TEST_S3RVER",
    access_key_id: "S3RVER",
    secret_access_key: "S3RVER",
};

/// A bucket that this test alone uses, and how to connect to it anew.
struct TestBucket {
    url: BucketUrl,
    options: RemoteOptions,
}

impl TestBucket {
    fn local(url: &str) -> Self {
        Self { url: url.parse().expect(url), options: RemoteOptions::default() }
    }

    /// A connection of its own, as another process would have.
    async fn connect(&self) -> RemoteLog {
        RemoteLog::connect(&self.url, &self.options).await.expect("the options are right")
    }
}

impl Server {
    fn endpoint(&self) -> String {
        let endpoint = std::env::var(self.variable).ok().filter(|url| !url.is_empty());
        endpoint.unwrap_or_else(|| {
            panic!("{} is not set: run ./test, which starts the servers", self.variable)
        })
    }

    fn options(&self) -> RemoteOptions {
        let pairs = [
            ("aws_endpoint", self.endpoint()),
            ("aws_allow_http", "true".to_owned()),
            ("aws_region", "us-east-1".to_owned()),
            ("aws_access_key_id", self.access_key_id.to_owned()),
            ("aws_secret_access_key", self.secret_access_key.to_owned()),
        ];
        let store_options =
            pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        RemoteOptions { store_options, ..RemoteOptions::default() }
    }

    /// Makes a bucket with a new name, and takes a prefix in it.
    async fn bucket(&self) -> TestBucket {
        let name = format!("foldback-{}", WriterId::random());
        self.create_bucket(&name).await;
        let url = format!("s3://{name}/some/prefix");
        TestBucket { url: url.parse().expect("an S3 URL"), options: self.options() }
    }

    /// The object store's client cannot make buckets, but it can sign the request that does.
    async fn create_bucket(&self, name: &str) {
        let endpoint = self.endpoint();
        let signer = AmazonS3Builder::new()
            .with_endpoint(&endpoint)
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_bucket_name(name)
            .with_access_key_id(self.access_key_id)
            .with_secret_access_key(self.secret_access_key)
            .build()
            .expect("the options are right");
        let put = "PUT".parse().expect("a method of HTTP");
        let hour = Duration::from_secs(3_600);
        let url = signer.signed_url(put, &ObjectPath::from(""), hour).await.expect("credentials");
        let host = endpoint.strip_prefix("http://").expect("the servers speak plain HTTP");
        let place = url.as_str().strip_prefix(&endpoint).expect("the server's own URL");
        let mut stream = TcpStream::connect(host).expect("the server runs");
        let request = format!(
            "PUT {place} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("the server listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the server answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "bucket {name} was not made: {answer}");
    }
}

/// Runs what a test awaits, on threads enough for a race.
fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

fn history_entry(seq: u64) -> HistoryEntry {
    let unique = WriterId::random();
    let commit = Commit { seq: Seq(seq), timestamp: Timestamp(0) };
    let name =
        HistoryName { kind: FileKind::Delta, first: commit.seq, last: commit.seq, born: 0, unique };
    HistoryEntry {
        name: names::history(name),
        kind: FileKind::Delta,
        first: commit,
        last: commit,
        until: None,
        scope: None,
        bytes: 2,
        rows: 0,
        blake3: "0".repeat(64),
        tail_offset: 1,
        tail_blake3: "0".repeat(64),
        tables: Vec::new(),
    }
}

fn manifest(number: u64, epoch: u64, files: u64) -> Manifest {
    Manifest {
        number,
        epoch,
        writer: WriterId::random(),
        sealed: Commit { seq: Seq(files), timestamp: Timestamp(0) },
        files: (1..=files).map(history_entry).collect(),
        ..Manifest::empty(DatabaseId::random())
    }
}

/// All that the engine asks of a bucket.
fn check_conformance(bucket: &TestBucket) {
    run(async {
        bucket.connect().await.probe().await.expect("it has conditional puts");
        check_objects(&bucket.connect().await).await;
        check_times(&bucket.connect().await).await;
        check_leases(bucket).await;
        check_history_file(&bucket.connect().await).await;
        check_history_file_in_parts(&bucket.connect().await).await;
        check_publishing(bucket).await;
        check_race(bucket).await;
    });
}

/// Puts, reads, lists and deletes.
async fn check_objects(remote: &RemoteLog) {
    let body: Bytes = (0..=255_u8).cycle().take(100_000).collect();
    let name = names::history(names::parse_history(&history_entry(1).name).expect("a name"));
    remote.put_small(&name, body.clone()).await.expect("a put");
    remote.put_small(&name, body.clone()).await.expect("the same put again");
    for range in [0..100_000, 0..1, 99_999..100_000, 255..513] {
        let expected = body.slice(
            usize::try_from(range.start).expect("small")
                ..usize::try_from(range.end).expect("small"),
        );
        assert_eq!(remote.read(&name, range.clone()).await.expect("inside"), expected, "{range:?}");
    }
    for range in [99_999..100_001, 100_000..100_001, 200_000..200_001] {
        let error = remote.read(&name, range).await.expect_err("past the end");
        assert!(matches!(error, Error::Corrupt { offset: 100_000, .. }), "{error}");
    }
    let error = remote.read("history/none", 0..1).await.expect_err("there is none");
    assert!(matches!(error, Error::Missing { .. }), "{error}");
    assert_eq!(remote.read_small(&name).await.expect("an answer"), Some(body));
    assert_eq!(remote.read_small("history/none").await.expect("an answer"), None);
    assert_eq!(remote.list_objects().await.expect("a listing"), [(name.clone(), 100_000)]);
    remote.delete(&[name, "history/none".to_owned()]).await.expect("one that is not there is fine");
    assert_eq!(remote.list_objects().await.expect("a listing"), []);
}

/// The store's clock goes on, and dates what is put by it. It may be cut to seconds.
async fn check_times(remote: &RemoteLog) {
    let first = remote.store_now().await.expect("it has a clock");
    remote.put_small("times/b", Bytes::from_static(b"12")).await.expect("a put");
    remote.put_small("times/a/c", Bytes::new()).await.expect("a put");
    let last = remote.store_now().await.expect("it has a clock");
    assert!(first <= last && Timestamp(1_600_000_000_000_000) < first, "{first:?} {last:?}");
    let objects = remote.list_with_times("times").await.expect("a listing");
    let told = |object: &ListedObject| (object.name.clone(), object.bytes);
    let expected = [("times/a/c".to_owned(), 0), ("times/b".to_owned(), 2)];
    assert_eq!(objects.iter().map(told).collect::<Vec<_>>(), expected);
    let second = 1_000_000;
    for object in objects {
        assert!(first.saturating_add_micros(-second) <= object.modified, "{first:?} {object:?}");
        assert!(object.modified <= last.saturating_add_micros(second), "{last:?} {object:?}");
    }
    remote.delete(&expected.map(|(name, _)| name)).await.expect("they are there");
    assert_eq!(remote.list_with_times("").await.expect("a listing"), [], "no clock stays");
}

/// A lease is seen by another process, renewed in its place, and gone when it is deleted.
async fn check_leases(bucket: &TestBucket) {
    let (holder, sweeper) = (bucket.connect().await, bucket.connect().await);
    assert_eq!(sweeper.leases().await.expect("none"), []);
    let name = names::lease(WriterId::random());
    let lease = |manifest: u64, ttl_secs: u64| Lease {
        format: LEASE_FORMAT,
        database: DatabaseId::random(),
        manifest,
        holder: "restore of orders".to_owned(),
        ttl_secs,
    };
    let mut renewed = Timestamp::MIN;
    for lease in [lease(1, 600), lease(2, 3_600)] {
        holder.put_lease(&name, &lease).await.expect("a put");
        let store_now = sweeper.store_now().await.expect("it has a clock");
        let [held] = sweeper.leases().await.expect("sound").try_into().expect("one");
        let HeldLease { name: held_name, lease: held_lease, renewed: held_since } = &held;
        assert_eq!((held_name, held_lease), (&name, &lease));
        assert!(renewed <= *held_since, "{renewed:?} {held_since:?}");
        renewed = *held_since;
        assert!(!held.expired(store_now));
        let ttl_micros = i64::try_from(lease.ttl_secs).expect("small") * 1_000_000;
        assert!(held.expired(store_now.saturating_add_micros(ttl_micros + 4_000_000)));
    }
    holder.delete(std::slice::from_ref(&name)).await.expect("it is there");
    assert_eq!(sweeper.leases().await.expect("none"), []);
}

async fn put(remote: &RemoteLog, object: &HistoryObject) {
    let mut upload = remote.begin_history(&object.entry.name);
    upload.push(object.body.clone()).await.expect("the store takes it");
    upload.finish(&object.entry).await.expect("the object is there");
}

/// Puts a history file, and reads each of its parts.
async fn check_history_file(remote: &RemoteLog) {
    let commit = |seq: u64| Commit { seq: Seq(seq), timestamp: Timestamp(0) };
    let (first, last, kind) = (commit(1), commit(3), FileKind::Delta);
    let database = DatabaseId::random();
    let identity = HistoryIdentity { database, kind, first, last, scope: None };
    let row = |key: &'static [u8], seq: u64| EventRow {
        table: TableId(7),
        key,
        seq: Seq(seq),
        timestamp: Timestamp(0),
        value: (seq > 1).then_some(b"value"),
    };
    let rows = [row(b"a", 3), row(b"a", 1), row(b"b", 2)];
    let mut writer = HistoryWriter::new(identity, 0).expect("a sound identity");
    for row in rows {
        writer.push(row).expect("it is in order");
    }
    let mut commits = CommitIndex::new();
    (1..=3).for_each(|seq| commits.push(commit(seq)));
    let object = writer.finish(Some(&commits)).expect("it fits in memory");
    put(remote, &object).await;
    let listed = Manifest { files: vec![object.entry.clone()], ..manifest(1, 1, 3) };
    listed.encode().expect("what the writer says of a file keeps the rules");
    let entry = &object.entry;
    let tail = remote.read_tail(entry).await.expect("sound");
    assert_eq!(tail.row_groups().len(), 1);
    let group = remote.read(&entry.name, tail.row_groups()[0].range()).await.expect("it is there");
    let read = tail.decode_row_group(0, group).expect("sound");
    assert_eq!(read.iter().collect::<Vec<_>>(), rows);
    let index = remote.read_commit_index(entry, &tail).await.expect("sound");
    assert_eq!(index, Some(commits));
    remote.delete(&[object.entry.name]).await.expect("it is there");
}

/// Puts a history file that is too long for one request. Its bytes say where they stand.
async fn check_history_file_in_parts(remote: &RemoteLog) {
    let body: Bytes = (0..5_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut entry = history_entry(1);
    entry.bytes = u64::try_from(body.len()).expect("small");
    let object = HistoryObject { body: body.clone(), entry };
    put(remote, &object).await;
    put(remote, &object).await;
    let whole = remote.read(&object.entry.name, 0..object.entry.bytes).await.expect("whole");
    assert!(whole == body, "the parts come back in another order, or with other bytes");
    remote.delete(&[object.entry.name]).await.expect("it is there");
}

/// One process publishes, another takes over, and the first learns that it has lost.
async fn check_publishing(bucket: &TestBucket) {
    let (first, second) = (bucket.connect().await, bucket.connect().await);
    assert_eq!(first.newest_manifest().await.expect("an empty bucket"), None);
    let one = manifest(1, 1, 2);
    first.publish(&one).await.expect("the first");
    first.publish(&one).await.expect("the same bytes again");
    assert_eq!(second.newest_manifest().await.expect("sound"), Some(one));
    let takeover = manifest(2, 2, 3);
    second.publish(&takeover).await.expect("the next");
    let error = first.publish(&manifest(2, 1, 3)).await.expect_err("number 2 is taken");
    assert!(
        matches!(error, Error::Fenced { number: 2, winner_epoch: 2, winner, .. }
            if winner == takeover.writer),
        "{error}"
    );
    second.delete(&[names::manifest(1)]).await.expect("it is there");
    let error = first.publish(&manifest(1, 1, 3)).await.expect_err("number 2 is the newest");
    assert!(matches!(error, Error::Fenced { number: 2, .. }), "{error}");
    assert_eq!(first.newest_manifest().await.expect("sound"), Some(takeover));
}

/// Two publishers, each with its own connection, race for the same numbers.
async fn check_race(bucket: &TestBucket) {
    let (one, two) = (bucket.connect().await, bucket.connect().await);
    for number in 10..10 + RACE_ROUNDS {
        let rivals = [manifest(number, 3, RACE_FILES), manifest(number, 4, RACE_FILES)];
        let length = rivals[0].encode().expect("it keeps the rules").len();
        assert!(u64::try_from(length).expect("small") >= RACE_BODY_BYTES, "{length}");
        let attempts =
            [&one, &two].map(Clone::clone).into_iter().zip(rivals.clone()).map(
                |(remote, manifest)| tokio::spawn(async move { remote.publish(&manifest).await }),
            );
        let mut won = Vec::new();
        for (attempt, rival) in attempts.collect::<Vec<_>>().into_iter().zip(&rivals) {
            match attempt.await.expect("it does not panic") {
                Ok(()) => won.push(rival),
                Err(Error::Fenced { .. }) => {}
                Err(error) => panic!("number {number}: {error}"),
            }
        }
        assert_eq!(won.len(), 1, "number {number} has one winner");
        let newest = one.newest_manifest().await.expect("sound").expect("there is one");
        assert_eq!(&newest, won[0], "number {number}");
    }
}

#[test]
fn memory_conforms() {
    check_conformance(&TestBucket::local("memory:///memory_conforms"));
}

#[test]
fn a_directory_conforms() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = BucketUrl::for_directory(&directory.path().join("bucket")).expect("absolute");
    check_conformance(&TestBucket { url, options: RemoteOptions::default() });
}

#[test]
fn ministack_conforms() {
    check_conformance(&run(MINISTACK.bucket()));
}

#[test]
fn seaweedfs_conforms() {
    check_conformance(&run(SEAWEEDFS.bucket()));
}

#[test]
fn s3rver_is_refused_because_it_ignores_conditions() {
    run(async {
        let mut bucket = S3RVER.bucket().await;
        let error = bucket.connect().await.probe().await.expect_err("it overwrites");
        assert!(
            matches!(&error, Error::Unsupported(text)
                if text.contains("answers a second create of the same object with success")),
            "{error}"
        );
        bucket.options.conditional_puts = ConditionalPuts::SingleWriterDeclared;
        let remote = bucket.connect().await;
        remote.probe().await.expect("the operator has declared a single writer");
        remote.publish(&manifest(1, 1, 1)).await.expect("the first");
        let error = remote.publish(&manifest(1, 1, 1)).await.expect_err("a look finds the first");
        assert!(matches!(error, Error::Fenced { .. }), "{error}");
    });
}

#[test]
fn wrong_credentials_and_a_missing_bucket_are_told_as_what_they_are() {
    run(async {
        let mut bucket = SEAWEEDFS.bucket().await;
        bucket.options.store_options.insert("aws_secret_access_key".into(), "wrong".into());
        let remote = bucket.connect().await;
        let error = remote.newest_manifest().await.expect_err("a wrong secret");
        assert!(matches!(&error, Error::Store { action: "list", .. }), "{error}");
        assert!(error.to_string().contains("SignatureDoesNotMatch"), "{error}");
        let error = remote.probe().await.expect_err("a wrong secret");
        let Error::Store { action: "create", source, .. } = &error else { panic!("{error}") };
        assert!(matches!(source, object_store::Error::PermissionDenied { .. }), "{error}");
        let url = format!("s3://foldback-{}", WriterId::random());
        let missing =
            TestBucket { url: url.parse().expect("an S3 URL"), options: SEAWEEDFS.options() };
        let error = missing.connect().await.probe().await.expect_err("there is no such bucket");
        assert!(matches!(&error, Error::Store { action: "create", .. }), "{error}");
        assert!(error.to_string().contains(&url), "{error}");
    });
}

#[test]
fn a_server_that_does_not_answer_is_told_after_the_retry_timeout() {
    run(async {
        let url = "s3://bucket".parse().expect("an S3 URL");
        let mut options = RemoteOptions { retry_timeout: Duration::ZERO, ..Default::default() };
        for (name, value) in [
            ("aws_endpoint", "http://127.0.0.1:1"),
            ("aws_allow_http", "true"),
            ("aws_access_key_id", "x"),
            ("aws_secret_access_key", "x"),
        ] {
            options.store_options.insert(name.to_owned(), value.to_owned());
        }
        let remote = RemoteLog::connect(&url, &options).await.expect("nothing is asked yet");
        let error = remote.newest_manifest().await.expect_err("nothing listens there");
        let text = error.to_string();
        assert!(text.starts_with("the bucket did not list manifest in s3://bucket"), "{text}");
        assert!(text.contains("http://127.0.0.1:1"), "{text}");
    });
}
