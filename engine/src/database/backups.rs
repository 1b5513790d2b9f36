//! Pinned backups, as a user of the database makes, reads and deletes them.

use foldback_log_tier::{Commit, Seq};

use super::Database;
use crate::backups::{bytes_of, check_kept, empty_since, finished};
use crate::catalog::{BackupChange, CatalogChange, NewBackup};
use crate::config::check_text;
use crate::past::again_if_gone;
use crate::{BackupBytes, BackupRecord, RestorePlan, Result, Selection, TableRef, Target};

/// What a backup is made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Purpose<'a> {
    pub(super) reason: Option<&'a str>,
    /// The schedule that makes it.
    pub(super) schedule: Option<Seq>,
}

impl Database {
    /// Pins a state of a table under a name: it is kept, exact, until the backup is deleted,
    /// whatever the table's retention, and past its drop. Nothing is copied. `reason` is for
    /// people.
    ///
    /// It returns once the bucket holds the state and the pin, so that no process anywhere gives
    /// the state up.
    ///
    /// # Errors
    ///
    /// [`crate::Error::BackupExists`], [`crate::Error::Invalid`] for the name; as
    /// [`Self::resolve`] for the target; [`crate::Error::GivenUp`] if the state expired meanwhile;
    /// [`crate::Error::Tier`] if the bucket fails. There is no such backup then.
    pub fn create_backup(
        &self,
        name: &str,
        table: impl Into<TableRef>,
        target: Target,
        reason: Option<&str>,
    ) -> Result<BackupRecord> {
        self.keep(name, &table.into(), target, Purpose { reason, schedule: None })
    }

    /// Pins a state of a table, and makes sure of it.
    pub(super) fn keep(
        &self,
        name: &str,
        table: &TableRef,
        target: Target,
        purpose: Purpose<'_>,
    ) -> Result<BackupRecord> {
        check_text("the reason", purpose.reason)?;
        self.inner.log.catalog().check_backup_name_is_free(name)?;
        let backup = self.on_chosen(table, target, |past, record| {
            let target = past.resolve(record, target)?.commit;
            Ok(NewBackup {
                name: name.to_owned(),
                table: record.id,
                target,
                empty_since: empty_since(&past.moment.manifest, record, target),
                reason: purpose.reason.map(str::to_owned),
                schedule: purpose.schedule,
            })
        })?;
        let sealed = self.inner.publisher.newest().sealed.seq;
        let create = BackupChange::Create { backup, sealed };
        let created = self.change_backups(create)?.seq;
        self.confirm_backup(created).inspect_err(|_| {
            // If the database has halted, the next opening does it.
            let _ = self.change_backups(BackupChange::Delete { created, sealed: Seq::ZERO });
        })
    }

    /// Deletes a backup. Files that nothing else needs are dropped by the next expiry, and deleted
    /// after the grace and the leases of running readers. Returns once the bucket knows.
    ///
    /// # Errors
    ///
    /// [`crate::Error::BackupNotFound`]. [`crate::Error::Tier`] if the bucket fails: the deletion
    /// is recorded then, and sealed later.
    pub fn delete_backup(&self, name: &str) -> Result<Commit> {
        let commit = self.let_go(self.backup(name)?.created.seq)?;
        self.seal()?;
        Ok(commit)
    }

    /// Records that a backup is deleted, which the bucket has to be told yet.
    pub(super) fn let_go(&self, created: Seq) -> Result<Commit> {
        let sealed = self.inner.publisher.newest().sealed.seq;
        self.change_backups(BackupChange::Delete { created, sealed })
    }

    /// The backups, in the order in which they were made.
    #[must_use]
    pub fn backups(&self) -> Vec<BackupRecord> {
        self.inner.log.catalog().backups().cloned().collect()
    }

    /// What the catalog says of a backup.
    ///
    /// # Errors
    ///
    /// [`crate::Error::BackupNotFound`], with the names that resemble it.
    pub fn backup(&self, name: &str) -> Result<BackupRecord> {
        self.inner.log.catalog().backup_by_name(name).cloned()
    }

    /// How much of the bucket a backup needs.
    ///
    /// # Errors
    ///
    /// As [`Self::plan_backup`].
    pub fn backup_bytes(&self, name: &str) -> Result<BackupBytes> {
        let (catalog, manifest) = (self.inner.log.catalog(), self.inner.publisher.newest());
        bytes_of(&manifest, (&catalog, finished(catalog.backup_by_name(name)?)?))
    }

    /// What a restore of a backup reads. [`Self::restore`] makes a table of it.
    ///
    /// # Errors
    ///
    /// [`crate::Error::BackupNotFound`], [`crate::Error::BackupUnfinished`]; [`crate::Error::Lost`]
    /// if a piece of history is missing; [`crate::Error::Tier`] if the bucket is out of reach or
    /// damaged.
    pub fn plan_backup(&self, name: &str, selection: &Selection) -> Result<RestorePlan> {
        let created = finished(&self.backup(name)?)?.created.seq;
        self.plan_backup_by_commit(created, selection)
    }

    pub(super) fn plan_backup_by_commit(
        &self,
        created: Seq,
        selection: &Selection,
    ) -> Result<RestorePlan> {
        let plan = || {
            let (past, catalog) = (self.past(), self.inner.log.catalog());
            past.plan_backup((&catalog, catalog.backup_by_commit(created)?), selection)
        };
        again_if_gone(|| self.refresh(), plan)
    }

    /// Takes back the backups whose making was cut off: it is not certain that they are kept.
    pub(super) fn delete_unfinished_backups(&self) -> Result<()> {
        for backup in self.backups().iter().filter(|backup| !backup.is_confirmed()) {
            let created = backup.created.seq;
            self.change_backups(BackupChange::Delete { created, sealed: Seq::ZERO })?;
            tracing::warn!(name = backup.name, "a backup was not finished, and is deleted");
        }
        Ok(())
    }

    /// Makes sure that a pin holds, and says so in the catalog.
    fn confirm_backup(&self, created: Seq) -> Result<BackupRecord> {
        self.seal()?;
        let (manifest, catalog) = (self.inner.tools.refresh()?, self.inner.log.catalog());
        check_kept(&manifest, (&catalog, catalog.backup_by_commit(created)?))?;
        self.change_backups(BackupChange::Confirm { created })?;
        self.seal()?;
        self.inner.log.catalog().backup_by_commit(created).cloned()
    }

    fn change_backups(&self, change: BackupChange) -> Result<Commit> {
        self.change_catalog(CatalogChange::Backup(change), None, None)
    }
}
