//! `backup schedule …` and `backup run`: backups that are made and deleted by themselves.

use foldback::{KeepRules, Retention, ScheduleRecord};

use super::{HistorySession, Session};
use crate::arguments::{RulesArgs, ScheduleCommand, ScheduleCreateArgs};
use crate::error::{Error, Result};
use crate::output::Cell;
use crate::span::{self, SECOND_MICROS};

pub(super) fn run(session: &mut Session, command: &ScheduleCommand) -> Result<()> {
    match command {
        ScheduleCommand::Create(create) => self::create(session, create),
        ScheduleCommand::Delete { name } => delete(session, name),
        ScheduleCommand::List => unreachable!("it only reads history"),
    }
}

fn create(session: &mut Session, create: &ScheduleCreateArgs) -> Result<()> {
    let rule = |span: Option<span::Retention>| span.map(Retention::from);
    let ScheduleCreateArgs { name, table, every, rules } = create;
    let RulesArgs { keep, daily, monthly } = *rules;
    let keep = KeepRules { all: rule(keep), daily: rule(daily), monthly: rule(monthly) };
    let schedule = session.database.create_schedule(name, table, *every, keep)?;
    session.database.seal()?;
    let mut fields = vec![
        ("name", Cell::text(Some(&schedule.name))),
        ("table", Cell::text(Some(&schedule.table_name))),
        ("table_id", Cell::Count(schedule.table.0)),
    ];
    fields.extend(rules_of(&schedule));
    fields.push(("created", Cell::Instant(schedule.created.timestamp)));
    session.screen.record(&fields)
}

fn rules_of(schedule: &ScheduleRecord) -> [(&'static str, Cell); 4] {
    let KeepRules { all, daily, monthly } = schedule.keep;
    let rule = |span: Option<Retention>| {
        Cell::text(span.map(|span| match span {
            Retention::Secs(secs) => span::format_secs(secs),
            Retention::Forever => span::Retention::Forever.to_string(),
        }))
    };
    let every = i64::try_from(schedule.every_secs).unwrap_or(i64::MAX);
    let every_micros = every.saturating_mul(SECOND_MICROS).unsigned_abs();
    [
        ("every_micros", Cell::Duration(every_micros)),
        ("keep", rule(all)),
        ("daily", rule(daily)),
        ("monthly", rule(monthly)),
    ]
}

fn delete(session: &mut Session, name: &str) -> Result<()> {
    let commit = session.database.delete_schedule(name)?;
    session.database.seal()?;
    session.screen.record(&[
        ("deleted", Cell::text(Some(name))),
        ("seq", Cell::Seq(commit.seq)),
        ("timestamp", Cell::Instant(commit.timestamp)),
    ])
}

pub(super) fn list(session: &mut HistorySession) -> Result<()> {
    let names = &[
        "name",
        "table",
        "every_micros",
        "keep",
        "daily",
        "monthly",
        "backups",
        "last",
        "next",
        "trouble",
    ];
    let mut list = session.screen.list(names);
    for standing in session.door.schedules()? {
        let [every, keep, daily, monthly] = rules_of(&standing.schedule).map(|(_, cell)| cell);
        let next = match standing.hindrance {
            None => Cell::Instant(standing.next),
            Some(_) => Cell::Never,
        };
        list.row(vec![
            Cell::text(Some(&standing.schedule.name)),
            Cell::text(Some(&standing.schedule.table_name)),
            every,
            keep,
            daily,
            monthly,
            Cell::Count(u64::try_from(standing.backups).unwrap_or(u64::MAX)),
            standing.last.map_or(Cell::Never, |last| Cell::Instant(last.timestamp)),
            next,
            Cell::text(standing.hindrance),
        ])?;
    }
    list.finish().map(drop)
}

/// Makes what is due, deletes what the rules let go, and prints both.
pub(super) fn run_due(session: &mut Session) -> Result<()> {
    let runs = session.database.run_schedules()?;
    let mut list = session.screen.list(&["schedule", "what", "backup"]);
    for run in &runs {
        let done = run.made.iter().map(|made| ("made", &made.name));
        for (what, name) in done.chain(run.deleted.iter().map(|name| ("deleted", name))) {
            list.row(vec![
                Cell::text(Some(&run.schedule)),
                Cell::text(Some(what)),
                Cell::text(Some(name)),
            ])?;
        }
    }
    list.finish()?;
    session.screen.flush()?;
    let trouble: Vec<_> = runs.into_iter().filter_map(|run| run.trouble).collect();
    match trouble.is_empty() {
        true => Ok(()),
        false => Err(Error::Schedules(trouble)),
    }
}
