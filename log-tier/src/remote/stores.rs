//! Makes the object store that a bucket's URL and options ask for.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::memory::InMemory;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};

use super::bucket_url::{BucketPlace, BucketService, BucketUrl, NetworkBucket};
use super::local_store::DurableLocalStore;
use super::option_names::{S3_OPTIONS, unknown_option};
use super::slow_link::{LinkSpeed, SlowLink};
use super::{RemoteOptions, durable_files};
use crate::{Error, Result};

/// How often a request is tried again.
const RETRIES_MAX: usize = 10;
/// Longest pause between two attempts; the first is a tenth of a second, and each twice the last.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);
/// What holds for S3 where neither the environment nor the options say otherwise. A request may
/// carry 16 MiB over a thin line. Uploads carry a checksum because many servers do not verify the
/// signed hash of a body.
const S3_DEFAULTS: &[(&str, &str)] =
    &[("aws_connect_timeout", "5s"), ("aws_timeout", "120s"), ("aws_checksum_algorithm", "sha256")];

/// Greatest number that an option of a link may be.
const LINK_NUMBER_MAX: u64 = 1_000_000_000_000;

/// The stores behind `memory:///name`. They live as long as the process, so that a database that
/// is opened again finds its bucket.
static MEMORY_BUCKETS: LazyLock<Mutex<BTreeMap<String, Arc<InMemory>>>> =
    LazyLock::new(Mutex::default);

/// The store behind `url`.
pub(super) fn open(url: &BucketUrl, options: &RemoteOptions) -> Result<Arc<dyn ObjectStore>> {
    match url.place() {
        BucketPlace::Directory(directory) => {
            let speed = link_speed(url, options)?;
            Ok(behind_link(open_directory(directory, url)?, speed))
        }
        BucketPlace::Memory(name) => {
            let speed = link_speed(url, options)?;
            Ok(behind_link(memory_bucket(name), speed))
        }
        BucketPlace::Network(place) => match place.service {
            BucketService::S3 => open_s3(place, url, options),
            #[cfg(feature = "gcs")]
            BucketService::Gcs => open_gcs(place, url, options),
            #[cfg(feature = "azure")]
            BucketService::Azure => open_azure(place, url, options),
        },
    }
}

/// Options of a store in this machine: how slow the link before it is to be.
const LATENCY: &str = "link_latency_ms";
const BYTES_PER_SEC: &str = "link_bytes_per_sec";

/// Stores in this machine have no options but those of a link that lies before them, and an option
/// that does nothing is an error.
fn link_speed(url: &BucketUrl, options: &RemoteOptions) -> Result<LinkSpeed> {
    let mut speed = LinkSpeed::default();
    for (name, value) in &options.store_options {
        let number = || {
            value.parse::<u64>().ok().filter(|number| *number <= LINK_NUMBER_MAX).ok_or_else(|| {
                let whole = format!("it is a whole number up to {LINK_NUMBER_MAX}");
                Error::Unsupported(format!("option {name} of the store is {value:?}; {whole}"))
            })
        };
        match name.as_str() {
            LATENCY => speed.latency = Duration::from_millis(number()?),
            BYTES_PER_SEC => {
                speed.bytes_per_sec = Some(number()?).filter(|bytes| *bytes > 0);
            }
            _ => {
                return Err(Error::Unsupported(format!(
                    "{url} takes no options of a store but {LATENCY} and {BYTES_PER_SEC}, which \
                     make it slower, and {name:?} is set",
                )));
            }
        }
    }
    Ok(speed)
}

/// The store behind a link of that speed, if it is one that slows it.
fn behind_link(store: Arc<dyn ObjectStore>, speed: LinkSpeed) -> Arc<dyn ObjectStore> {
    match speed == LinkSpeed::default() {
        true => store,
        false => Arc::new(SlowLink::new(store, speed)),
    }
}

fn open_directory(directory: &Path, url: &BucketUrl) -> Result<Arc<dyn ObjectStore>> {
    durable_files::create_directory(directory)
        .map_err(|(path, source)| Error::local("create", &path)(source))?;
    let store = DurableLocalStore::new(directory).map_err(|source| refused(url, source))?;
    Ok(Arc::new(store))
}

fn memory_bucket(name: &str) -> Arc<InMemory> {
    // The map is whole between any two of its operations, so a panic elsewhere did it no harm.
    let mut buckets = MEMORY_BUCKETS.lock().unwrap_or_else(PoisonError::into_inner);
    buckets.entry(name.to_owned()).or_default().clone()
}

fn open_s3(
    place: &NetworkBucket,
    url: &BucketUrl,
    options: &RemoteOptions,
) -> Result<Arc<dyn ObjectStore>> {
    let mut builder = AmazonS3Builder::from_env();
    for (name, value) in S3_DEFAULTS {
        if std::env::var_os(name.to_ascii_uppercase()).is_none() {
            builder = builder.with_config(s3_key(name)?, *value);
        }
    }
    for (name, value) in &options.store_options {
        builder = builder.with_config(s3_key(name)?, value);
    }
    check_endpoint(&builder)?;
    let store = builder
        .with_bucket_name(&place.bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(retry_config(options))
        .build()
        .map_err(|source| refused(url, source))?;
    Ok(with_prefix(store, place))
}

fn s3_key(name: &str) -> Result<AmazonS3ConfigKey> {
    let key = S3_OPTIONS.contains(&name).then(|| name.parse().ok()).flatten();
    key.ok_or_else(|| unknown_option(name, S3_OPTIONS))
}

/// The client would refuse every request to an endpoint of plain HTTP, in words that tell nobody
/// why, and panic over one that is no URL.
fn check_endpoint(builder: &AmazonS3Builder) -> Result<()> {
    let set = |key: AmazonS3ConfigKey| builder.get_config_value(&key);
    let value = |key: AmazonS3ConfigKey| set(key).unwrap_or_default();
    let special = set(AmazonS3ConfigKey::S3Endpoint).filter(|special| !special.is_empty());
    let Some(endpoint) = special.or_else(|| set(AmazonS3ConfigKey::Endpoint)) else {
        return Ok(());
    };
    if !["http://", "https://"].iter().any(|scheme| endpoint.starts_with(scheme)) {
        return Err(Error::Unsupported(format!(
            "the store's endpoint {endpoint:?} is no URL: write it as https://host:port, or leave it \
             unset, also in the environment, for the one of AWS"
        )));
    }
    let allowed = value(AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
    let is_true = ["1", "true", "on", "yes", "y"].contains(&allowed.to_ascii_lowercase().as_str());
    if endpoint.starts_with("http://") && !is_true {
        return Err(Error::Unsupported(format!(
            "the store's endpoint {endpoint} is plain HTTP, which anyone on the way can read: use \
             https, or allow it with aws_allow_http = \"true\""
        )));
    }
    Ok(())
}

#[cfg(feature = "gcs")]
fn open_gcs(
    place: &NetworkBucket,
    url: &BucketUrl,
    options: &RemoteOptions,
) -> Result<Arc<dyn ObjectStore>> {
    use super::option_names::GCS_OPTIONS;
    let mut builder = object_store::gcp::GoogleCloudStorageBuilder::from_env();
    for (name, value) in &options.store_options {
        let key = GCS_OPTIONS.contains(&name.as_str()).then(|| name.parse().ok()).flatten();
        let key = key.ok_or_else(|| unknown_option(name, GCS_OPTIONS))?;
        builder = builder.with_config(key, value);
    }
    let builder = builder.with_bucket_name(&place.bucket).with_retry(retry_config(options));
    Ok(with_prefix(builder.build().map_err(|source| refused(url, source))?, place))
}

#[cfg(feature = "azure")]
fn open_azure(
    place: &NetworkBucket,
    url: &BucketUrl,
    options: &RemoteOptions,
) -> Result<Arc<dyn ObjectStore>> {
    use super::option_names::AZURE_OPTIONS;
    let mut builder = object_store::azure::MicrosoftAzureBuilder::from_env();
    for (name, value) in &options.store_options {
        let key = AZURE_OPTIONS.contains(&name.as_str()).then(|| name.parse().ok()).flatten();
        let key = key.ok_or_else(|| unknown_option(name, AZURE_OPTIONS))?;
        builder = builder.with_config(key, value);
    }
    let builder = builder.with_container_name(&place.bucket).with_retry(retry_config(options));
    Ok(with_prefix(builder.build().map_err(|source| refused(url, source))?, place))
}

fn retry_config(options: &RemoteOptions) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig { max_backoff: RETRY_PAUSE_MAX, ..BackoffConfig::default() },
        max_retries: RETRIES_MAX,
        retry_timeout: options.retry_timeout,
    }
}

fn with_prefix(store: impl ObjectStore, place: &NetworkBucket) -> Arc<dyn ObjectStore> {
    if place.prefix.as_ref().is_empty() {
        Arc::new(store)
    } else {
        Arc::new(PrefixStore::new(store, place.prefix.clone()))
    }
}

fn refused(url: &BucketUrl, source: object_store::Error) -> Error {
    Error::Store { action: "open", object: url.to_string(), source }
}
