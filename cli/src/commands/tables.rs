//! `table create | list | describe | drop`.

use foldback::{Clock, SystemClock, TableRecord, TableRef, Timestamp, Window};

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
    let now = SystemClock.now();
    let waits = record.open_protection().and_then(|interval| interval.pending_at(now));
    // What a window holds beyond the last sealed commit would be lost with the writer's machine.
    let manifest = door.manifest();
    let (sealed, verified) = (manifest.sealed.timestamp, manifest.verified(record.id).copied());
    let latest_sealed = latest.map(|window| window.latest.min(sealed.max(window.earliest)));
    let lag = latest.zip(latest_sealed).map(|(window, sealed)| window.latest.0.abs_diff(sealed.0));
    let instant = |instant: Option<Timestamp>| instant.map_or(Cell::Empty, Cell::Instant);
    screen.record(&[
        ("name", Cell::text(Some(record.name.clone()))),
        ("id", Cell::Count(record.id.0)),
        ("created", Cell::Instant(record.created.timestamp)),
        ("created_seq", Cell::Seq(record.created.seq)),
        ("status", Cell::text(Some(status(&record)))),
        ("dropped", instant(record.dropped.map(|dropped| dropped.timestamp))),
        ("protected", Cell::Flag(record.open_protection().is_some())),
        ("retention", retention(&record)),
        ("pending_retention", Cell::text(waits.map(|waits| waits.new.to_string()))),
        ("pending_from", instant(waits.map(|waits| waits.from))),
        ("windows", Cell::Count(u64::try_from(windows.len()).unwrap_or(u64::MAX))),
        ("earliest", earliest.map_or(Cell::Empty, |window| Cell::Instant(window.earliest))),
        ("latest", latest.map_or(Cell::Empty, |window| Cell::Instant(window.latest))),
        ("latest_sealed", instant(latest_sealed)),
        (
            "last_verified_restorable_at",
            verified.map_or(Cell::Never, |it| Cell::Instant(it.at.timestamp)),
        ),
        ("last_verified_on", verified.map_or(Cell::Never, |it| Cell::Instant(it.on))),
        ("sealed_lag_micros", lag.map_or(Cell::Empty, Cell::Duration)),
        ("intervals", Cell::text(Some(intervals(&windows)).filter(|shown| !shown.is_empty()))),
        ("restored_from_database", restored_from(&record, from_database)),
        ("restored_from_table_id", restored_from(&record, |lineage| Cell::Count(lineage.source.0))),
        ("restored_at_seq", restored_from(&record, |lineage| Cell::Seq(lineage.target.seq))),
    ])
}

fn status(record: &TableRecord) -> &'static str {
    match (record.dropped, record.open_protection()) {
        (Some(_), _) => "dropped",
        (None, Some(_)) => "live, protected",
        (None, None) => "live, not protected",
    }
}

/// The windows, and the gaps between them, in which nothing can be restored.
fn intervals(windows: &[Window]) -> String {
    let show = foldback::instant::show;
    let each = windows.iter().map(|window| {
        let latest = if window.open { "now".to_owned() } else { show(window.latest) };
        format!("{} to {latest} (from #{})", show(window.earliest), window.first)
    });
    each.collect::<Vec<_>>().join(", then a gap, then ")
}

/// The retention in effect.
fn retention(record: &TableRecord) -> Cell {
    let now = SystemClock.now();
    Cell::text(record.open_protection().map(|interval| interval.retention_at(now).to_string()))
}

fn from_database(lineage: foldback::Lineage) -> Cell {
    Cell::text(lineage.database.map(|database| database.to_string()))
}

fn restored_from(record: &TableRecord, field: impl Fn(foldback::Lineage) -> Cell) -> Cell {
    record.lineage.map_or(Cell::Empty, field)
}
