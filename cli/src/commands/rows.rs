//! `put | get | delete | scan`: the rows of a table, as of now or as of an instant.

use std::io::Write;

use foldback::{Commit, KeyRange, Row};

use super::{HistorySession, Screen, Session};
use crate::arguments::ScanArgs;
use crate::error::{Error, Result};
use crate::instant::InstantArg;
use crate::output::{Cell, OutputFormat, printable_bytes};

pub(super) fn put(session: &mut Session, table: &str, key: String, value: String) -> Result<()> {
    let commit = session.database.table(table)?.put(key, value).wait()?;
    committed(session, commit)
}

pub(super) fn delete(session: &mut Session, table: &str, key: String) -> Result<()> {
    let commit = session.database.table(table)?.delete(key).wait()?;
    committed(session, commit)
}

fn committed(session: &mut Session, commit: Commit) -> Result<()> {
    session
        .screen
        .record(&[("seq", Cell::Seq(commit.seq)), ("timestamp", Cell::Instant(commit.timestamp))])
}

pub(super) fn get(session: &mut Session, table: &str, key: &str) -> Result<()> {
    let value = session.database.table(table)?.get(key.as_bytes())?;
    let missing = || format!("table {table} has no key {}", shown(key));
    let value = value.ok_or_else(|| Error::Refused(missing()))?;
    print_value(&mut session.screen, key, &value)
}

pub(super) fn get_as_of(
    session: &mut HistorySession,
    table: &str,
    key: &str,
    instant: InstantArg,
) -> Result<()> {
    let view = session.door.view(table, session.door.at(instant))?;
    let missing = || {
        let Commit { seq, timestamp } = view.commit();
        let at = foldback::instant::show(timestamp);
        format!("table {table} had no key {} as of #{seq}, at {at}", shown(key))
    };
    let value = view.get(key.as_bytes())?.ok_or_else(|| Error::Refused(missing()))?;
    print_value(&mut session.screen, key, &value)
}

pub(super) fn scan(session: &mut Session, scan: &ScanArgs) -> Result<()> {
    let rows = session.database.table(&scan.table)?.range(&keys_of(scan))?;
    match scan.reverse {
        true => print_rows(&mut session.screen, rows.rev(), scan.limit),
        false => print_rows(&mut session.screen, rows, scan.limit),
    }
}

pub(super) fn scan_as_of(
    session: &mut HistorySession,
    scan: &ScanArgs,
    instant: InstantArg,
) -> Result<()> {
    let view = session.door.view(&scan.table, session.door.at(instant))?;
    print_rows(&mut session.screen, view.range(&keys_of(scan))?, scan.limit)
}

/// Prints the value's very bytes, so that it can be piped on.
fn print_value(screen: &mut Screen, key: &str, value: &[u8]) -> Result<()> {
    match screen.format() {
        OutputFormat::Json => screen.record(&[
            ("key", Cell::Key(key.as_bytes().to_vec())),
            ("value", Cell::Value(value.to_vec())),
        ]),
        OutputFormat::Table => {
            let mut stdout = std::io::stdout().lock();
            let written = stdout.write_all(value).and_then(|()| stdout.write_all(b"\n"));
            written.map_err(Error::io("write", "the output"))
        }
    }
}

fn print_rows(
    screen: &mut Screen,
    rows: impl Iterator<Item = foldback::Result<Row>>,
    limit: Option<usize>,
) -> Result<()> {
    let mut list = screen.list(&["key", "value"]);
    for row in rows.take(limit.unwrap_or(usize::MAX)) {
        let (key, value) = row?;
        list.row(vec![Cell::Key(key.to_vec()), Cell::Value(value.to_vec())])?;
    }
    list.finish().map(drop)
}

fn keys_of(scan: &ScanArgs) -> KeyRange {
    match &scan.prefix {
        Some(prefix) => KeyRange::prefix(prefix.as_bytes()),
        None => KeyRange {
            from: scan.from.clone().unwrap_or_default().into(),
            until: scan.until.clone().map(Into::into),
        },
    }
}

fn shown(key: &str) -> String {
    format!("{:?}", printable_bytes(key.as_bytes()))
}
