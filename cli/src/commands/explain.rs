//! `plan --explain`: why each file of history is read, or is not.

use foldback::{FileUse, RestorePlan, Selection, TableRef, Target};

use super::HistorySession;
use crate::error::Result;
use crate::output::Cell;

/// Lists every history file of the manifest, and every local segment, with the reason.
pub(super) fn explain(
    session: &mut HistorySession,
    table: TableRef,
    target: Target,
    selection: &Selection,
) -> Result<()> {
    let (plan, uses) = planned(session, &table, target, selection)?;
    let names = &["file", "kind", "first_seq", "last_seq", "read", "row_groups", "bytes", "reason"];
    let segments = session.door.segments();
    let mut list = session.screen.list(names);
    for FileUse { file, reason, row_groups, row_groups_of_table, bytes } in uses {
        list.row(vec![
            Cell::text(Some(&file.name)),
            Cell::text(Some(file.kind.to_string())),
            Cell::Seq(file.first.seq),
            Cell::Seq(file.last.seq),
            Cell::Flag(reason.is_read()),
            Cell::text(Some(format!("{row_groups} of {row_groups_of_table}"))),
            Cell::Bytes(bytes),
            Cell::text(Some(reason.to_string())),
        ])?;
    }
    for segment in segments.iter().filter(|segment| segment.first <= segment.last) {
        let is_read = plan.reads_segment(segment);
        let reason = match (is_read, segment.last <= plan.sealed) {
            (true, _) => "holds commits up to the target that are not sealed",
            (false, true) => "its commits are sealed",
            (false, false) => "its commits come after the target",
        };
        list.row(vec![
            Cell::text(Some("the local log")),
            Cell::text(Some("segment")),
            Cell::Seq(segment.first),
            Cell::Seq(segment.last),
            Cell::Flag(is_read),
            Cell::Empty,
            Cell::Bytes(if is_read { segment.bytes } else { 0 }),
            Cell::text(Some(reason)),
        ])?;
    }
    list.finish().map(drop)
}

/// A plan, and what it makes of the files of the very manifest that it is bound to.
fn planned(
    session: &HistorySession,
    table: &TableRef,
    target: Target,
    selection: &Selection,
) -> Result<(RestorePlan, Vec<FileUse>)> {
    loop {
        let plan = session.door.plan(table, target, selection)?;
        let manifest = session.door.manifest();
        // Somebody may have published in between.
        if manifest.number == plan.manifest {
            let uses = plan.explain(&manifest);
            return Ok((plan, uses));
        }
    }
}
