//! What the rows of a whole file must be: in order from its first row to its last, and exactly what
//! the manifest says of them.

use bytes::Bytes;
use foldback_log_tier::history::{CommitIndex, FileKind, RowGroupRows};
use foldback_log_tier::manifest::{HistoryEntry, TableEntry};
use foldback_log_tier::{Commit, EventRow, Seq, TableId, Timestamp};

/// What was seen of one table.
#[derive(Clone, Copy, Debug)]
struct Seen {
    table: TableId,
    rows: u64,
    seqs: (Seq, Seq),
    timestamps: (Timestamp, Timestamp),
}

/// Takes the rows of a file in its order, and says what is wrong with them. Each row group was
/// found sound by itself before.
#[derive(Debug)]
pub(super) struct RowsCheck<'a> {
    entry: &'a HistoryEntry,
    /// Of a delta.
    commits: Option<&'a CommitIndex>,
    last: Option<(TableId, Bytes, Seq)>,
    /// The commit that was looked up last: rows of one commit are often near each other.
    known: Option<Commit>,
    seen: Vec<Seen>,
}

impl<'a> RowsCheck<'a> {
    pub(super) fn new(entry: &'a HistoryEntry, commits: Option<&'a CommitIndex>) -> Self {
        Self { entry, commits, last: None, known: None, seen: Vec::new() }
    }

    /// Takes the rows that come next.
    pub(super) fn take(&mut self, rows: &RowGroupRows) -> Result<(), String> {
        for row in rows.iter() {
            self.take_row(row)?;
        }
        Ok(())
    }

    fn take_row(&mut self, row: EventRow<'_>) -> Result<(), String> {
        let is_base = self.entry.kind == FileKind::Base;
        let goes_on = self.last.as_ref().is_none_or(|(table, key, seq)| {
            let by_key = (*table, key.as_ref()).cmp(&(row.table, row.key));
            by_key.is_lt() || (by_key.is_eq() && !is_base && row.seq < *seq)
        });
        if !goes_on {
            return Err(format!(
                "its rows are not in order: that of table {} at #{} does not follow on the one before",
                row.table, row.seq
            ));
        }
        if let Some(commits) = self.commits
            && self.known.is_none_or(|known| known.seq != row.seq)
        {
            self.known = commits.get(row.seq);
        }
        if self.commits.is_some() && self.known.map(|it| it.timestamp) != Some(row.timestamp) {
            return Err(format!(
                "a row of table {} at #{} is not stamped as its commit index says",
                row.table, row.seq
            ));
        }
        self.note(row);
        match &mut self.last {
            Some((table, key, seq)) if *table == row.table && key.as_ref() == row.key => {
                *seq = row.seq;
            }
            last => *last = Some((row.table, Bytes::copy_from_slice(row.key), row.seq)),
        }
        Ok(())
    }

    fn note(&mut self, row: EventRow<'_>) {
        match self.seen.last_mut().filter(|seen| seen.table == row.table) {
            Some(seen) => {
                seen.rows += 1;
                seen.seqs = (seen.seqs.0.min(row.seq), seen.seqs.1.max(row.seq));
                let (min, max) = seen.timestamps;
                seen.timestamps = (min.min(row.timestamp), max.max(row.timestamp));
            }
            None => self.seen.push(Seen {
                table: row.table,
                rows: 1,
                seqs: (row.seq, row.seq),
                timestamps: (row.timestamp, row.timestamp),
            }),
        }
    }

    /// Compares all rows with what the manifest says of them. Its keys were compared with those of
    /// each row group.
    pub(super) fn finish(self) -> Result<(), String> {
        let says = |entry: &TableEntry| Seen {
            table: entry.table,
            rows: entry.rows,
            seqs: (entry.seq_min, entry.seq_max),
            timestamps: (entry.timestamp_min, entry.timestamp_max),
        };
        let same = |said: &Seen, seen: &Seen| {
            (said.table, said.rows, said.seqs, said.timestamps)
                == (seen.table, seen.rows, seen.seqs, seen.timestamps)
        };
        let said: Vec<_> = self.entry.tables.iter().map(says).collect();
        let differs = said.iter().zip(&self.seen).find(|(said, seen)| !same(said, seen));
        match differs {
            Some((said, seen)) => Err(format!(
                "the manifest says that table {} has {} rows in it, of #{} to #{}, and it has {} of \
                 #{} to #{} of table {}, or they are stamped otherwise",
                said.table,
                said.rows,
                said.seqs.0,
                said.seqs.1,
                seen.rows,
                seen.seqs.0,
                seen.seqs.1,
                seen.table
            )),
            None if said.len() != self.seen.len() => Err(format!(
                "the manifest says that it has rows of {} tables, and it has some of {}",
                said.len(),
                self.seen.len()
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
