//! Matching a local directory with a bucket: who is who, and what may not be mixed.

use foldback_compactor::Network;
use foldback_log_tier::fs::{Fs, FsLock};
use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::remote::{BucketUrl, RemoteLog};
use foldback_log_tier::{DatabaseId, names};

use crate::config::Config;
use crate::identity::{DirectoryState, Identity};
use crate::{Error, Result};

/// Makes the local directory if need be, and takes its lock for this process.
pub(super) fn lock_directory(fs: &dyn Fs, config: &Config) -> Result<Box<dyn FsLock>> {
    fs.create_directory(&config.directory)?;
    Ok(fs.lock(&config.directory.join(names::LOCK))?)
}

/// The bucket to use: the one configured, else the one recorded, else the one in the directory.
pub(super) fn bucket_url(config: &Config, recorded: Option<&Identity>) -> Result<BucketUrl> {
    let recorded = recorded.and_then(|identity| identity.bucket.as_ref());
    match config.bucket.as_ref().or(recorded) {
        Some(url) => Ok(url.parse()?),
        None => {
            let absolute = std::path::absolute(&config.directory)
                .map_err(foldback_log_tier::Error::local("find", &config.directory))?;
            Ok(BucketUrl::for_directory(&absolute.join(names::BUCKET_DIRECTORY))?)
        }
    }
}

/// Decides which database this is, from what the directory and the bucket say of themselves.
pub(super) fn match_bucket(
    config: &Config,
    url: &BucketUrl,
    recorded: Option<Identity>,
    newest: Option<&Manifest>,
) -> Result<Identity> {
    let (directory, bucket) = (config.directory.display().to_string(), url.to_string());
    let Some(mut identity) = recorded else {
        return match newest {
            None => {
                let id = DatabaseId::random();
                Ok(Identity::new(id, config.bucket.clone(), DirectoryState::Creating))
            }
            Some(manifest) => Err(Error::BucketHoldsHistory {
                bucket,
                directory,
                theirs: manifest.database,
                sealed: manifest.sealed.seq,
            }),
        };
    };
    let ours = identity.database;
    match (identity.state, newest.map(|manifest| manifest.database)) {
        (DirectoryState::Recovering, _) => Err(Error::Lost(format!(
            "{directory} was being recovered from a bucket, and that did not finish; the bucket is \
             untouched; run `recover` again"
        ))),
        (_, Some(theirs)) if theirs != ours => {
            Err(Error::ForeignBucket { bucket, directory, theirs, ours })
        }
        (DirectoryState::Ready, Some(_)) if went_on_elsewhere(&identity, newest) => {
            Err(Error::Lost(format!(
                "the newest manifest in bucket {bucket} was not published from {directory}: \
                 database {ours} was recovered or copied to another place, and went on there; \
                 nothing was changed; go on with that copy, or run `recover` into an empty \
                 directory, which then takes over; commits that only this directory holds are not \
                 in the bucket"
            )))
        }
        (DirectoryState::Ready, None) => Err(Error::Lost(format!(
            "bucket {bucket} holds no history, but {directory} holds database {ours}, whose \
             history was there before; nothing was changed; check the bucket's name and prefix"
        ))),
        _ => {
            if config.bucket.is_some() {
                identity.bucket.clone_from(&config.bucket);
            }
            Ok(identity)
        }
    }
}

/// Refuses to begin a database beside detached backups: a sweep would take their files for its own.
pub(super) fn refuse_backups(network: &Network, remote: &RemoteLog) -> Result<()> {
    let asked = remote.clone();
    let backups = network.run(async move { asked.list_backups().await })?;
    match backups.first() {
        None => Ok(()),
        Some(name) => Err(Error::Invalid(format!(
            "bucket {} holds detached backups, {name:?} among them, and no database may begin \
             beside them; give the database a bucket or a prefix of its own, and bring a table back \
             with `backup restore --from`",
            remote.name()
        ))),
    }
}

/// Whether another directory has published since this one last did.
fn went_on_elsewhere(identity: &Identity, newest: Option<&Manifest>) -> bool {
    newest.is_some_and(|manifest| !identity.writers.contains(&manifest.writer))
}

#[cfg(test)]
mod tests;
