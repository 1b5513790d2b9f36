//! Pinned backups: whether a commit's state is kept, what a restore of it reads, and how much is
//! there for its sake. All of it follows from one manifest and the catalog.
//!
//! Why a pin that was made sure of once holds for ever: expiry is bound to the manifest that it
//! was decided on, and goes by the catalog as of what that has sealed. So whatever is given up
//! after the manifest that seals the pin is given up with the pin in mind. Before that, nothing
//! above the floor was touched: if the floor was still at or below the commit in any manifest
//! since, all that the commit reads was listed then. A merge that was decided on older ground
//! leaves out only rows that no state above an older, and so no higher, floor reads. What is
//! certain is recorded by a commit of its own, as a process can die before it has looked.

use std::collections::BTreeSet;

use foldback_compactor::{Kept, Pin};
use foldback_log_tier::manifest::{HistoryEntry, Manifest};

use crate::catalog::Catalog;
use crate::plan::{PlanInputs, plan};
use crate::{
    BackupRecord, BucketReader, Commit, Error, RestorePlan, Result, Selection, Seq, TableRecord,
};

/// How much of the bucket a backup needs, in bytes of history files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupBytes {
    /// Bytes of files that are there for its sake only: they go once it was deleted.
    pub own: u64,
    /// Bytes of files that it reads, and that a window or another backup needs too.
    pub shared: u64,
}

impl BucketReader {
    /// What the catalog says of a backup.
    ///
    /// # Errors
    ///
    /// [`Error::BackupNotFound`].
    pub fn backup(&self, name: &str) -> Result<BackupRecord> {
        self.on_held(|_, catalog| catalog.backup_by_name(name).cloned())
    }

    /// How much of the bucket a backup needs.
    ///
    /// # Errors
    ///
    /// As [`Self::plan_backup`].
    pub fn backup_bytes(&self, name: &str) -> Result<BackupBytes> {
        self.on_held(|past, catalog| {
            bytes_of(&past.moment.manifest, (catalog, finished(catalog.backup_by_name(name)?)?))
        })
    }

    /// What a restore of a backup reads.
    ///
    /// # Errors
    ///
    /// [`Error::BackupNotFound`], [`Error::BackupUnfinished`]; [`Error::Lost`] if a piece of
    /// history is missing; [`Error::Tier`] if the bucket is out of reach or damaged.
    pub fn plan_backup(&self, name: &str, selection: &Selection) -> Result<RestorePlan> {
        self.on_held(|past, catalog| {
            past.plan_backup((catalog, finished(catalog.backup_by_name(name)?)?), selection)
        })
    }

    pub(crate) fn plan_backup_by_commit(
        &self,
        created: Seq,
        selection: &Selection,
    ) -> Result<RestorePlan> {
        self.on_held(|past, catalog| {
            past.plan_backup((catalog, catalog.backup_by_commit(created)?), selection)
        })
    }
}

/// Refuses a backup of which it is not certain that its state is kept.
pub(crate) fn finished(backup: &BackupRecord) -> Result<&BackupRecord> {
    match backup.is_confirmed() {
        true => Ok(backup),
        false => Err(Error::BackupUnfinished { name: backup.name.clone() }),
    }
}

/// Up to where keys that no base holds at a commit of a table had no event of its interval: what
/// the pin of that commit has to remember, as the floor may rise.
pub(crate) fn empty_since(manifest: &Manifest, record: &TableRecord, target: Commit) -> Seq {
    let interval = record.protection.iter().find(|interval| interval.contains(target.seq));
    let interval = interval.expect("a target is resolved into a protection interval");
    let floor = interval.kept(record.id).floor(manifest);
    floor.unwrap_or(interval.first).seq
}

/// Makes sure, by a manifest that seals the record of a backup, that its state is kept.
pub(crate) fn check_kept(manifest: &Manifest, kept: (&Catalog, &BackupRecord)) -> Result<()> {
    let (catalog, backup) = kept;
    assert!(backup.created.seq <= manifest.sealed.seq, "a pin is looked for once it is sealed");
    let Pin { interval, at, .. } = catalog.pin(backup);
    let given_up = || Error::GivenUp {
        name: backup.name.clone(),
        table: backup.table_name.clone(),
        target: backup.target,
    };
    if interval.floor(manifest).is_some_and(|floor| floor.seq > at) {
        return Err(given_up());
    }
    match plan_kept(manifest, kept, &Selection::all()) {
        // A table that nothing had happened to was known to be empty for longer meanwhile.
        Err(Error::Lost(_)) => Err(given_up()),
        planned => planned.map(drop),
    }
}

/// What a restore of a backup reads, by the manifest alone. It is all sealed.
pub(crate) fn plan_kept(
    manifest: &Manifest,
    (catalog, backup): (&Catalog, &BackupRecord),
    selection: &Selection,
) -> Result<RestorePlan> {
    let Pin { interval, empty_since, .. } = catalog.pin(backup);
    let plan = plan(PlanInputs {
        manifest,
        segments: &[],
        table: backup.table,
        table_name: &backup.table_name,
        history_first: interval.first.seq,
        starts_empty: interval.starts_empty,
        // The floor may be far above by now, and says nothing of what lies below it.
        earliest: Some(empty_since),
        target: backup.target,
        selection,
    })?;
    Ok(RestorePlan { backup: Some(backup.created.seq), ..plan })
}

/// How much of the bucket a backup needs.
pub(crate) fn bytes_of(
    manifest: &Manifest,
    kept: (&Catalog, &BackupRecord),
) -> Result<BackupBytes> {
    let (catalog, backup) = kept;
    let sealed = manifest.sealed.seq;
    let (intervals, mut others) = (catalog.intervals(sealed), catalog.pins(sealed));
    let own_pin = catalog.pin(backup);
    let at = others.iter().position(|pin| *pin == own_pin);
    at.map(|at| others.remove(at));
    let without = Kept::new(manifest, &intervals, &others);
    others.push(own_pin);
    let with = Kept::new(manifest, &intervals, &others);
    let is_own = |file: &&HistoryEntry| with.needs_file(file) && !without.needs_file(file);
    let plan = plan_kept(manifest, kept, &Selection::all())?;
    let read: BTreeSet<_> = plan.files().map(|read| read.file.name.as_str()).collect();
    let bytes = |wanted: &dyn Fn(&&HistoryEntry) -> bool| {
        manifest.files.iter().filter(wanted).map(|file| file.bytes).sum()
    };
    Ok(BackupBytes {
        own: bytes(&is_own),
        shared: bytes(&|file| read.contains(file.name.as_str()) && !is_own(file)),
    })
}

/// Bytes of listed files that only backups need.
pub(crate) fn pinned_bytes(manifest: &Manifest, catalog: &Catalog) -> u64 {
    let sealed = manifest.sealed.seq;
    let (intervals, pins) = (catalog.intervals(sealed), catalog.pins(sealed));
    let without = Kept::new(manifest, &intervals, &[]);
    let with = Kept::new(manifest, &intervals, &pins);
    let files = manifest.files.iter();
    let pinned = files.filter(|file| with.needs_file(file) && !without.needs_file(file));
    pinned.map(|file| file.bytes).sum()
}
