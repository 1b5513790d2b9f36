//! The states that backups keep, below every window: which files they need.

use std::sync::Arc;

use foldback_log_tier::Error as TierError;
use foldback_log_tier::manifest::Manifest;

use crate::backups::plan_kept;
use crate::catalog::Catalog;
use crate::{BackupRecord, Error, RestorePlan, Result, Selection};

/// The backups that are certain to be kept, with the catalog that says so.
#[derive(Debug, Default)]
pub(super) struct KeptStates {
    catalog: Catalog,
}

impl KeptStates {
    pub(super) fn new(catalog: Catalog) -> Self {
        Self { catalog }
    }

    /// The backups, in the order in which they were made.
    pub(super) fn backups(&self) -> impl Iterator<Item = &BackupRecord> {
        self.catalog.backups().filter(|backup| backup.is_confirmed())
    }

    /// What a restore of one reads, by the manifest alone.
    pub(super) fn plan(&self, manifest: &Manifest, backup: &BackupRecord) -> Result<RestorePlan> {
        plan_kept(manifest, (&self.catalog, backup), &Selection::all())
    }

    /// The names of those that can't be restored without an object.
    pub(super) fn hurt_by(&self, manifest: &Arc<Manifest>, object: &str) -> Vec<String> {
        let reads = |backup: &&BackupRecord| match self.plan(manifest, backup) {
            Ok(plan) => plan.files().any(|read| read.file.name == object),
            Err(Error::Tier(TierError::Missing { object: missing })) => missing == object,
            Err(_) => false,
        };
        self.backups().filter(reads).map(|backup| backup.name.clone()).collect()
    }
}
