//! `protect | unprotect | window | resolve`.

use foldback::{Clock, TableRef, Window};

use super::{HistorySession, Screen, Session};
use crate::error::Result;
use crate::instant::InstantArg;
use crate::output::Cell;
use crate::span::Retention;

/// Protects a table, or changes the retention of one that is protected.
pub(super) fn protect(
    session: &mut Session,
    table: &str,
    retention: Option<Retention>,
) -> Result<()> {
    let database = &session.database;
    let is_protected = database.table(table)?.record()?.open_protection().is_some();
    match retention {
        Some(retention) if is_protected => {
            database.set_retention(table, retention.into())?;
            tell_pending(session, table)?;
        }
        Some(retention) => drop(database.protect(table, retention.into())?),
        None => drop(database.protect(table, foldback::Retention::default())?),
    }
    list_windows(&mut session.screen, session.database.windows(table)?)
}

/// Says of a shorter retention when it takes effect.
fn tell_pending(session: &mut Session, table: &str) -> Result<()> {
    let record = session.database.table(table)?.record()?;
    let open = record.open_protection();
    let Some(waits) = open.and_then(|open| open.pending_at(foldback::SystemClock.now())) else {
        return Ok(());
    };
    session.screen.note(&format!(
        "a retention of {} takes effect at {}; until then `protect {table} --retention {}` takes it \
         back",
        waits.new,
        foldback::instant::show(waits.from),
        waits.old
    ))
}

pub(super) fn unprotect(session: &mut Session, table: &str, discard: bool) -> Result<()> {
    if discard {
        session.database.discard_history(table)?;
        session.database.seal()?;
        session.screen.note(
            "its history is given up; the files go with the next upkeep, which `expire` does now",
        )?;
        return list_windows(&mut session.screen, session.database.windows(table)?);
    }
    session.database.unprotect(table)?;
    session
        .screen
        .note("protection ends here; the history so far stays until its retention passes")?;
    list_windows(&mut session.screen, session.database.windows(table)?)
}

pub(super) fn window(session: &mut HistorySession, table: TableRef) -> Result<()> {
    list_windows(&mut session.screen, session.door.windows(table)?)
}

fn list_windows(screen: &mut Screen, windows: Vec<Window>) -> Result<()> {
    let names = &["earliest", "latest", "first_seq", "last_seq", "open"];
    let mut list = screen.list(names);
    for Window { earliest, latest, first, last, open } in windows {
        list.row(vec![
            Cell::Instant(earliest),
            Cell::Instant(latest),
            Cell::Seq(first),
            Cell::Seq(last),
            Cell::Flag(open),
        ])?;
    }
    list.finish().map(drop)
}

pub(super) fn resolve(
    session: &mut HistorySession,
    table: &TableRef,
    instant: InstantArg,
) -> Result<()> {
    let resolved = session.door.resolve(table, session.door.at(instant))?;
    let next = resolved.next;
    session.screen.record(&[
        ("table", Cell::text(Some(table.to_string()))),
        ("asked", Cell::text(Some(instant.to_string()))),
        ("seq", Cell::Seq(resolved.commit.seq)),
        ("timestamp", Cell::Instant(resolved.commit.timestamp)),
        ("next_seq", next.map_or(Cell::Empty, |next| Cell::Seq(next.seq))),
        ("next_timestamp", next.map_or(Cell::Empty, |next| Cell::Instant(next.timestamp))),
    ])
}
