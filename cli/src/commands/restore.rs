//! `plan`: what a restore would read.

use foldback::{FileRead, RestorePlan, Seq, Target};

use super::explain::explain;
use super::{HistorySession, before};
use crate::arguments::{PlanArgs, TargetArgs};
use crate::door::Door;
use crate::error::{Error, Result};
use crate::output::Cell;

pub(super) fn plan(session: &mut HistorySession, asked: &PlanArgs) -> Result<()> {
    let target = target_of(&session.door, &asked.target)?;
    let (table, selection) = (asked.source.table(), asked.keys.selection()?);
    if asked.explain {
        return explain(session, table, target, &selection);
    }
    let plan = session.door.plan(table, target, &selection)?;
    match asked.files {
        true => list_files(session, &plan),
        false => show(session, &plan),
    }
}

fn show(session: &mut HistorySession, plan: &RestorePlan) -> Result<()> {
    let bases = plan.pieces.iter().filter(|piece| piece.base.is_some()).count();
    let deltas: usize = plan.pieces.iter().map(|piece| piece.deltas.len()).sum();
    let row_groups: usize = plan.files().map(|read| read.row_groups.len()).sum();
    let count = |number: usize| Cell::Count(u64::try_from(number).unwrap_or(u64::MAX));
    let costs = &session.costs;
    let estimate = plan.estimate(costs);
    session.screen.record(&[
        ("table", Cell::text(Some(plan.table_name.clone()))),
        ("table_id", Cell::Count(plan.table.0)),
        ("seq", Cell::Seq(plan.target.seq)),
        ("timestamp", Cell::Instant(plan.target.timestamp)),
        ("manifest", Cell::Count(plan.manifest)),
        ("bases", count(bases)),
        ("deltas", count(deltas)),
        ("row_groups", count(row_groups)),
        ("bucket_bytes", Cell::Bytes(plan.bucket_bytes())),
        ("bucket_requests", Cell::Count(plan.bucket_requests())),
        ("segments", count(plan.segments.len())),
        ("segment_bytes", Cell::Bytes(plan.segment_bytes())),
        ("takes_about_micros", Cell::Duration(estimate.micros)),
        ("costs_about", Cell::text(Some(estimate.money(costs).to_string()))),
        ("prices_as_of", Cell::text(Some(&costs.as_of))),
    ])
}

/// Lists the reads of a plan, each with the rows of its file that count: those of the table, with
/// first_seq <= seq <= last_seq and key_from <= key < key_until. A file with rows for two ranges of
/// keys is listed once for each. Keys are in hex, as they may be any bytes.
fn list_files(session: &mut HistorySession, plan: &RestorePlan) -> Result<()> {
    let names = &[
        "location",
        "kind",
        "table_id",
        "first_seq",
        "last_seq",
        "key_from_hex",
        "key_until_hex",
        "row_groups",
        "bytes",
    ];
    let mut list = session.screen.list(names);
    for piece in &plan.pieces {
        for read @ FileRead { file, row_groups, bytes } in piece.files() {
            let is_base = piece.base.as_ref().is_some_and(|base| std::ptr::eq(base, read));
            let above = if is_base { Seq::ZERO } else { piece.floor };
            for keys in plan.selection.within(&piece.keys) {
                list.row(vec![
                    Cell::text(Some(session.door.location(&file.name))),
                    Cell::text(Some(file.kind.to_string())),
                    Cell::Count(plan.table.0),
                    Cell::Seq(above.next()),
                    Cell::Seq(file.last.seq.min(plan.target.seq)),
                    Cell::text(Some(&keys.from).filter(|from| !from.is_empty()).map(hex)),
                    Cell::text(keys.until.as_ref().map(hex)),
                    Cell::Count(u64::try_from(row_groups.len()).unwrap_or(u64::MAX)),
                    Cell::Bytes(*bytes),
                ])?;
            }
        }
    }
    list.finish()?;
    if !plan.segments.is_empty() {
        eprintln!(
            "foldback: commits #{} to #{} are only in the local log; `foldback seal` brings them \
             into the bucket",
            plan.sealed.next(),
            plan.target.seq
        );
    }
    Ok(())
}

fn hex(key: impl AsRef<[u8]>) -> String {
    key.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The state of a table that is asked for.
pub(super) fn target_of(door: &Door, target: &TargetArgs) -> Result<Target> {
    match target {
        TargetArgs { at: Some(instant), .. } => Ok(door.at(*instant)),
        TargetArgs { before: Some(instant), .. } => Ok(before(*instant)),
        TargetArgs { seq: Some(seq), .. } => Ok(Target::Seq(foldback::Seq(*seq))),
        TargetArgs { latest: true, .. } => Ok(Target::Latest),
        _ => Err(Error::usage("say which state is meant: --at, --before, --seq or --latest")),
    }
}
