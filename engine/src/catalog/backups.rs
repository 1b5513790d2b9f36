//! What the catalog says of backups: which commits of which tables are pinned, and since when that
//! is certain.

use foldback_compactor::Pin;
use foldback_log_tier::near_names::near_names;
use foldback_log_tier::{Change, Commit, Event, Seq, TableId};
use serde::{Deserialize, Serialize};

use super::stored::{self, Stored};
use super::{Catalog, check_name, record};
use crate::{Error, Result};

/// What the catalog says of one backup: a commit of a table that is kept, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupRecord {
    /// Its name, which no other backup has while it is there.
    pub name: String,
    /// The table.
    pub table: TableId,
    /// The table's name.
    pub table_name: String,
    /// The commit whose state is kept.
    pub target: Commit,
    /// Keys that no base holds at the target had no event of its protection interval up to here.
    pub empty_since: Seq,
    /// The commit that asked for it.
    pub created: Commit,
    /// What it is for, in the words of whoever made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The schedule that made it, by the commit that asked for that; none if it was made by hand.
    /// If there is no such schedule any more, it stays as one that was made by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Seq>,
    /// The commit since which it is certain that its state is kept. Without, it is being made, or
    /// its making was cut off: then the next opening for writing deletes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Commit>,
    /// The commit that deleted it. Its state is kept until that is sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Commit>,
}

/// A backup that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct NewBackup {
    pub(crate) name: String,
    pub(crate) table: TableId,
    pub(crate) target: Commit,
    pub(crate) empty_since: Seq,
    pub(crate) reason: Option<String>,
    pub(crate) schedule: Option<Seq>,
}

/// A change to the backups. `sealed` is a commit that the bucket holds: records of backups that
/// were deleted up to there have told what they had to, and go.
#[derive(Clone, Debug)]
pub(crate) enum BackupChange {
    /// Pins a commit.
    Create { backup: NewBackup, sealed: Seq },
    /// Says that the pin holds.
    Confirm { created: Seq },
    /// Lets go of a pin.
    Delete { created: Seq, sealed: Seq },
}

impl BackupRecord {
    /// Whether it is certain that its state is kept.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.confirmed.is_some()
    }
}

impl Stored for BackupRecord {
    const KIND: &'static str = "backup";

    /// The commit that asked for it, as a name can be another's later.
    fn number(&self) -> u64 {
        self.created.seq.0
    }
}

impl Catalog {
    /// Checks a change to the backups, makes it, and returns the events that record it. On an error
    /// nothing was changed.
    pub(super) fn change_backups(
        &mut self,
        change: BackupChange,
        commit: Commit,
    ) -> Result<Vec<Event>> {
        let (record, sealed) = match change {
            BackupChange::Create { backup, sealed } => (self.new_backup(backup, commit)?, sealed),
            BackupChange::Confirm { created } => {
                let mut record = self.backup_by_commit(created)?.clone();
                record.confirmed = Some(commit);
                (record, Seq::ZERO)
            }
            BackupChange::Delete { created, sealed } => {
                let mut record = self.backup_by_commit(created)?.clone();
                record.deleted = Some(commit);
                (record, sealed)
            }
        };
        let is_over = |record: &BackupRecord| record.deleted.is_some_and(|it| it.seq <= sealed);
        let over = self.backups.extract_if(.., |_, record| is_over(record));
        let mut events: Vec<_> =
            over.map(|(created, _)| stored::removal::<BackupRecord>(created.0)).collect();
        events.push(record.to_event());
        self.backups.insert(record.created.seq, record);
        Ok(events)
    }

    /// Takes over one event of a backup's record.
    pub(super) fn absorb_backup(&mut self, of: &[u8], change: &Change) -> Result<()> {
        match change {
            Change::Put(value) => {
                let backup = BackupRecord::from_event(of, value)?;
                self.backups.insert(backup.created.seq, backup);
            }
            Change::Delete => {
                self.backups.remove(&Seq(stored::number_of_key::<BackupRecord>(of)?));
            }
        }
        Ok(())
    }

    /// The backups that were not deleted, in the order in which they were asked for.
    pub(crate) fn backups(&self) -> impl Iterator<Item = &BackupRecord> {
        self.backups.values().filter(|backup| backup.deleted.is_none())
    }

    /// The backup of this name.
    pub(crate) fn backup_by_name(&self, name: &str) -> Result<&BackupRecord> {
        let names = self.backups().map(|backup| backup.name.as_str());
        self.backups().find(|backup| backup.name == name).ok_or_else(|| {
            let near = near_names(name, names).into_iter().map(str::to_owned).collect();
            Error::BackupNotFound { name: name.to_owned(), near }
        })
    }

    /// The backup that this commit asked for.
    pub(crate) fn backup_by_commit(&self, created: Seq) -> Result<&BackupRecord> {
        let found = self.backups.get(&created).filter(|backup| backup.deleted.is_none());
        found.ok_or_else(|| Error::BackupNotFound {
            name: format!("asked for by #{created}"),
            near: Vec::new(),
        })
    }

    /// Refuses a name that a backup has, or that none may have.
    pub(crate) fn check_backup_name_is_free(&self, name: &str) -> Result<()> {
        check_name("a backup", name)?;
        match self.backups().any(|backup| backup.name == name) {
            true => Err(Error::BackupExists { name: name.to_owned() }),
            false => Ok(()),
        }
    }

    /// The commits that are kept for backups, as of commit `sealed`: one that is not sealed yet is
    /// counted, and one whose deletion is not sealed is kept.
    pub(crate) fn pins(&self, sealed: Seq) -> Vec<Pin> {
        let is_gone = |backup: &BackupRecord| backup.deleted.is_some_and(|it| it.seq <= sealed);
        let held = self.backups.values().filter(|backup| !is_gone(backup));
        held.map(|backup| self.pin(backup)).collect()
    }

    /// What is kept for a backup.
    pub(crate) fn pin(&self, backup: &BackupRecord) -> Pin {
        let BackupRecord { table, target, empty_since, .. } = *backup;
        let intervals = self.tables.get(&table).map(|record| record.protection.iter());
        let own = intervals.into_iter().flatten().find(|interval| interval.contains(target.seq));
        let interval = own.expect("a backup is only made of a commit that a table's history holds");
        Pin { interval: interval.kept(table), at: target.seq, empty_since }
    }

    fn new_backup(&self, backup: NewBackup, created: Commit) -> Result<BackupRecord> {
        let NewBackup { name, table, target, empty_since, reason, schedule } = backup;
        self.check_backup_name_is_free(&name)?;
        let of = self.by_id(table)?;
        let is_kept = |interval: &record::ProtectionInterval| {
            interval.contains(target.seq) && !interval.is_discarded()
        };
        if !of.protection.iter().any(is_kept) {
            return Err(Error::NotProtected { name: of.name.clone() });
        }
        let (table_name, confirmed, deleted) = (of.name.clone(), None, None);
        Ok(BackupRecord {
            name,
            table,
            table_name,
            target,
            empty_since,
            created,
            reason,
            schedule,
            confirmed,
            deleted,
        })
    }
}

#[cfg(test)]
mod tests;
