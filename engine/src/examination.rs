//! A bucket that is examined: read anew from the store, with nothing trusted that was read before.

use std::sync::Arc;

use foldback_compactor::{HistoryReader, Network};
use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::remote::RemoteLog;
use foldback_log_tier::{DatabaseId, Error as TierError, names};

use crate::bucket_reader::fold_catalog;
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::database::newest_manifest;
use crate::past::{MOMENTS_MAX, Past, PastMoment, is_gone};
use crate::reading::Places;
use crate::{Error, Result};

/// A bucket, and how it is read.
#[derive(Debug)]
pub(crate) struct Examination {
    pub(crate) network: Arc<Network>,
    /// Remembers nothing from before: what is in memory may not be in the bucket any more.
    pub(crate) history: Arc<HistoryReader>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) database: DatabaseId,
}

impl Examination {
    /// Examines the bucket of `database`.
    pub(crate) fn new(
        network: Arc<Network>,
        remote: RemoteLog,
        database: DatabaseId,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let history = Arc::new(HistoryReader::new(remote, database));
        Self { network, history, clock, database }
    }

    pub(crate) fn remote(&self) -> &RemoteLog {
        self.history.remote()
    }

    /// The newest manifest.
    pub(crate) fn newest(&self) -> Result<Arc<Manifest>> {
        let bucket = self.remote().name();
        match newest_manifest(&self.network, self.remote())? {
            Some(newest) if newest.database == self.database => Ok(Arc::new(newest)),
            Some(newest) => Err(Error::Lost(format!(
                "bucket {bucket} held database {} when it was opened, and holds database {} now; \
                 nothing was changed; find out who replaced it",
                self.database, newest.database
            ))),
            None => Err(Error::Lost(format!(
                "bucket {bucket} held database {} when it was opened, and holds no manifest now; \
                 nothing was changed; find out who deleted it",
                self.database
            ))),
        }
    }

    /// Where history is read: in the bucket alone.
    pub(crate) fn places(&self, leases: bool) -> Places<'_> {
        Places { history: &self.history, network: &self.network, log: None, leases }
    }

    /// History as of what a manifest has sealed.
    pub(crate) fn past(&self, manifest: &Arc<Manifest>, leases: bool) -> Past<'_> {
        let tip = manifest.sealed;
        let now = self.clock.now().max(tip.timestamp);
        let (segments, manifest) = (Arc::default(), Arc::clone(manifest));
        Past { moment: PastMoment { segments, manifest, tip, now }, places: self.places(leases) }
    }

    /// The catalog as of what is sealed, and the manifest it was folded by: the newest, as a file
    /// of an older one may be gone.
    pub(crate) fn catalog(&self) -> Result<(Arc<Manifest>, Result<Catalog>)> {
        self.steadily(|manifest| fold_catalog(manifest, self.places(false)))
    }

    /// Does something by the newest manifest; again by a newer one if a file is gone meanwhile.
    pub(crate) fn steadily<T>(
        &self,
        act: impl Fn(&Arc<Manifest>) -> Result<T>,
    ) -> Result<(Arc<Manifest>, Result<T>)> {
        let mut manifest = self.newest()?;
        for _ in 1..MOMENTS_MAX {
            let done = act(&manifest);
            if !done.as_ref().is_err_and(is_gone) {
                return Ok((manifest, done));
            }
            let newest = self.newest()?;
            if newest.number == manifest.number {
                return Ok((manifest, done));
            }
            manifest = newest;
        }
        let done = act(&manifest);
        Ok((manifest, done))
    }
}

/// The object that an error says is damaged or lost, where in it, and why; other errors as they
/// are.
pub(crate) fn damage(error: Error) -> Result<Damage> {
    match error {
        Error::Tier(TierError::Corrupt { file, offset, reason }) => {
            Ok(Damage { object: Some(file), offset: Some(offset), reason })
        }
        Error::Tier(TierError::Missing { object }) => Ok(Damage {
            reason: "it is not in the bucket, and the newest manifest lists it".to_owned(),
            object: Some(object),
            offset: None,
        }),
        Error::Lost(reason) => Ok(Damage { object: None, offset: None, reason }),
        error => Err(error),
    }
}

/// What is damaged or lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) object: Option<String>,
    pub(crate) offset: Option<u64>,
    pub(crate) reason: String,
}

impl Damage {
    /// Damage of the history file `object`, or of any object of the bucket.
    pub(crate) fn of(object: &str, offset: Option<u64>, reason: impl Into<String>) -> Self {
        Self { object: Some(object.to_owned()), offset, reason: reason.into() }
    }

    /// Whether it is of an object that this manifest does not list: a history file that was
    /// replaced is of no concern any more.
    pub(crate) fn is_past(&self, newest: &Manifest) -> bool {
        let Some(object) = &self.object else { return false };
        let is_listed = newest.files.iter().any(|file| file.name == *object);
        names::parse_history(object).is_some() && !is_listed
    }
}
