//! `table create | list | describe | drop`.

use foldback::TableRecord;

use super::{HistorySession, Screen, Session};
use crate::arguments::TableCommand;
use crate::door::Door;
use crate::error::Result;
use crate::output::Cell;

pub(super) fn run(session: &mut Session, command: TableCommand) -> Result<()> {
    match command {
        TableCommand::Create { name, protect } => {
            session.database.create_table(&name)?;
            if let Some(retention) = protect {
                session.database.protect(&name, retention.into())?;
            }
            describe(&Door::Database(session.database.clone()), &mut session.screen, &name)
        }
        TableCommand::Drop { name } => {
            let commit = session.database.drop_table(&name)?;
            session.screen.record(&[
                ("dropped", Cell::text(Some(name))),
                ("seq", Cell::Seq(commit.seq)),
                ("timestamp", Cell::Instant(commit.timestamp)),
            ])
        }
        TableCommand::List | TableCommand::Describe { .. } => {
            unreachable!("these only read history")
        }
    }
}

pub(super) fn list(session: &mut HistorySession) -> Result<()> {
    let names = &["name", "id", "created", "protected", "retention"];
    let mut list = session.screen.list(names);
    for record in session.door.tables() {
        list.row(vec![
            Cell::text(Some(record.name.clone())),
            Cell::Count(record.id.0),
            Cell::Instant(record.created.timestamp),
            Cell::Flag(record.open_protection().is_some()),
            retention(&record),
        ])?;
    }
    list.finish().map(drop)
}

pub(super) fn describe(door: &Door, screen: &mut Screen, name: &str) -> Result<()> {
    let record = door.record(name)?;
    let windows = match record.protection.is_empty() {
        true => Vec::new(),
        false => door.windows(name)?,
    };
    let (earliest, latest) = (windows.first(), windows.last());
    screen.record(&[
        ("name", Cell::text(Some(record.name.clone()))),
        ("id", Cell::Count(record.id.0)),
        ("created", Cell::Instant(record.created.timestamp)),
        ("created_seq", Cell::Seq(record.created.seq)),
        ("protected", Cell::Flag(record.open_protection().is_some())),
        ("retention", retention(&record)),
        ("windows", Cell::Count(u64::try_from(windows.len()).unwrap_or(u64::MAX))),
        ("earliest", earliest.map_or(Cell::Empty, |window| Cell::Instant(window.earliest))),
        ("latest", latest.map_or(Cell::Empty, |window| Cell::Instant(window.latest))),
        ("restored_from_database", restored_from(&record, from_database)),
        ("restored_from_table_id", restored_from(&record, |lineage| Cell::Count(lineage.source.0))),
        ("restored_at_seq", restored_from(&record, |lineage| Cell::Seq(lineage.target.seq))),
    ])
}

fn retention(record: &TableRecord) -> Cell {
    Cell::text(record.open_protection().map(|interval| interval.retention.to_string()))
}

fn from_database(lineage: foldback::Lineage) -> Cell {
    Cell::text(lineage.database.map(|database| database.to_string()))
}

fn restored_from(record: &TableRecord, field: impl Fn(foldback::Lineage) -> Cell) -> Cell {
    record.lineage.map_or(Cell::Empty, field)
}
