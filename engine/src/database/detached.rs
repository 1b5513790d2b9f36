//! Detached backups, as a user of the database makes and restores them.

use std::ops::ControlFlow;

use foldback_log_tier::remote::DetachedBackup;

use super::Database;
use crate::detached::Copying;
use crate::{BackupBucket, Error, Progress, RestorePlan, Result};

impl Database {
    /// Copies what a plan reads into a bucket of backups, under a name: it is restored from there
    /// with nothing else. A plan of a backup detaches that backup. It is there whole, every file
    /// read back, when this returns; if `watch` breaks, or anything fails, nothing of it is.
    ///
    /// # Errors
    ///
    /// [`Error::BackupExists`]; [`Error::Invalid`] for the name, or a plan of a part of a table;
    /// [`Error::Cancelled`] if `watch` breaks; what reading the history fails with; [`Error::Tier`]
    /// if either bucket fails.
    pub fn detach_backup(
        &self,
        plan: &RestorePlan,
        (bucket, name): (&BackupBucket, &str),
        reason: Option<&str>,
        watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<DetachedBackup> {
        if !plan.selection.is_all() {
            return Err(Error::Invalid(
                "a backup is of a whole table, and the plan is of some of its keys".to_owned(),
            ));
        }
        let made = self.inner.config.clock.now();
        let file_bytes_target = self.inner.tools.policy.file_bytes_target;
        let copying = Copying { name, reason, plan, made, file_bytes_target };
        bucket.make(copying, self.rows_of(plan)?, watch)
    }
}
