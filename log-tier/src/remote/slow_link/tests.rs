//! A link makes what goes over it slow, and changes nothing of it.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::remote::{BucketUrl, RemoteLog, RemoteOptions};

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().expect("a runtime")
}

async fn over_link(options: &[(&str, &str)]) -> crate::Result<RemoteLog> {
    let url: BucketUrl = "memory:///slow-link".parse()?;
    let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let store_options: BTreeMap<_, _> = options.collect();
    RemoteLog::connect(&url, &RemoteOptions { store_options, ..RemoteOptions::default() }).await
}

#[test]
fn requests_wait_each_for_themselves_and_bytes_for_one_another() {
    runtime().block_on(async {
        let options = [("link_latency_ms", "50"), ("link_bytes_per_sec", "1000000")];
        let remote = over_link(&options).await.expect("it is there");
        let began = Instant::now();
        remote.put_small("one", Bytes::from(vec![7; 200_000])).await.expect("it is put");
        assert_eq!(began.elapsed().as_millis(), 250);
        let began = Instant::now();
        let (left, right) =
            tokio::join!(remote.read("one", 0..100_000), remote.read("one", 100_000..200_000));
        assert_eq!([left.expect("sound"), right.expect("sound")].concat(), vec![7; 200_000]);
        assert_eq!(began.elapsed().as_millis(), 250, "one latency, and the bytes of both");
        let began = Instant::now();
        assert_eq!(remote.list_objects().await.expect("a listing").len(), 1);
        remote.delete(&["one".to_owned()]).await.expect("it is gone");
        assert_eq!(began.elapsed().as_millis(), 100);
    });
}

#[test]
fn an_option_that_is_no_number_or_none_of_a_link_is_refused() {
    runtime().block_on(async {
        for (name, value) in
            [("link_latency_ms", "-1"), ("link_bytes_per_sec", "fast"), ("aws_region", "here")]
        {
            let refused = over_link(&[(name, value)]).await.expect_err("it is refused");
            assert!(refused.to_string().contains(name), "{refused}");
        }
    });
}
