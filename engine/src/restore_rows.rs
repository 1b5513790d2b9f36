//! The rows of a restore on their way out: rewritten, counted, and stopped where that is wanted.

use std::ops::ControlFlow;

use foldback_compactor::ReadCount;

use crate::present::Row;
use crate::steady_rows::SteadyRows;
use crate::{Error, KeyRewrite, Progress, Result};

/// Rows between two reports.
const ROWS_PER_REPORT: u64 = 4096;
/// Bytes of keys and values between two reports, where rows are large.
const BYTES_PER_REPORT: u64 = 8 << 20;

/// Whoever is told how far a restore is, and may end it.
pub(crate) type Watch<'w> = &'w mut dyn FnMut(Progress) -> ControlFlow<()>;

/// How far a restore is, over all of its tables.
pub(crate) struct RestoreWatch<'w> {
    watch: Watch<'w>,
    progress: Progress,
    reported: Progress,
    /// What the tables before this one have asked of the bucket.
    before: ReadCount,
    /// Whether whoever watches has ended it.
    pub(crate) cancelled: bool,
}

impl<'w> RestoreWatch<'w> {
    /// Nothing is done yet of a restore that is to read so many bytes from the bucket.
    pub(crate) fn new(watch: Watch<'w>, plan_bytes: u64) -> Self {
        let progress = Progress { plan_bytes, ..Progress::default() };
        Self { watch, progress, reported: progress, before: ReadCount::default(), cancelled: false }
    }

    /// Tells how far it is.
    pub(crate) fn report(&mut self) -> Result<()> {
        self.reported = self.progress;
        match (self.watch)(self.progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => {
                self.cancelled = true;
                Err(Error::Cancelled)
            }
        }
    }

    /// What was asked of the bucket so far, and how far it is.
    pub(crate) fn counts(&self) -> (ReadCount, Progress) {
        (self.before, self.progress)
    }

    /// Counts a row of so many bytes; what was asked of the bucket for its table is `count` by now.
    pub(crate) fn add(&mut self, bytes: usize, count: ReadCount) -> Result<()> {
        let bytes = u64::try_from(bytes).expect("lengths fit 64 bits");
        self.progress.rows += 1;
        self.progress.bytes += bytes;
        let (now, then) = (self.progress, self.reported);
        if now.rows - then.rows < ROWS_PER_REPORT && now.bytes - then.bytes < BYTES_PER_REPORT {
            return Ok(());
        }
        // Tails of files are read too, and a plan does not count their bytes.
        self.progress.read_bytes = (self.before + count).bytes.min(now.plan_bytes);
        self.report()
    }

    /// Ends the rows of a table: however they ended, what they have read counts.
    pub(crate) fn end_table(&mut self, count: ReadCount) {
        self.before = self.before + count;
        self.progress.read_bytes = self.before.bytes.min(self.progress.plan_bytes);
    }
}

/// The rows of one table of a restore.
pub(crate) struct RestoreRows<'r, 'a, 'w> {
    rows: SteadyRows<'a>,
    rewrite: Option<&'r KeyRewrite>,
    watch: &'r mut RestoreWatch<'w>,
}

impl<'r, 'a, 'w> RestoreRows<'r, 'a, 'w> {
    /// The rows that a plan yields.
    pub(crate) fn new(
        rows: SteadyRows<'a>,
        rewrite: Option<&'r KeyRewrite>,
        watch: &'r mut RestoreWatch<'w>,
    ) -> Self {
        Self { rows, rewrite, watch }
    }

    fn pass_on(&mut self, row: Row) -> Result<Row> {
        let (key, value) = row;
        let key = match self.rewrite {
            Some(rewrite) => rewrite.apply(&key)?,
            None => key,
        };
        let row = (key, value);
        self.watch.add(row.0.len() + row.1.len(), self.rows.read_count())?;
        Ok(row)
    }
}

impl Iterator for RestoreRows<'_, '_, '_> {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?;
        Some(row.and_then(|row| self.pass_on(row)))
    }
}

impl Drop for RestoreRows<'_, '_, '_> {
    fn drop(&mut self) {
        self.watch.end_table(self.rows.read_count());
    }
}
