//! What the catalog says of schedules: of which tables backups are made by themselves, how often,
//! and for how long those are kept.

use foldback_log_tier::near_names::near_names;
use foldback_log_tier::{Change, Commit, Event, Seq, TableId};
use serde::{Deserialize, Serialize};

use super::stored::{self, Stored};
use super::{Catalog, Retention, TableRecord, check_name};
use crate::config::NAME_BYTES_MAX;
use crate::{Error, Result};

/// The shortest time between two backups of a schedule, in seconds.
pub const SCHEDULE_SECS_MIN: u64 = 60;
/// The longest time between two backups of a schedule, in seconds: ten years.
pub const SCHEDULE_SECS_MAX: u64 = 3_653 * 24 * 60 * 60;
/// What the name of a backup has after the name of its schedule, in bytes: `-20261122T184500Z`.
const STAMP_BYTES: usize = 17;

/// What the catalog says of one schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleRecord {
    /// Its name, which no other schedule has while it is there.
    pub name: String,
    /// The table that backups are made of.
    pub table: TableId,
    /// The table's name.
    pub table_name: String,
    /// A backup is due each time this many seconds have passed since the schedule was made.
    pub every_secs: u64,
    /// How long its backups are kept.
    pub keep: KeepRules,
    /// The commit that asked for it.
    pub created: Commit,
}

/// Which backups of a schedule are kept: those that any of the rules keeps, and the newest. Days
/// and months are those of UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeepRules {
    /// All backups that are not older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<Retention>,
    /// Of those that are not older than this, the first of each day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily: Option<Retention>,
    /// Of those that are not older than this, the first of each month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly: Option<Retention>,
}

/// A schedule that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct NewSchedule {
    pub(crate) name: String,
    pub(crate) table: TableId,
    pub(crate) every_secs: u64,
    pub(crate) keep: KeepRules,
}

/// A change to the schedules.
#[derive(Clone, Debug)]
pub(crate) enum ScheduleChange {
    /// From now on, backups are made.
    Create(NewSchedule),
    /// No more are made; what there is stays.
    Delete { created: Seq },
}

impl KeepRules {
    fn check(&self) -> Result<()> {
        let spans: Vec<_> = [self.all, self.daily, self.monthly].into_iter().flatten().collect();
        if spans.is_empty() {
            return Err(Error::Invalid(
                "a schedule says for how long its backups are kept: all of them, one a day, or one \
                 a month"
                    .to_owned(),
            ));
        }
        match spans.contains(&Retention::Secs(0)) {
            true => Err(Error::Invalid("backups are kept for a second at least".to_owned())),
            false => Ok(()),
        }
    }
}

impl Stored for ScheduleRecord {
    const KIND: &'static str = "schedule";

    /// The commit that asked for it, as a name can be another's later.
    fn number(&self) -> u64 {
        self.created.seq.0
    }
}

impl Catalog {
    /// Checks a change to the schedules, makes it, and returns the events that record it. On an
    /// error nothing was changed.
    pub(super) fn change_schedules(
        &mut self,
        change: ScheduleChange,
        commit: Commit,
    ) -> Result<Vec<Event>> {
        match change {
            ScheduleChange::Create(schedule) => {
                let record = self.new_schedule(schedule, commit)?;
                let event = record.to_event();
                self.schedules.insert(commit.seq, record);
                Ok(vec![event])
            }
            ScheduleChange::Delete { created } => match self.schedules.remove(&created) {
                Some(_) => Ok(vec![stored::removal::<ScheduleRecord>(created.0)]),
                None => Err(Error::ScheduleNotFound {
                    name: format!("asked for by #{created}"),
                    near: Vec::new(),
                }),
            },
        }
    }

    /// Takes over one event of a schedule's record.
    pub(super) fn absorb_schedule(&mut self, of: &[u8], change: &Change) -> Result<()> {
        match change {
            Change::Put(value) => {
                let schedule = ScheduleRecord::from_event(of, value)?;
                self.schedules.insert(schedule.created.seq, schedule);
            }
            Change::Delete => {
                self.schedules.remove(&Seq(stored::number_of_key::<ScheduleRecord>(of)?));
            }
        }
        Ok(())
    }

    /// The schedules, in the order in which they were made.
    pub(crate) fn schedules(&self) -> impl Iterator<Item = &ScheduleRecord> {
        self.schedules.values()
    }

    /// The schedule of this name.
    pub(crate) fn schedule_by_name(&self, name: &str) -> Result<&ScheduleRecord> {
        let names = self.schedules().map(|schedule| schedule.name.as_str());
        self.schedules().find(|schedule| schedule.name == name).ok_or_else(|| {
            let near = near_names(name, names).into_iter().map(str::to_owned).collect();
            Error::ScheduleNotFound { name: name.to_owned(), near }
        })
    }

    /// Why a schedule can make no backups, if it can't.
    pub(crate) fn schedule_hindrance(&self, schedule: &ScheduleRecord) -> Option<String> {
        let ScheduleRecord { name, table_name, .. } = schedule;
        let table = self.tables.get(&schedule.table);
        let hindrance = match table {
            Some(TableRecord { dropped: None, .. }) => {
                let is_protected = table.is_some_and(|it| it.open_protection().is_some());
                (!is_protected).then(|| {
                    format!("is not protected any more: `protect {table_name}` lets it go on")
                })
            }
            _ => Some(format!("was dropped: `backup schedule delete {name}` ends it")),
        };
        hindrance.map(|what| {
            format!(
                "schedule {name:?} makes no backups, as table {table_name:?} {what}; the backups \
                 that it has made stay by its rules"
            )
        })
    }

    fn new_schedule(&self, schedule: NewSchedule, created: Commit) -> Result<ScheduleRecord> {
        let NewSchedule { name, table, every_secs, keep } = schedule;
        check_name("a schedule", &name)?;
        let name_bytes_max = NAME_BYTES_MAX - STAMP_BYTES;
        if name.len() > name_bytes_max {
            let (what, bytes) = ("the name of a schedule", name.len());
            return Err(Error::TooLarge { what, bytes, bytes_max: name_bytes_max });
        }
        if self.schedules().any(|other| other.name == name) {
            return Err(Error::ScheduleExists { name });
        }
        if !(SCHEDULE_SECS_MIN..=SCHEDULE_SECS_MAX).contains(&every_secs) {
            return Err(Error::Invalid(format!(
                "a schedule makes a backup every {every_secs} seconds, it may be from \
                 {SCHEDULE_SECS_MIN} to {SCHEDULE_SECS_MAX}"
            )));
        }
        keep.check()?;
        let of = self.live_by_id(table)?;
        if of.open_protection().is_none() {
            return Err(Error::NotProtected { name: of.name.clone() });
        }
        let table_name = of.name.clone();
        Ok(ScheduleRecord { name, table, table_name, every_secs, keep, created })
    }
}

#[cfg(test)]
mod tests;
