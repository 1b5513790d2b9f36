//! `protect | unprotect | window | resolve`.

use foldback::{TableRef, Window};

use super::{HistorySession, Screen, Session};
use crate::error::Result;
use crate::instant::InstantArg;
use crate::output::Cell;
use crate::span::Retention;

pub(super) fn protect(session: &mut Session, table: &str, retention: Retention) -> Result<()> {
    session.database.protect(table, retention.into())?;
    list_windows(&mut session.screen, session.database.windows(table)?)
}

pub(super) fn unprotect(session: &mut Session, table: &str) -> Result<()> {
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
