//! Texts: keys, the names of files and objects, ids, the URLs of buckets.

use foldback_log_tier::manifest::text;
use foldback_log_tier::remote::BucketUrl;
use foldback_log_tier::{DatabaseId, WriterId, names};

use super::Door;
use crate::fuzz::samples::Sample;

/// URLs of every kind that any build knows.
const URLS: [&str; 8] = [
    "file:///var/lib/foldback",
    "file:///with%20space/%C3%A9/",
    "file:///",
    "memory:///",
    "memory:///name/of/it",
    "s3://bucket",
    "s3://bucket/prefix/of/two%20words/",
    "s3://bucket-7/a+b/c:9",
];

pub(super) fn doors(samples: &[Sample]) -> Vec<Door> {
    vec![keys(samples), all_names(samples), urls()]
}

/// Each key has one text.
fn keys(samples: &[Sample]) -> Door {
    let commits = samples.iter().flat_map(Sample::commits);
    let events = commits.flat_map(|committed| committed.batch.events);
    let mut inputs: Vec<_> = events.map(|event| text::encode(&event.key).into_bytes()).collect();
    inputs.push(b"\\x00\\x5c\\x7f\\xff plain".to_vec());
    let check = move |_, input: &[u8]| {
        assert_eq!(text::decode(&text::encode(input)).expect("it was encoded"), input);
        let input = String::from_utf8_lossy(input);
        text::decode(&input).is_ok_and(|key| {
            assert_eq!(text::encode(&key), input);
            true
        })
    };
    Door { name: "key text", inputs_a_turn: 64, inputs, check: Box::new(check) }
}

/// Each name is that of what it says.
fn all_names(samples: &[Sample]) -> Door {
    let inputs = samples.iter().flat_map(|sample| {
        let objects = sample.objects.iter().map(|object| object.entry.name.clone());
        let segment = names::segment(sample.sealed.before.seq.next());
        let ids = [sample.database.to_string(), sample.manifest.writer.to_string()];
        let manifest = names::manifest(sample.manifest.number);
        let lease = names::lease(sample.manifest.writer);
        objects.chain([segment, manifest, lease]).chain(ids)
    });
    let check = move |_, input: &[u8]| {
        let input = String::from_utf8_lossy(input);
        let segment = names::parse_segment(&input).map(names::segment);
        let manifest = names::parse_manifest(&input).map(names::manifest);
        let history = names::parse_history(&input).map(names::history);
        let lease = names::parse_lease(&input).map(names::lease);
        let database = input.parse::<DatabaseId>().ok().map(|id| id.to_string());
        let writer = input.parse::<WriterId>().ok().map(|id| id.to_string());
        let parsed = [segment, manifest, history, lease, database, writer];
        let mut built = parsed.into_iter().flatten().peekable();
        let is_accepted = built.peek().is_some();
        built.for_each(|name| assert_eq!(name, input));
        is_accepted
    };
    let inputs = inputs.map(String::into_bytes).collect();
    Door { name: "name", inputs_a_turn: 64, inputs, check: Box::new(check) }
}

/// A bucket's URL is refused, or names the same bucket again when it is shown.
fn urls() -> Door {
    let inputs = URLS.iter().map(|url| url.as_bytes().to_vec()).collect();
    let check = move |_, input: &[u8]| {
        let input = String::from_utf8_lossy(input);
        let Ok(url) = input.parse::<BucketUrl>() else { return false };
        let shown = url.to_string();
        let again: BucketUrl = shown.parse().unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert_eq!(again, url);
        let location = url.location("object");
        assert!(location.ends_with("/object"), "{location}");
        true
    };
    Door { name: "bucket URL", inputs_a_turn: 32, inputs, check: Box::new(check) }
}
