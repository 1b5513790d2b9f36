//! Recovery from the bucket alone: the local directory is made anew from history.

use std::sync::Arc;

use foldback_log_tier::fs::{Fs, OsFs};
use foldback_log_tier::{Commit, WriterId, names};

use super::Database;
use super::create::{bucket_url, lock_directory};
use super::open::{Ground, newest_manifest, probe, reach, start, start_network};
use crate::catalog::CatalogChange;
use crate::config::Config;
use crate::identity::{DirectoryState, Identity};
use crate::present::remove_directory;
use crate::{Error, Result};

/// A database that was rebuilt from its bucket.
#[derive(Debug)]
pub struct Recovery {
    /// The database, open, in a new epoch.
    pub database: Database,
    /// The last commit that the bucket held; nothing after it could be brought back.
    pub recovered_to: Commit,
    /// Names of tables that were not protected: their data was never in the bucket. They were
    /// dropped.
    pub lost_tables: Vec<String>,
}

pub(super) fn recover(config: Config) -> Result<Recovery> {
    rebuild(prepare(config)?)
}

/// Finds out what there is to recover, and makes the directory ready for it.
fn prepare(config: Config) -> Result<Ground> {
    config.check()?;
    let fs: Arc<dyn Fs> = Arc::new(OsFs);
    let place = lock_directory(&*fs, &config)?;
    clear_unfinished(&*fs, &config)?;
    let url = bucket_url(&config, None)?;
    let nothing_there = || {
        Error::Lost(format!(
            "bucket {url} holds no history, so there is nothing to recover; nothing was changed; \
             check the bucket's name and prefix"
        ))
    };
    if url.is_missing_directory() {
        return Err(nothing_there());
    }
    let network = start_network()?;
    let remote = reach(&network, &url, &config)?;
    let newest = newest_manifest(&network, &remote)?.ok_or_else(nothing_there)?;
    let recovering = DirectoryState::Recovering;
    probe(&network, &remote)?;
    let writer = WriterId::random();
    let identity = Identity::new(newest.database, config.bucket.clone(), recovering)
        .about_to_publish(Some(newest.writer), writer);
    identity.write(&*fs, &config.directory)?;
    let newest = Some(newest);
    Ok(Ground { config, fs, place, url, network, remote, newest, identity, writer })
}

/// Takes the database over, and makes the directory anew from its history.
fn rebuild(ground: Ground) -> Result<Recovery> {
    let (fs, directory) = (Arc::clone(&ground.fs), ground.config.directory.clone());
    let mut identity = ground.identity.clone();
    let (database, lost) = start(ground)?;
    let recovered_to = database.inner.publisher.sealed();
    for record in &lost {
        database.change_catalog(CatalogChange::Drop { id: record.id }, None, None)?;
    }
    identity.state = DirectoryState::Ready;
    identity.write(&*fs, &directory)?;
    let lost_tables = lost.into_iter().map(|record| record.name).collect();
    Ok(Recovery { database, recovered_to, lost_tables })
}

/// Removes what an unfinished recovery left; refuses a directory that holds a database.
fn clear_unfinished(fs: &dyn Fs, config: &Config) -> Result<()> {
    let directory = &config.directory;
    let parts = [names::LOG_DIRECTORY, names::PRESENT_DIRECTORY];
    let unfinished = match Identity::read(fs, directory)? {
        Some(identity) => identity.state == DirectoryState::Recovering,
        None => !parts.iter().any(|part| directory.join(part).exists()),
    };
    if !unfinished {
        return Err(Error::Invalid(format!(
            "{} holds a database already; recover into an empty directory, and keep this one \
             until you have seen that nothing is missing",
            directory.display()
        )));
    }
    parts.iter().try_for_each(|part| remove_directory(&directory.join(part)))
}

#[cfg(test)]
mod tests;
