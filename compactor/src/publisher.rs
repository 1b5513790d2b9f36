//! The one place that makes history visible: it turns the newest manifest into the next.

use std::sync::{Arc, PoisonError, RwLock};

use foldback_log_tier::history::HistoryObject;
use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::remote::RemoteLog;
use foldback_log_tier::{Commit, Error, Result, Timestamp, WriterId};

/// Publishes manifests of one epoch, one after the other.
#[derive(Debug)]
pub struct Publisher {
    remote: RemoteLog,
    newest: RwLock<Arc<Manifest>>,
    /// Held while a manifest is published, so that each builds on the one before; what may or may
    /// not have been published last, as the bucket gave no clear answer.
    turn: tokio::sync::Mutex<Option<Manifest>>,
    writer: WriterId,
}

impl Publisher {
    /// Opens a new epoch on top of `newest` by publishing it anew as `writer`: from here on every
    /// process of an older epoch finds itself fenced when it publishes.
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
        let opened = Manifest {
            number: newest.number + 1,
            epoch: newest.epoch + 1,
            writer,
            published: now,
            ..newest
        };
        remote.publish(&opened).await?;
        let (newest, turn) = (RwLock::new(Arc::new(opened)), tokio::sync::Mutex::default());
        Ok(Self { remote, newest, turn, writer })
    }

    /// The newest manifest that this process published.
    #[must_use]
    pub fn newest(&self) -> Arc<Manifest> {
        Arc::clone(&self.newest.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Uploads a delta file and publishes it: from then on history covers its commits.
    ///
    /// # Errors
    ///
    /// As [`RemoteLog::publish`]; the file may be left in the bucket, where no manifest names it.
    ///
    /// # Panics
    ///
    /// If the file does not follow on what is sealed.
    pub async fn publish_delta(&self, delta: &HistoryObject, now: Timestamp) -> Result<()> {
        let sealed = self.newest().sealed.seq;
        assert_eq!(delta.entry.first.seq, sealed.next(), "deltas are sealed in order");
        self.remote.put_history(delta).await?;
        let last = delta.entry.last;
        self.publish(now, |manifest| {
            manifest.sealed = last;
            manifest.files.push(delta.entry.clone());
        })
        .await
    }

    /// Uploads one file of a base; it is visible once [`Self::publish_base`] names it.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the bucket does not take it.
    pub async fn upload(&self, file: &HistoryObject) -> Result<()> {
        self.remote.put_history(file).await
    }

    /// Publishes the files of a base, all at once.
    ///
    /// # Errors
    ///
    /// As [`RemoteLog::publish`].
    pub async fn publish_base(
        &self,
        files: Vec<foldback_log_tier::manifest::HistoryEntry>,
        now: Timestamp,
    ) -> Result<()> {
        self.publish(now, |manifest| manifest.files.extend(files)).await
    }

    /// Uploads a delta and publishes it in the place of those that it was made of.
    ///
    /// # Errors
    ///
    /// As [`RemoteLog::publish`].
    ///
    /// # Panics
    ///
    /// If the manifest does not name them all, one after the other.
    pub async fn publish_merged(
        &self,
        merged: &HistoryObject,
        inputs: &[String],
        now: Timestamp,
    ) -> Result<()> {
        self.remote.put_history(merged).await?;
        self.publish(now, |manifest| {
            let before = manifest.files.len();
            let at = manifest.files.iter().position(|file| inputs.contains(&file.name));
            manifest.files.retain(|file| !inputs.contains(&file.name));
            assert_eq!(manifest.files.len() + inputs.len(), before, "every input is live");
            manifest.files.insert(at.unwrap_or_default(), merged.entry.clone());
        })
        .await
    }

    async fn publish(&self, now: Timestamp, change: impl FnOnce(&mut Manifest)) -> Result<()> {
        let mut unsettled = self.turn.lock().await;
        assert!(unsettled.is_none(), "what is unsettled is settled first");
        let mut next = Manifest::clone(&self.newest());
        next.number += 1;
        next.published = now;
        assert_eq!(next.writer, self.writer, "a publisher builds on its own manifests");
        change(&mut next);
        match self.remote.publish(&next).await {
            Ok(()) => self.show(next),
            Err(error) => {
                if is_passing(&error) {
                    *unsettled = Some(next);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Publishes again, byte for byte, a manifest that the bucket gave no clear answer to: it may
    /// be there already, and another in its place would be taken for a rival's. Says whether there
    /// was one.
    ///
    /// # Errors
    ///
    /// As [`RemoteLog::publish`].
    pub async fn settle(&self) -> Result<bool> {
        let mut unsettled = self.turn.lock().await;
        let Some(manifest) = unsettled.as_ref() else { return Ok(false) };
        self.remote.publish(manifest).await?;
        let manifest = unsettled.take().expect("it was just there");
        self.show(manifest);
        Ok(true)
    }

    fn show(&self, manifest: Manifest) {
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(manifest);
    }

    /// The bucket.
    #[must_use]
    pub fn remote(&self) -> &RemoteLog {
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
