//! `put | get | delete | scan`: the present of a table.

use std::io::Write;

use foldback::{Commit, KeyRange};

use super::Session;
use crate::arguments::ScanArgs;
use crate::error::{Error, Result};
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

/// Prints the value's very bytes, so that it can be piped on.
pub(super) fn get(session: &mut Session, table: &str, key: &str) -> Result<()> {
    let value = session.database.table(table)?.get(key.as_bytes())?;
    let value = value.ok_or_else(|| {
        Error::Refused(format!("table {table} has no key {:?}", printable_bytes(key.as_bytes())))
    })?;
    match session.screen.format() {
        OutputFormat::Json => session.screen.record(&[
            ("key", Cell::Key(key.as_bytes().to_vec())),
            ("value", Cell::Value(value.to_vec())),
        ]),
        OutputFormat::Table => {
            let mut stdout = std::io::stdout().lock();
            let written = stdout.write_all(&value).and_then(|()| stdout.write_all(b"\n"));
            written.map_err(Error::io("write", "the output"))
        }
    }
}

pub(super) fn scan(session: &mut Session, scan: &ScanArgs) -> Result<()> {
    let keys = match &scan.prefix {
        Some(prefix) => KeyRange::prefix(prefix.as_bytes()),
        None => KeyRange {
            from: scan.from.clone().unwrap_or_default().into(),
            until: scan.until.clone().map(Into::into),
        },
    };
    let mut rows = session.database.table(&scan.table)?.range(&keys)?;
    let mut list = session.screen.list(&["key", "value"]);
    let mut left = scan.limit.unwrap_or(usize::MAX);
    while left > 0 {
        let row = if scan.reverse { rows.next_back() } else { rows.next() };
        let Some(row) = row else { break };
        let (key, value) = row?;
        list.row(vec![Cell::Key(key.to_vec()), Cell::Value(value.to_vec())])?;
        left -= 1;
    }
    list.finish().map(drop)
}
