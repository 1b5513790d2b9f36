//! Where a bucket is: the one text by which a user names it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use object_store::path::Path as ObjectPath;
use url::Url;

use crate::{Error, Result};

/// A bucket, and the prefix in it that belongs to one database.
///
/// `file:///directory`, `memory:///name`, `s3://bucket/prefix`, `gs://bucket/prefix` and
/// `az://container/prefix`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BucketUrl {
    place: BucketPlace,
    text: String,
}

/// The kinds of places, each with what its store needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum BucketPlace {
    /// A directory of the local file system.
    Directory(PathBuf),
    /// A store in this process that all who give the same name share.
    Memory(String),
    /// A bucket of a store on the network.
    Network(NetworkBucket),
}

/// A bucket of a store on the network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct NetworkBucket {
    pub(super) service: BucketService,
    pub(super) bucket: String,
    pub(super) prefix: ObjectPath,
}

/// The protocols of stores on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum BucketService {
    /// Amazon S3, and what speaks as it does.
    S3,
    /// Google Cloud Storage.
    #[cfg(feature = "gcs")]
    Gcs,
    /// Azure Blob Storage.
    #[cfg(feature = "azure")]
    Azure,
}

const SCHEMES: &str = "file:///directory, memory:///name, s3://bucket/prefix, gs://bucket/prefix \
                       or az://container/prefix";

impl BucketUrl {
    /// The bucket that is this directory of the local file system.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if the path is relative.
    pub fn for_directory(directory: &Path) -> Result<Self> {
        let url = Url::from_directory_path(directory).map_err(|()| {
            Error::Unsupported(format!(
                "the bucket's directory {} is a relative path: give an absolute one",
                directory.display()
            ))
        })?;
        url.as_str().parse()
    }

    /// Whether it is a directory that is not there. Connecting would make it.
    #[must_use]
    pub fn is_missing_directory(&self) -> bool {
        matches!(&self.place, BucketPlace::Directory(directory) if !directory.exists())
    }

    /// Where other programs find an object of this bucket: a path, or a URL.
    #[must_use]
    pub fn location(&self, object: &str) -> String {
        match &self.place {
            BucketPlace::Directory(directory) => directory.join(object).display().to_string(),
            _ => format!("{}/{object}", self.text.trim_end_matches('/')),
        }
    }

    pub(super) const fn place(&self) -> &BucketPlace {
        &self.place
    }
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for BucketUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text)
            .map_err(|reason| Error::Unsupported(format!("cannot use bucket {text:?}: {reason}")))
    }
}

fn parse(text: &str) -> Result<BucketUrl, String> {
    let Some((scheme, _)) = text.split_once("://") else {
        return Err(format!("it has no scheme; write {SCHEMES}"));
    };
    // The reader of URLs leaves out blanks at both ends, and line ends and tabs anywhere: then the
    // bucket would not be the one that was named.
    if let Some(mark) = text.chars().find(|mark| "?# ".contains(*mark) || mark.is_ascii_control()) {
        return Err(format!("it has a {mark:?}; in a name, write it as %{:02X}", u32::from(mark)));
    }
    let url = Url::parse(text).map_err(|error| format!("it is not a URL ({error})"))?;
    let has_account = !url.username().is_empty() || url.password().is_some();
    if has_account || url.port().is_some() {
        return Err("it names a user or a port; credentials and the endpoint are options of the \
                    store, such as aws_access_key_id and aws_endpoint"
            .to_owned());
    }
    let place = match scheme {
        "file" => directory(&url)?,
        "memory" => memory(&url)?,
        "s3" => network(BucketService::S3, &url)?,
        "gs" => gcs(&url)?,
        "az" => azure(&url)?,
        other => return Err(format!("there are no buckets of scheme {other:?}; write {SCHEMES}")),
    };
    Ok(BucketUrl { place, text: text.trim_end_matches('/').to_owned() }.with_slash_if_nameless())
}

impl BucketUrl {
    /// `memory:///` and `file:///` have nothing after their slashes, and keep them.
    fn with_slash_if_nameless(mut self) -> Self {
        if self.text.ends_with(':') {
            self.text.push_str("///");
        }
        self
    }
}

fn directory(url: &Url) -> Result<BucketPlace, String> {
    if let Some(host) = url.host_str() {
        let path = url.path();
        return Err(format!(
            "{host}{path} is a relative path, or one on another machine; write an absolute one \
             after three slashes, as in file:///{host}{path}"
        ));
    }
    let path = url.to_file_path().map_err(|()| "it is not a path of this machine".to_owned())?;
    Ok(BucketPlace::Directory(path))
}

fn memory(url: &Url) -> Result<BucketPlace, String> {
    if let Some(host) = url.host_str() {
        return Err(format!("the name comes after three slashes, as in memory:///{host}"));
    }
    Ok(BucketPlace::Memory(url.path().trim_matches('/').to_owned()))
}

fn network(service: BucketService, url: &Url) -> Result<BucketPlace, String> {
    let bucket = url
        .host_str()
        .filter(|bucket| !bucket.is_empty())
        .ok_or_else(|| format!("it names no bucket; write {}://bucket/prefix", url.scheme()))?
        .to_owned();
    let prefix = ObjectPath::from_url_path(url.path().trim_matches('/'))
        .map_err(|error| format!("its prefix cannot begin the name of an object ({error})"))?;
    Ok(BucketPlace::Network(NetworkBucket { service, bucket, prefix }))
}

#[cfg(feature = "gcs")]
fn gcs(url: &Url) -> Result<BucketPlace, String> {
    network(BucketService::Gcs, url)
}

#[cfg(not(feature = "gcs"))]
fn gcs(_: &Url) -> Result<BucketPlace, String> {
    Err("this foldback was built without feature gcs; build it with `--features gcs`".to_owned())
}

#[cfg(feature = "azure")]
fn azure(url: &Url) -> Result<BucketPlace, String> {
    network(BucketService::Azure, url)
}

#[cfg(not(feature = "azure"))]
fn azure(_: &Url) -> Result<BucketPlace, String> {
    Err("this foldback was built without feature azure; build it with `--features azure`"
        .to_owned())
}
