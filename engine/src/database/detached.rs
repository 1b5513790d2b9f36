//! Detached backups, as a user of the database makes and restores them.

use std::ops::ControlFlow;

use foldback_log_tier::remote::DetachedBackup;

use super::Database;
use crate::detached::Copying;
use crate::increment::{Increment, KnownState};
use crate::past::{again_if_gone, check_database};
use crate::{BackupBucket, Error, Progress, RestorePlan, Result};

impl Database {
    /// Copies what a plan reads into a bucket of backups, under a name: it is restored from there
    /// with nothing else. A plan of a backup detaches that backup. If the newest backup of the
    /// table there is of no later commit, and history tells all that happened since, only that is
    /// read and written, and the backup lists the files of that one, too: until it would come to
    /// more bytes than the table had. It is there whole, every file that was written read back,
    /// when this returns; if `watch` breaks, or anything fails, nothing of it is.
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
        check_database(plan, self.id())?;
        bucket.make(copying, self, watch)
    }

    /// What happened to the table of a plan after a state that is known elsewhere, up to the
    /// plan's target; `None` if history does not tell all of it.
    pub(crate) fn increment(
        &self,
        plan: &RestorePlan,
        known: KnownState,
    ) -> Result<Option<Increment<'_>>> {
        let begin = || {
            let past = self.past();
            let catalog = self.inner.log.catalog();
            past.increment(catalog.by_id(plan.table)?, plan, known, self.places())
        };
        again_if_gone(|| self.refresh(), begin)
    }
}
