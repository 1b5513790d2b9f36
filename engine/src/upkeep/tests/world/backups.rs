//! Backups in a world of processes that die: each step is one that a process can die after.

use super::*;
use crate::Error;
use crate::backups::{check_kept, empty_since, plan_kept};
use crate::catalog::{BackupChange, NewBackup};

impl World {
    /// Records a pin of a state of a table that can be restored, so many commits before the last;
    /// nothing if there is none.
    pub(in super::super) fn pin(&mut self, table: u64, back: u64) {
        let (table, manifest) = (TableId(table), self.manifest());
        let record = self.catalog.by_id(table).expect("the table is there").clone();
        let tip = self.log.tip();
        let windows = windows(&record, &manifest, tip, self.clock.now().max(tip.timestamp));
        let states = windows.iter().flat_map(|window| window.first.0..=window.last.0);
        let states: Vec<_> = states.filter(|seq| *seq > 0).collect();
        let Some(count) = u64::try_from(states.len()).ok().filter(|count| *count > 0) else {
            return;
        };
        let at = usize::try_from(count - 1 - back % count).expect("few commits");
        let seq = usize::try_from(states[at]).expect("few commits");
        let target = Commit { seq: Seq(states[at]), timestamp: self.times_of[seq] };
        let backup = NewBackup {
            name: format!("b{}", tip.seq.next()),
            table,
            target,
            empty_since: empty_since(&manifest, &record, target),
            reason: None,
            schedule: None,
        };
        let create = BackupChange::Create { backup, sealed: manifest.sealed.seq };
        self.change_catalog(CatalogChange::Backup(create)).expect("it can be restored");
    }

    /// Makes sure of the pins that were recorded, or takes them back, as `process`.
    pub(in super::super) fn finish_backups(&mut self, process: &Process) -> Result<()> {
        self.seal(process)?;
        let manifest = process.tools.refresh()?;
        for backup in self.unfinished() {
            let created = backup.created.seq;
            let change = match check_kept(&manifest, (&self.catalog, &backup)) {
                Ok(()) => BackupChange::Confirm { created },
                Err(Error::GivenUp { .. }) => BackupChange::Delete { created, sealed: Seq::ZERO },
                Err(error) => panic!("{error}: {}", outline(&manifest)),
            };
            self.change_catalog(CatalogChange::Backup(change))?;
        }
        self.seal(process)
    }

    /// Takes back what a process that has died did not finish, as an opening does.
    pub(in super::super) fn delete_unfinished_backups(&mut self) {
        for backup in self.unfinished() {
            self.delete(&backup);
        }
    }

    /// Deletes one of the backups, if there is any.
    pub(in super::super) fn delete_backup(&mut self, which: usize) {
        let backups: Vec<_> = self.catalog.backups().cloned().collect();
        if !backups.is_empty() {
            self.delete(&backups[which % backups.len()]);
        }
    }

    pub(in super::super) fn drop_table(&mut self, id: u64) {
        let _ = self.change_catalog(CatalogChange::Drop { id: TableId(id) });
    }

    /// Bytes of listed files that only backups need.
    pub(in super::super) fn pinned_bytes(&self) -> u64 {
        crate::backups::pinned_bytes(&self.manifest(), &self.catalog)
    }

    /// How many backups are made sure of.
    pub(in super::super) fn finished_backups(&self) -> usize {
        self.catalog.backups().filter(|backup| backup.is_confirmed()).count()
    }

    /// Every backup that is made sure of restores to what the table was.
    pub(super) fn check_backups(&self, manifest: &Manifest, history: &Arc<HistoryReader>) {
        for backup in self.catalog.backups().filter(|backup| backup.is_confirmed()) {
            let plan = plan_kept(manifest, (&self.catalog, backup), &Selection::all());
            let plan = plan.unwrap_or_else(|error| panic!("{error}: {}", outline(manifest)));
            let found = self.run(plan, manifest, history);
            let expected = self.state(backup.table, backup.target.seq);
            assert_eq!(found, expected, "{backup:?}: {}", outline(manifest));
        }
    }

    fn unfinished(&self) -> Vec<crate::BackupRecord> {
        let unfinished = self.catalog.backups().filter(|backup| !backup.is_confirmed());
        unfinished.cloned().collect()
    }

    fn delete(&mut self, backup: &crate::BackupRecord) {
        let (created, sealed) = (backup.created.seq, self.manifest().sealed.seq);
        let delete = BackupChange::Delete { created, sealed };
        self.change_catalog(CatalogChange::Backup(delete)).expect("it is there");
    }
}
