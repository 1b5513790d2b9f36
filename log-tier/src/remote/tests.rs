//! Bucket URLs, options, and what publishing makes of lost answers, races and stale processes.

use std::future::Future;

use object_store::memory::InMemory;

use super::*;
use crate::manifest::Manifest;
use crate::{DatabaseId, Timestamp, WriterId, names};

/// Runs what a test awaits.
fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

fn manifest(number: u64, epoch: u64) -> Manifest {
    Manifest { number, epoch, writer: WriterId::random(), ..Manifest::empty(DatabaseId::random()) }
}

fn faulty() -> (RemoteLog, Arc<FaultyStore>) {
    let store = Arc::new(FaultyStore::new(Arc::new(InMemory::new())));
    (RemoteLog::with_store(store.clone(), "faulty".to_owned()), store)
}

fn options(pairs: &[(&str, &str)]) -> RemoteOptions {
    let store_options =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    RemoteOptions { store_options, ..RemoteOptions::default() }
}

#[test]
fn a_bucket_url_is_shown_as_it_was_given() {
    for text in [
        "file:///srv/bucket",
        "file:///srv/a%20b",
        "memory:///",
        "memory:///one",
        "s3://bucket",
        "s3://bucket/a/prefix",
        "s3://Bucket_1.x/a",
    ] {
        let url: BucketUrl = text.parse().expect(text);
        assert_eq!(url.to_string(), text);
        let slashed = format!("{text}/");
        assert_eq!(slashed.parse::<BucketUrl>().expect(&slashed), url);
    }
    let directory = BucketUrl::for_directory(std::path::Path::new("/srv/a #b")).expect("absolute");
    assert_eq!(directory.to_string(), "file:///srv/a%20%23b");
}

#[test]
fn a_wrong_bucket_url_says_what_to_write() {
    let check = |text: &str, advice: &str| {
        let error = text.parse::<BucketUrl>().expect_err(text).to_string();
        assert!(error.contains(text) && error.contains(advice), "{error}");
    };
    check("bucket", "it has no scheme; write file:///");
    check("/srv/bucket", "it has no scheme");
    check("http://bucket", "no buckets of scheme \"http\"");
    check("s3://", "names no bucket");
    check("s3:///prefix", "names no bucket");
    check("s3://bucket:9000", "aws_endpoint");
    check("s3://user:password@bucket", "aws_access_key_id");
    check("s3://bucket/a//b", "prefix");
    check("s3://bucket/a?b", "%3F");
    check("file:///a#b", "%23");
    check("s3://bucket /", "%20");
    check("file://relative/path", "file:///relative/path");
    check("memory://name", "memory:///name");
    #[cfg(not(feature = "gcs"))]
    check("gs://bucket", "built without feature gcs");
    #[cfg(not(feature = "azure"))]
    check("az://container", "built without feature azure");
    assert!(BucketUrl::for_directory(std::path::Path::new("here")).is_err());
}

/// Fuzzing found that a mark which the reader of URLs leaves out at the end of a text was part of
/// the bucket's name while a slash followed it, and no longer when the bucket was named as it was
/// shown.
#[test]
fn a_bucket_url_with_a_mark_that_cannot_be_seen_is_refused() {
    for (text, advice) in [("s3://bu\u{f}/", "%0F"), ("s3://b\ta", "%09"), ("file:///a\n", "%0A")] {
        let error = text.parse::<BucketUrl>().expect_err(text).to_string();
        assert!(error.contains(advice), "{error}");
    }
}

#[test]
fn options_that_mean_nothing_are_refused() {
    let check = |url: &str, pairs: &[(&str, &str)], advice: &str| {
        let url: BucketUrl = url.parse().expect(url);
        let error = run(RemoteLog::connect(&url, &options(pairs))).expect_err(advice).to_string();
        assert!(error.contains(advice), "{error}");
    };
    check("memory:///x", &[("aws_region", "x")], "\"aws_region\" is set");
    check("s3://b", &[("aws_regoin", "x")], "did you mean aws_region");
    check("s3://b", &[("colour", "x")], "the options are aws_access_key_id, ");
    check("s3://b", &[("aws_conditional_put", "disabled")], "no option");
    check("s3://b", &[("aws_endpoint", "http://127.0.0.1:1")], "aws_allow_http = \"true\"");
    check("s3://b", &[("aws_endpoint", "")], "endpoint \"\" is no URL");
    check("s3://b", &[("aws_endpoint", "127.0.0.1:1")], "is no URL: write it as https");
    check("s3://b", &[("aws_allow_http", "perhaps")], "did not open s3://b");
}

#[test]
fn a_bucket_in_memory_is_found_again_by_its_name() {
    run(async {
        let open = async |text: &str| {
            let url: BucketUrl = text.parse().expect(text);
            RemoteLog::connect(&url, &RemoteOptions::default()).await.expect("memory")
        };
        open("memory:///again").await.publish(&manifest(1, 1)).await.expect("the first");
        assert!(open("memory:///again").await.newest_manifest().await.expect("sound").is_some());
        assert!(open("memory:///other").await.newest_manifest().await.expect("sound").is_none());
    });
}

#[test]
fn a_lost_answer_is_known_as_ours() {
    for fault in [Fault::AnswerLost, Fault::MetItself] {
        run(async {
            let (remote, store) = faulty();
            let ours = manifest(1, 1);
            store.script(StoreCall::Create, &[fault]);
            remote.publish(&ours).await.expect("it took effect");
            assert_eq!(remote.newest_manifest().await.expect("sound"), Some(ours), "{fault:?}");
            assert_eq!(remote.traffic().puts, 1, "{fault:?} needs no second put");
        });
    }
}

#[test]
fn a_put_without_effect_is_tried_again() {
    run(async {
        let (remote, store) = faulty();
        let ours = manifest(1, 1);
        store.script(StoreCall::Create, &[Fault::Busy, Fault::Conflict, Fault::AnswerLost]);
        remote.publish(&ours).await.expect("the third attempt took effect");
        assert_eq!(remote.traffic().puts, 3);
    });
}

#[test]
fn a_store_that_stays_busy_is_an_error_and_not_a_lost_race() {
    run(async {
        let (remote, store) = faulty();
        store.script(StoreCall::Create, &[Fault::Busy; 5]);
        let error = remote.publish(&manifest(1, 1)).await.expect_err("five attempts failed");
        assert!(matches!(error, Error::Store { action: "create", .. }), "{error}");
        assert!(error.to_string().contains("in faulty"), "{error}");
        store.script(StoreCall::Create, &[Fault::NotFound]);
        remote
            .publish(&manifest(1, 1))
            .await
            .expect_err("a bucket that is gone is not asked twice");
        assert_eq!(remote.traffic().puts, 6);
    });
}

#[test]
fn a_lost_race_is_fenced_also_when_its_answer_is_lost() {
    for fault in [Fault::None, Fault::Busy, Fault::Conflict] {
        run(async {
            let (remote, store) = faulty();
            let winner = manifest(1, 2);
            remote.publish(&winner).await.expect("the first");
            store.script(StoreCall::Create, &[fault]);
            let error = remote.publish(&manifest(1, 1)).await.expect_err("it came second");
            let Error::Fenced { number, winner: writer, winner_epoch, epoch } = error else {
                panic!("{error}")
            };
            assert_eq!((number, writer, winner_epoch, epoch), (1, winner.writer, 2, 1));
        });
    }
}

#[test]
fn a_stalled_process_that_creates_a_deleted_number_is_fenced() {
    run(async {
        let (remote, _) = faulty();
        for number in 1..=3 {
            remote.publish(&manifest(number, 5)).await.expect("the newest");
        }
        remote.delete(&[names::manifest(1), names::manifest(2)]).await.expect("they are there");
        let error = remote.publish(&manifest(2, 4)).await.expect_err("number 3 is there");
        assert!(matches!(error, Error::Fenced { number: 3, winner_epoch: 5, epoch: 4, .. }));
    });
}

#[test]
fn other_bytes_of_the_same_process_under_one_number_are_not_taken_for_these() {
    run(async {
        let (remote, _) = faulty();
        let mut ours = manifest(1, 1);
        remote.publish(&ours).await.expect("the first");
        remote.publish(&ours).await.expect("the same bytes again");
        ours.published = Timestamp(1);
        let error = remote.publish(&ours).await.expect_err("the bucket holds other bytes");
        assert!(matches!(error, Error::Fenced { winner, .. } if winner == ours.writer));
    });
}

#[test]
fn faults_by_seed_never_publish_twice_and_never_lose_an_answer() {
    for seed in 0..200 {
        run(async {
            let (remote, store) = faulty();
            store.seed(seed, 3);
            let (one, two) = (manifest(1, 1), manifest(1, 2));
            let answers = [remote.publish(&one).await, remote.publish(&two).await];
            store.heal();
            let newest = remote.newest_manifest().await.expect("sound");
            for (manifest, answer) in [&one, &two].into_iter().zip(&answers) {
                let is_newest = newest.as_ref() == Some(manifest);
                let is_true = match answer {
                    Ok(()) => is_newest,
                    Err(Error::Fenced { .. }) => !is_newest,
                    Err(error) => matches!(error, Error::Store { .. }),
                };
                assert!(is_true, "seed {seed}: {answer:?}, and the newest is {newest:?}");
            }
        });
    }
}

#[test]
fn a_damaged_manifest_is_told_and_not_passed_over() {
    run(async {
        let (remote, _) = faulty();
        remote.publish(&manifest(1, 1)).await.expect("the first");
        let body = Bytes::from_static(b"{}");
        remote.put_small(&names::manifest(2), body).await.expect("a put");
        let error = remote.newest_manifest().await.expect_err("number 2 is no manifest");
        assert!(matches!(error, Error::Corrupt { file, .. } if file == names::manifest(2)));
        remote.publish(&manifest(2, 1)).await.expect_err("nor is it ours");
    });
}

#[test]
fn with_one_writer_declared_the_store_is_not_asked_for_conditions() {
    run(async {
        let (mut remote, store) = faulty();
        remote.conditional_puts = ConditionalPuts::SingleWriterDeclared;
        store.script(StoreCall::Create, &[Fault::NotFound]);
        remote.probe().await.expect("there is nothing to probe");
        remote.publish(&manifest(1, 1)).await.expect("the first");
        remote.publish(&manifest(2, 1)).await.expect("the next");
        let error = remote.publish(&manifest(2, 1)).await.expect_err("it is there");
        assert!(matches!(error, Error::Fenced { .. }), "{error}");
    });
}

#[test]
fn a_probe_leaves_nothing_and_refuses_a_store_without_conditions() {
    run(async {
        let (remote, store) = faulty();
        remote.probe().await.expect("memory has conditional puts");
        store.script(StoreCall::Create, &[Fault::MetItself]);
        remote.probe().await.expect("a retry inside the client met its own object");
        assert_eq!(remote.list_objects().await.expect("a listing"), []);
        // A create that the store answers with success although the object is there.
        let overwriting =
            RemoteLog::with_store(Arc::new(Unconditional(InMemory::new())), "x".into());
        let error = overwriting.probe().await.expect_err("it overwrites");
        assert!(matches!(&error, Error::Unsupported(text) if text.contains("second create")));
    });
}

#[test]
fn reads_tell_a_missing_object_from_a_short_one() {
    let check = |remote: &RemoteLog| {
        run(async {
            remote.put_small("a/b", Bytes::from_static(b"0123456789")).await.expect("a put");
            assert_eq!(remote.read("a/b", 2..5).await.expect("inside"), "234");
            assert_eq!(remote.read("a/b", 5..5).await.expect("nothing"), "");
            for range in [5..11, 10..11, 100..200] {
                let error = remote.read("a/b", range).await.expect_err("past the end");
                assert!(matches!(error, Error::Corrupt { offset: 10, .. }), "{error}");
            }
            let error = remote.read("a/c", 0..1).await.expect_err("there is none");
            assert!(matches!(error, Error::Missing { object } if object == "a/c"));
            assert_eq!(remote.read_small("a/c").await.expect("an answer"), None);
            assert_eq!(remote.list_objects().await.expect("a listing"), [("a/b".to_owned(), 10)]);
            remote.delete(&["a/b".to_owned(), "a/c".to_owned()]).await.expect("none is fine");
            assert_eq!(remote.list_objects().await.expect("a listing"), []);
        });
    };
    check(&faulty().0);
    let directory = tempfile::tempdir().expect("a directory");
    let url = BucketUrl::for_directory(&directory.path().join("new/bucket")).expect("absolute");
    check(&run(RemoteLog::connect(&url, &RemoteOptions::default())).expect("it can be made"));
}

#[test]
fn traffic_counts_requests_and_bytes() {
    run(async {
        let (remote, _) = faulty();
        remote.put_small("a", Bytes::from_static(b"0123456789")).await.expect("a put");
        remote.clone().read("a", 0..4).await.expect("a read");
        remote.list_objects().await.expect("a listing");
        remote.delete(&["a".to_owned()]).await.expect("a deletion");
        let expected = Traffic {
            gets: 1,
            puts: 1,
            lists: 1,
            deletes: 1,
            heads: 0,
            bytes_read: 4,
            bytes_written: 10,
        };
        assert_eq!(remote.traffic(), expected);
        assert_eq!(remote.traffic().requests(), 4);
    });
}

#[test]
fn a_directory_holds_an_object_under_its_name_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let url = BucketUrl::for_directory(directory.path()).expect("absolute");
    let remote = run(RemoteLog::connect(&url, &RemoteOptions::default())).expect("it is there");
    run(async {
        remote.publish(&manifest(1, 1)).await.expect("the first");
        remote.publish(&manifest(1, 1)).await.expect_err("it is there");
        remote.put_small("history/x", Bytes::from_static(b"one")).await.expect("a put");
        remote.put_small("history/x", Bytes::from_static(b"other")).await.expect("a replacement");
        assert_eq!(remote.read("history/x", 0..5).await.expect("whole"), "other");
    });
    let names_in = |place: &str| -> Vec<_> {
        let entries = std::fs::read_dir(directory.path().join(place)).expect("a directory");
        entries.map(|entry| entry.expect("an entry").file_name()).collect()
    };
    assert_eq!(names_in("manifest"), ["00000000000000000001.json"]);
    assert_eq!(names_in("history"), ["x"]);
}

/// A store that takes every create for a plain put.
#[derive(Debug)]
struct Unconditional(InMemory);

impl fmt::Display for Unconditional {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unconditional")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Unconditional {
    async fn put_opts(
        &self,
        at: &ObjectPath,
        body: PutPayload,
        _: object_store::PutOptions,
    ) -> object_store::Result<object_store::PutResult> {
        self.0.put(at, body).await
    }

    async fn put_multipart_opts(
        &self,
        at: &ObjectPath,
        how: object_store::PutMultipartOptions,
    ) -> object_store::Result<Box<dyn object_store::MultipartUpload>> {
        self.0.put_multipart_opts(at, how).await
    }

    async fn get_opts(
        &self,
        at: &ObjectPath,
        how: GetOptions,
    ) -> object_store::Result<object_store::GetResult> {
        self.0.get_opts(at, how).await
    }

    fn delete_stream(
        &self,
        objects: futures::stream::BoxStream<'static, object_store::Result<ObjectPath>>,
    ) -> futures::stream::BoxStream<'static, object_store::Result<ObjectPath>> {
        self.0.delete_stream(objects)
    }

    fn list(
        &self,
        prefix: Option<&ObjectPath>,
    ) -> futures::stream::BoxStream<'static, object_store::Result<object_store::ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(
        &self,
        prefix: Option<&ObjectPath>,
    ) -> object_store::Result<object_store::ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &ObjectPath,
        to: &ObjectPath,
        how: object_store::CopyOptions,
    ) -> object_store::Result<()> {
        self.0.copy_opts(from, to, how).await
    }
}
