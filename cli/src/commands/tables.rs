//! `table create | list | describe | drop`.

use foldback::{TableRecord, TableRef, Timestamp, Window};

use super::{HistorySession, Screen, Session};
use crate::arguments::TableCommand;
use crate::door::Door;
use crate::error::Result;
use crate::output::Cell;
use crate::output::progress::{Progress, ProgressUnit};

pub(super) fn run(session: &mut Session, command: TableCommand) -> Result<()> {
    match command {
        TableCommand::Create { name, protect } => {
            session.database.create_table(&name)?;
            if let Some(retention) = protect {
                session.database.protect(&name, retention.into())?;
            }
            describe(&Door::Database(session.database.clone()), &mut session.screen, name.into())
        }
        TableCommand::Undrop { table, new_name } => {
            undrop(session, &table.table(), new_name.as_deref())
        }
        TableCommand::Drop { name } => {
            let commit = session.database.drop_table(&name)?;
            session.screen.record(&[
                ("dropped", Cell::text(Some(name))),
                ("seq", Cell::Seq(commit.seq)),
                ("timestamp", Cell::Instant(commit.timestamp)),
            ])
        }
        TableCommand::List { .. } | TableCommand::Describe { .. } => {
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

pub(super) fn list_dropped(session: &mut HistorySession) -> Result<()> {
    let names = &["name", "id", "created", "dropped", "windows", "earliest", "latest"];
    let mut list = session.screen.list(names);
    for record in session.door.dropped_tables() {
        let windows = windows(&session.door, &record)?;
        let instant = |instant: Option<Timestamp>| instant.map_or(Cell::Empty, Cell::Instant);
        list.row(vec![
            Cell::text(Some(record.name.clone())),
            Cell::Count(record.id.0),
            Cell::Instant(record.created.timestamp),
            instant(record.dropped.map(|dropped| dropped.timestamp)),
            Cell::Count(u64::try_from(windows.len()).unwrap_or(u64::MAX)),
            instant(windows.first().map(|window| window.earliest)),
            instant(windows.last().map(|window| window.latest)),
        ])?;
    }
    list.finish().map(drop)
}

/// Brings a dropped table back.
fn undrop(session: &mut Session, table: &TableRef, new_name: Option<&str>) -> Result<()> {
    let bar = Progress::begin("bringing rows back", None, ProgressUnit::Items);
    let watch = &mut |progress: foldback::Progress| bar.set(progress.rows);
    let restored = session.database.undrop_table(table, new_name, watch)?;
    drop(bar);
    describe(&Door::Database(session.database.clone()), &mut session.screen, restored.table.into())
}

/// The windows of a table, which may never have been protected.
fn windows(door: &Door, record: &TableRecord) -> Result<Vec<Window>> {
    match record.protection.is_empty() {
        true => Ok(Vec::new()),
        false => door.windows(record.id),
    }
}

pub(super) fn describe(door: &Door, screen: &mut Screen, table: TableRef) -> Result<()> {
    let record = door.record(table)?;
    let windows = windows(door, &record)?;
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
