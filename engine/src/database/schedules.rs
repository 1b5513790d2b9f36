//! Schedules, as a user of the database makes and deletes them, and the thread that makes their
//! backups.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use foldback_log_tier::{Commit, Seq};

use super::Database;
use super::backups::Purpose;
use crate::catalog::{CatalogChange, NewSchedule, ScheduleChange};
use crate::schedules::{clock_hindrance, is_due, made_by, name_at, to_delete, trusted_now};
use crate::{
    BackupRecord, Error, KeepRules, Result, ScheduleRecord, ScheduleRun, TableRef, Target, threads,
};

/// What runs of the schedules share.
#[derive(Debug, Default)]
pub(super) struct SchedulesAtWork {
    /// Held by the one run that there is at a time: two would make what is due twice.
    running: Mutex<()>,
    /// What the last run could not do for each schedule, by the commit that asked for that.
    trouble: Mutex<BTreeMap<Seq, String>>,
}

/// Owns the thread that makes scheduled backups. It ends when this is dropped; a backup that is
/// being made then is finished before.
#[derive(Debug)]
pub(super) struct ScheduleKeeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for ScheduleKeeper {
    fn drop(&mut self) {
        self.stop = None;
        threads::join(self.thread.take());
    }
}

impl Database {
    /// Makes a schedule: from now on the open database makes a backup of a table every so many
    /// seconds, the first within a minute, and deletes those that the rules let go. Backups are
    /// called like the schedule, with the instant in UTC after it.
    ///
    /// # Errors
    ///
    /// [`Error::ScheduleExists`]; [`Error::TableNotFound`]; [`Error::NotProtected`];
    /// [`Error::Invalid`] for the name, no rule, or a time out of
    /// [`crate::SCHEDULE_SECS_MIN`] to [`crate::SCHEDULE_SECS_MAX`]; [`Error::TooLarge`] for a name
    /// that leaves no room for the instant.
    pub fn create_schedule(
        &self,
        name: &str,
        table: impl Into<TableRef>,
        every_secs: u64,
        keep: KeepRules,
    ) -> Result<ScheduleRecord> {
        let table = self.table_record(table)?.id;
        let new = NewSchedule { name: name.to_owned(), table, every_secs, keep };
        self.change_catalog(CatalogChange::Schedule(ScheduleChange::Create(new)), None, None)?;
        self.inner.log.catalog().schedule_by_name(name).cloned()
    }

    /// Deletes a schedule. The backups that it has made stay, as if they were made by hand.
    ///
    /// # Errors
    ///
    /// [`Error::ScheduleNotFound`], with the names that resemble it.
    pub fn delete_schedule(&self, name: &str) -> Result<Commit> {
        let created = self.inner.log.catalog().schedule_by_name(name)?.created.seq;
        self.change_catalog(CatalogChange::Schedule(ScheduleChange::Delete { created }), None, None)
    }

    /// Makes the scheduled backups that are due, and deletes those that the rules let go: what an
    /// open database does by itself, every [`crate::Config::schedules_wait`]. What fails for one
    /// schedule is told, and keeps none of the others from going on.
    ///
    /// # Errors
    ///
    /// [`Error::Halted`] or [`Error::Closed`] if nothing can be written any more.
    pub fn run_schedules(&self) -> Result<Vec<ScheduleRun>> {
        self.run_schedules_until(&|| false)
    }

    /// What the schedules fail to do, if anything.
    pub(super) fn schedules_trouble(&self) -> Option<String> {
        let catalog = self.inner.log.catalog();
        let trouble = self.inner.schedules.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |schedule: &ScheduleRecord| {
            let hindrance = catalog.schedule_hindrance(schedule);
            hindrance.or_else(|| trouble.get(&schedule.created.seq).cloned())
        };
        catalog.schedules().find_map(of)
    }

    /// The same handle, with a thread that makes the scheduled backups.
    pub(super) fn with_schedules_kept(self) -> Self {
        let (stop, stopped) = crossbeam_channel::bounded(0);
        let (of, wait) = (self.clone(), self.inner.config.schedules_wait);
        let health = Arc::clone(&self.inner.health);
        let run = move || keep_schedules(&of, wait, &stopped);
        let thread = threads::spawn("foldback-schedules", health, run);
        let keeper = ScheduleKeeper { stop: Some(stop), thread: Some(thread) };
        Self { _keeper: Some(Arc::new(keeper)), ..self }
    }

    fn run_schedules_until(&self, is_stopped: &dyn Fn() -> bool) -> Result<Vec<ScheduleRun>> {
        let work = &self.inner.schedules;
        let _alone = work.running.lock().unwrap_or_else(PoisonError::into_inner);
        let schedules: Vec<_> = self.inner.log.catalog().schedules().cloned().collect();
        let (mut runs, mut trouble) = (Vec::new(), BTreeMap::new());
        for schedule in &schedules {
            if is_stopped() {
                break;
            }
            let run = self.run_schedule(schedule)?;
            trouble.extend(run.trouble.clone().map(|what| (schedule.created.seq, what)));
            runs.push(run);
        }
        *work.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        Ok(runs)
    }

    fn run_schedule(&self, schedule: &ScheduleRecord) -> Result<ScheduleRun> {
        let mut run = ScheduleRun {
            schedule: schedule.name.clone(),
            made: None,
            deleted: Vec::new(),
            trouble: None,
        };
        let done = self.make_due(schedule, &mut run);
        let done = done.and_then(|()| self.delete_let_go(schedule, &mut run));
        match done {
            Err(error @ (Error::Halted { .. } | Error::Closed)) => return Err(error),
            Err(error) => {
                tracing::warn!(schedule = schedule.name, %error, "a scheduled backup failed");
                run.trouble = Some(format!("schedule {:?}: {error}", schedule.name));
            }
            Ok(()) => {}
        }
        Ok(run)
    }

    /// Makes the backup of a schedule, if one is due.
    fn make_due(&self, schedule: &ScheduleRecord, run: &mut ScheduleRun) -> Result<()> {
        let (catalog, clock) = (self.inner.log.catalog(), self.inner.config.clock.now());
        let now = clock.max(self.inner.log.tip().timestamp);
        let backups = made_by(&catalog, schedule);
        let hindrance = catalog.schedule_hindrance(schedule);
        run.trouble = hindrance.or_else(|| clock_hindrance(schedule, &backups, clock));
        if run.trouble.is_some() || !is_due(schedule, &backups, now) {
            return Ok(());
        }
        // While the bucket is out of reach, nothing is recorded that would have to be taken back.
        self.inner.tools.refresh()?;
        run.made = Some(self.make_scheduled(schedule, &name_at(schedule, now))?);
        Ok(())
    }

    fn make_scheduled(&self, schedule: &ScheduleRecord, name: &str) -> Result<BackupRecord> {
        let reason = format!("schedule {}", schedule.name);
        let purpose = Purpose { reason: Some(&reason), schedule: Some(schedule.created.seq) };
        self.keep(name, &TableRef::Id(schedule.table), Target::Latest, purpose)
    }

    /// Deletes the backups that a schedule lets go. The deletions are told to the bucket at once.
    fn delete_let_go(&self, schedule: &ScheduleRecord, run: &mut ScheduleRun) -> Result<()> {
        let catalog = self.inner.log.catalog();
        let clock = self.inner.config.clock.now();
        let now = trusted_now(&self.inner.publisher.newest(), clock);
        for created in to_delete(&schedule.keep, &made_by(&catalog, schedule), now) {
            self.let_go(created)?;
            run.deleted.push(catalog.backup_by_commit(created)?.name.clone());
        }
        match run.deleted.is_empty() {
            true => Ok(()),
            false => self.seal().map(drop),
        }
    }
}

/// Makes scheduled backups until the database closes.
fn keep_schedules(database: &Database, wait: Duration, stopped: &Receiver<()>) {
    let is_stopped = || stopped.try_recv() == Err(TryRecvError::Disconnected);
    while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        // Its trouble is told, and it is tried again after the wait; who has halted, has told why.
        if let Err(error) = database.run_schedules_until(&is_stopped) {
            tracing::warn!(%error, "scheduled backups are not made");
            return;
        }
    }
}
