//! The one place that makes history visible: it turns the newest manifest into the next.
//!
//! The writer and any number of compactors publish to one bucket, each building on the newest
//! manifest that it knows. Who loses a number reads the newest one and tries again on top of it.

use std::sync::{Arc, PoisonError, RwLock};

use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::remote::RemoteLog;
use foldback_log_tier::{Commit, Error, Result, Timestamp, WriterId};

use crate::change::{Applied, Change, Publishing};

/// By how much expiry follows a clock that moves on at once, in microseconds: seven days.
pub const CLOCK_STEP_MAX: i64 = 7 * 24 * 60 * 60 * 1_000_000;

/// How often a change is made again because others published first.
const RACES_MAX: u32 = 32;

/// Publishes manifests, one after the other.
#[derive(Debug)]
pub struct Publisher {
    remote: RemoteLog,
    newest: RwLock<Arc<Manifest>>,
    /// Held while a manifest is published, so that each builds on the one before; what may or may
    /// not have been published last, as the bucket gave no clear answer.
    turn: tokio::sync::Mutex<Option<Manifest>>,
    publisher: WriterId,
    /// The epoch that this process holds, if it is the writer.
    epoch: Option<u64>,
}

impl Publisher {
    /// Opens a new epoch on top of `newest` as `writer`: from here on every process that holds an
    /// older epoch finds itself fenced when it publishes.
    ///
    /// # Errors
    ///
    /// [`Error::Fenced`] if another process opened one at the same time, [`Error::Store`] if the
    /// bucket can't be reached.
    pub async fn open_epoch(
        remote: RemoteLog,
        newest: Manifest,
        writer: WriterId,
        now: Timestamp,
    ) -> Result<Self> {
        let epoch_before = newest.epoch;
        let mut opening = Self::joining(remote, newest, writer);
        // Until it is open, a compactor may publish; another writer may not.
        opening.epoch = Some(epoch_before);
        opening.publish(&Change::Open(writer), now).await?;
        // It can have been open already, by an attempt whose answer was lost.
        opening.epoch = Some(opening.newest().epoch);
        Ok(opening)
    }

    /// Joins those who publish to a bucket, as a compactor.
    #[must_use]
    pub fn joining(remote: RemoteLog, newest: Manifest, publisher: WriterId) -> Self {
        let (newest, turn) = (RwLock::new(Arc::new(newest)), tokio::sync::Mutex::default());
        Self { remote, newest, turn, publisher, epoch: None }
    }

    /// The newest manifest that this process has seen.
    #[must_use]
    pub fn newest(&self) -> Arc<Manifest> {
        Arc::clone(&self.newest.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the newest manifest, which others may have published.
    ///
    /// # Errors
    ///
    /// [`Error::Fenced`] if this process has lost its epoch; what reading fails with.
    pub async fn refresh(&self) -> Result<Arc<Manifest>> {
        let known = self.newest().number;
        if self.remote.newer_manifest(known).await?.is_some() {
            let newest = self.remote.newest_manifest().await?;
            let newest = newest.ok_or_else(|| Error::Missing {
                object: foldback_log_tier::names::manifest(known),
            })?;
            self.adopt(newest)?;
        }
        Ok(self.newest())
    }

    /// Makes a change to the newest manifest, whoever published that, and publishes it.
    ///
    /// # Errors
    ///
    /// [`Error::Superseded`] if what it depends on has changed; [`Error::Fenced`] if another
    /// process opened the database for writing; otherwise as [`RemoteLog::publish`].
    pub async fn publish(&self, change: &Change, now: Timestamp) -> Result<()> {
        let mut unsettled = self.turn.lock().await;
        self.settle_turn(&mut unsettled).await?;
        let publisher = self.publisher;
        let publishing = Publishing { publisher, now, clock_step_max: CLOCK_STEP_MAX };
        for _ in 0..RACES_MAX {
            let next = match change.apply(&self.newest(), publishing) {
                Applied::Next(next) => *next,
                Applied::Already => return Ok(()),
                Applied::Superseded => return Err(Error::Superseded),
            };
            match self.remote.publish(&next).await {
                Ok(()) => {
                    self.show(next);
                    return Ok(());
                }
                Err(Error::Fenced { .. }) => self.adopt_rival().await?,
                Err(error) => {
                    *unsettled = is_passing(&error).then_some(next);
                    return Err(error);
                }
            }
        }
        Err(Error::Superseded)
    }

    /// Publishes again, byte for byte, a manifest that the bucket gave no clear answer to: it may
    /// be there already, and then it is to be known. Says whether there was one.
    ///
    /// # Errors
    ///
    /// As [`Self::publish`].
    pub async fn settle(&self) -> Result<bool> {
        let mut unsettled = self.turn.lock().await;
        self.settle_turn(&mut unsettled).await
    }

    async fn settle_turn(&self, unsettled: &mut Option<Manifest>) -> Result<bool> {
        let Some(manifest) = unsettled.as_ref() else { return Ok(false) };
        match self.remote.publish(manifest).await {
            Ok(()) => self.show(manifest.clone()),
            // Others have published since, on top of it or in its place.
            Err(Error::Fenced { .. }) => self.adopt_rival().await?,
            Err(error) => return Err(error),
        }
        *unsettled = None;
        Ok(true)
    }

    /// Goes on from what others have published.
    async fn adopt_rival(&self) -> Result<()> {
        match self.remote.newest_manifest().await? {
            Some(newest) => self.adopt(newest),
            None => Err(Error::Missing {
                object: foldback_log_tier::names::manifest(self.newest().number),
            }),
        }
    }

    /// Takes `newest` over, unless it says that this process has lost its epoch.
    fn adopt(&self, newest: Manifest) -> Result<()> {
        match self.epoch {
            Some(epoch) if newest.epoch > epoch => Err(Error::Fenced {
                number: newest.number,
                winner_epoch: newest.epoch,
                winner: newest.writer,
                epoch,
            }),
            _ if newest.database != self.newest().database => Err(Error::Unsupported(format!(
                "the bucket held database {}, and holds database {} now; nothing more is \
                 published; find out who replaced it",
                self.newest().database,
                newest.database
            ))),
            _ => {
                self.show(newest);
                Ok(())
            }
        }
    }

    fn show(&self, manifest: Manifest) {
        let mut newest = self.newest.write().unwrap_or_else(PoisonError::into_inner);
        if manifest.number >= newest.number {
            *newest = Arc::new(manifest);
        }
    }

    /// The bucket.
    #[must_use]
    pub const fn remote(&self) -> &RemoteLog {
        &self.remote
    }

    /// The last commit that history covers.
    #[must_use]
    pub fn sealed(&self) -> Commit {
        self.newest().sealed
    }
}

/// Whether trying again later may help, as it does when a bucket is out of reach.
#[must_use]
pub fn is_passing(error: &Error) -> bool {
    matches!(error, Error::Store { .. })
}

#[cfg(test)]
mod tests;
