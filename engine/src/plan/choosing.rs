//! Which row groups of its files a plan reads.

use std::collections::BTreeSet;
use std::sync::Arc;

use foldback_compactor::opened_by_tail;
use foldback_log_tier::history::RowGroupEntry;
use foldback_log_tier::manifest::{HistoryEntry, TableEntry, TablePart};

use super::RestorePlan;

impl RestorePlan {
    /// Keeps of every file's row groups those that may hold rows of the plan, by what the manifest
    /// says of where they lie along the keys.
    pub(super) fn choose_by_cuts(&mut self) {
        let (table, selection) = (self.table, &self.selection);
        for piece in &mut self.pieces {
            let keys = piece.keys.clone();
            for read in piece.base.iter_mut().chain(&mut piece.deltas) {
                let entry = read.file.table(table);
                let parts = entry.into_iter().flat_map(TableEntry::parts);
                let may_hold =
                    |part: &TablePart<'_>| selection.meets(&keys, part.key_min, part.key_max);
                let kept: Vec<_> = parts.filter(may_hold).collect();
                read.bytes = kept.iter().map(|part| part.bytes.end - part.bytes.start).sum();
                read.row_groups = kept.into_iter().flat_map(|part| part.row_groups).collect();
            }
        }
    }

    /// The files of which their own statistics may leave out much that the manifest does not: large
    /// ones that are not read from the first key of the table to the last.
    pub(crate) fn unsure_files(&self) -> Vec<Arc<HistoryEntry>> {
        let mut files = opened_by_tail(&self.merges());
        files.retain(|file| !(self.selection.is_all() && self.reads_all_of(file)));
        files
    }

    fn reads_all_of(&self, file: &HistoryEntry) -> bool {
        let Some(entry) = file.table(self.table) else { return true };
        let reads = self.files().filter(|read| read.file.name == file.name);
        let groups: BTreeSet<_> = reads.flat_map(|read| read.row_groups.iter().copied()).collect();
        (entry.row_group_first..=entry.row_group_last).all(|group| groups.contains(&group))
    }

    /// Keeps of one file's row groups those that may hold rows of the plan, by the file's own
    /// statistics.
    pub(crate) fn choose_row_groups(&mut self, file: &str, row_groups: &[RowGroupEntry]) {
        let (table, target) = (self.table, self.target.seq);
        let selection = &self.selection;
        for piece in &mut self.pieces {
            let floor = piece.floor;
            let keys = piece.keys.clone();
            let may_hold = |group: &&RowGroupEntry, is_base: bool| {
                group.table == table
                    && selection.meets(&keys, &group.key_min, &group.key_max)
                    && group.seq_min <= target
                    && (is_base || floor < group.seq_max)
            };
            let base = piece.base.iter_mut().map(|read| (read, true));
            let reads = base.chain(piece.deltas.iter_mut().map(|read| (read, false)));
            for (read, is_base) in reads.filter(|(read, _)| read.file.name == file) {
                let kept = row_groups.iter().filter(|group| may_hold(group, is_base));
                read.bytes = kept.clone().map(|group| group.bytes).sum();
                read.row_groups = kept.map(|group| group.index).collect();
            }
        }
    }
}
