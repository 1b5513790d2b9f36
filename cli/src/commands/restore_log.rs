//! `restore list`: the restore log.

use foldback::{Money, RestoreOutcome, RestoreRecord, RestoredInto};

use super::HistorySession;
use crate::error::Result;
use crate::output::Cell;

const NAMES: &[&str] = &[
    "id",
    "started",
    "outcome",
    "source",
    "restored_to_seq",
    "into",
    "rows",
    "took_micros",
    "expected_micros",
    "bucket_bytes",
    "expected_bytes",
    "expected_cost",
    "by",
    "reason",
];

/// Prints the newest records, the last one first.
pub(super) fn list(session: &mut HistorySession, limit: usize) -> Result<()> {
    let mut list = session.screen.list(NAMES);
    for record in session.door.restores().into_iter().take(limit) {
        list.row(cells(record))?;
    }
    list.finish().map(drop)
}

fn cells(record: RestoreRecord) -> Vec<Cell> {
    let RestoreRecord { estimate, actual, .. } = record;
    let outcome = match record.outcome {
        RestoreOutcome::Done => "done".to_owned(),
        RestoreOutcome::Cancelled => "cancelled".to_owned(),
        RestoreOutcome::Failed(why) => format!("failed: {why}"),
    };
    let into = match record.into {
        RestoredInto::Table { name, .. } => name,
        RestoredInto::File(file) => format!("file {file}"),
    };
    let source = match record.database {
        None => record.source_name,
        Some(database) => format!("{} of database {database}", record.source_name),
    };
    let cost = Money { nanos: estimate.money_nanos, currency: estimate.currency };
    vec![
        Cell::Count(record.id),
        Cell::Instant(record.started),
        Cell::text(Some(outcome)),
        Cell::text(Some(source)),
        Cell::Seq(record.target.seq),
        Cell::text(Some(into)),
        Cell::Count(actual.rows),
        Cell::Duration(actual.micros),
        Cell::Duration(estimate.micros),
        Cell::Bytes(actual.bytes),
        Cell::Bytes(estimate.bytes),
        Cell::text(Some(cost.to_string())),
        Cell::text(record.by),
        Cell::text(record.reason),
    ]
}
