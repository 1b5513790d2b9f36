//! Upkeep of a bucket by a process of its own: it needs the bucket alone, on any machine, while
//! the writer goes on sealing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use foldback_compactor::{HistoryReader, Job, Pace, Policy, Publisher};
use foldback_log_tier::history::FileKind;
use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::remote::{RemoteLog, RemoteOptions, Traffic};
use foldback_log_tier::{DatabaseId, Error as TierError, Seq, TableId, WriterId};

use crate::bucket_reader::{connect_to_history, fold_catalog};
use crate::catalog::Catalog;
use crate::clock::{Clock, steady_now};
use crate::reading::Places;
use crate::upkeep::{Accounts, Ground, Tools, Upkeep, describe};
use crate::{Error, Result};

/// What it takes to open a bucket for upkeep.
#[derive(Clone, Debug)]
pub struct CompactorConfig {
    /// URL of the bucket.
    pub bucket: String,
    /// How it is reached.
    pub remote: RemoteOptions,
    /// When history is merged and folded, and how long what is not needed stays.
    pub policy: Policy,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

/// Merges, folds, expires and sweeps what a bucket holds, as far as it is sealed.
///
/// Any number of them may work on one bucket, beside the writer: what one does in vain because
/// another was faster costs time, and never a byte that is needed.
#[derive(Debug)]
pub struct BucketCompactor {
    tools: Arc<Tools>,
    upkeep: Upkeep,
    /// The catalog as of its last change that is sealed.
    catalog: Option<(Seq, Catalog)>,
}

impl BucketCompactor {
    /// Opens a bucket for upkeep.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a policy that can't work; [`Error::NoHistory`] if no database has
    /// published there; [`Error::Tier`] if the bucket is out of reach, damaged, or refuses
    /// conditional puts.
    pub fn open(config: &CompactorConfig) -> Result<Self> {
        config.policy.check().map_err(Error::Invalid)?;
        let (network, remote, manifest) = connect_to_history(&config.bucket, &config.remote)?;
        let probed: RemoteLog = remote.clone();
        network.run(async move { probed.probe().await })?;
        let history = Arc::new(HistoryReader::new(remote.clone(), manifest.database));
        let publisher = Publisher::joining(remote, manifest, WriterId::random());
        let tools = Arc::new(Tools {
            publisher: Arc::new(publisher),
            history,
            network: Arc::new(network),
            clock: Arc::clone(&config.clock),
            policy: config.policy,
            accounts: Accounts::default(),
            pace: Arc::new(Pace::new(steady_now)),
        });
        let upkeep = Upkeep::new(Arc::clone(&tools));
        Ok(Self { tools, upkeep, catalog: None })
    }

    /// Looks the bucket through anew, and does all that is due, telling `watch` of each job.
    /// Returns how many jobs were done.
    ///
    /// # Errors
    ///
    /// [`Error::Tier`] if the bucket fails, or holds a file that can't be read: what can be done
    /// without that file is done first.
    pub fn run(&mut self, watch: &mut dyn FnMut(&str)) -> Result<u64> {
        self.upkeep.start_over();
        self.run_due(watch)
    }

    /// As [`Self::run`], going by what was seen not long ago, and without the files that could not
    /// be read: for whoever does this again and again.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub fn run_due(&mut self, watch: &mut dyn FnMut(&str)) -> Result<u64> {
        let (mut jobs, mut failed) = (0, None);
        loop {
            self.tools.settle()?;
            let manifest = self.tools.refresh()?;
            let ground = self.ground(manifest)?;
            let Some(job) = self.upkeep.next(&ground) else { break };
            if job != Job::Look {
                jobs += 1;
                watch(&describe(&job));
            }
            match self.upkeep.run(job, &ground) {
                Err(error @ Error::Tier(TierError::Corrupt { .. } | TierError::Missing { .. })) => {
                    failed = Some(error);
                }
                done => done?,
            }
        }
        failed.map_or(Ok(jobs), Err)
    }

    /// Says that the clock is right, though it has moved on by more than expiry follows by itself.
    ///
    /// # Errors
    ///
    /// [`Error::Tier`] if the bucket fails; nothing was changed then.
    pub fn confirm_clock(&self) -> Result<()> {
        self.tools.publish(foldback_compactor::Change::Confirm)
    }

    /// The newest manifest that was seen or published.
    #[must_use]
    pub fn manifest(&self) -> Arc<Manifest> {
        self.tools.publisher.newest()
    }

    /// The database whose history it is.
    #[must_use]
    pub fn database(&self) -> DatabaseId {
        self.manifest().database
    }

    /// Requests to the bucket and bytes to and from it since it was opened.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.tools.history.remote().traffic()
    }

    /// Bytes of objects that this process has deleted.
    #[must_use]
    pub fn swept_bytes(&self) -> u64 {
        self.tools.accounts.swept_bytes.load(Ordering::Relaxed)
    }

    /// What holds expiry back behind the wall clock, where anything does.
    #[must_use]
    pub fn horizon_held_by(&self) -> Option<String> {
        crate::upkeep::held_back(&self.manifest(), self.tools.clock.now())
    }

    /// What is decided on by a manifest. The catalog is read again only when it has changed.
    fn ground(&mut self, manifest: Arc<Manifest>) -> Result<Ground> {
        let changed = last_change(&manifest);
        if let Some((known, catalog)) = &self.catalog
            && *known == changed
        {
            return Ok(Ground::new(manifest, catalog));
        }
        let Tools { history, network, .. } = &*self.tools;
        let places = Places { history, network, log: None, leases: false };
        let (_, catalog) = self.catalog.insert((changed, fold_catalog(&manifest, places)?));
        Ok(Ground::new(manifest, catalog))
    }
}

/// A commit that is greater once the catalog has changed, wherever that is listed by then: its
/// delta can be folded into a base, and gone, before anybody looks.
fn last_change(manifest: &Manifest) -> Seq {
    let changes = manifest.files.iter().filter_map(|file| match file.kind {
        FileKind::Delta => Some(file.table(TableId::CATALOG)?.seq_max),
        FileKind::Base => file.is_base_of(TableId::CATALOG).then_some(file.last.seq),
    });
    changes.max().unwrap_or_default()
}

impl Drop for BucketCompactor {
    fn drop(&mut self) {
        self.tools.pace.stop();
    }
}

#[cfg(test)]
mod tests;
