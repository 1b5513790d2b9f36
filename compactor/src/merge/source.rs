//! One sorted source of a merge, and which of its rows count.

use std::sync::Arc;

use foldback_log_tier::history::RowGroupRows;
use foldback_log_tier::{Error, EventRow, KeyRange, Result, Seq};
use tokio::sync::mpsc;

use super::TailRows;

/// Which rows of a source count: `floor < seq <= target`, of keys in the range.
#[derive(Clone, Debug)]
pub struct RowFilter {
    /// The keys.
    pub keys: KeyRange,
    /// Rows at or below are superseded by a base.
    pub floor: Seq,
    /// Rows above are not of this state.
    pub target: Seq,
}

impl RowFilter {
    /// Lets every row through.
    #[must_use]
    pub const fn all() -> Self {
        Self { keys: KeyRange::all(), floor: Seq::ZERO, target: Seq::MAX }
    }

    fn admits(&self, row: &EventRow<'_>) -> bool {
        self.floor < row.seq && row.seq <= self.target && self.keys.contains(row.key)
    }
}

/// Row groups of history files, in order, as they are read and decoded, portion by portion.
#[derive(Debug)]
pub struct RowGroupFeed {
    /// Told of each portion that is asked for.
    wants: mpsc::UnboundedSender<()>,
    portions: mpsc::Receiver<Result<RowGroupRows>>,
    /// How many row groups have not come to their end: a feed that ends early has lost rows.
    left: usize,
}

impl RowGroupFeed {
    /// A feed of `left` row groups, which come through `portions` after `wants` was told.
    pub(crate) const fn new(
        portions: mpsc::Receiver<Result<RowGroupRows>>,
        wants: mpsc::UnboundedSender<()>,
        left: usize,
    ) -> Self {
        Self { wants, portions, left }
    }

    /// Waits for the next portion; `None` at the end.
    fn next(&mut self) -> Result<Option<RowGroupRows>> {
        if self.left == 0 {
            return Ok(None);
        }
        // If nobody hears it, the feed has ended, and what it sent last says why.
        let _ = self.wants.send(());
        let portion = crate::wait_for(self.portions.recv()).ok_or(Error::Interrupted)??;
        self.left -= usize::from(portion.ends_row_group());
        Ok(Some(portion))
    }
}

/// Events sorted by (table, key, seq descending).
#[derive(Debug)]
pub struct Source {
    rows: Rows,
    filter: RowFilter,
    at: usize,
}

#[derive(Debug)]
enum Rows {
    History { feed: RowGroupFeed, portion: Option<Box<RowGroupRows>> },
    Tail(Arc<TailRows>),
}

impl Source {
    /// Events of a history file.
    #[must_use]
    pub const fn history(feed: RowGroupFeed, filter: RowFilter) -> Self {
        Self { rows: Rows::History { feed, portion: None }, filter, at: 0 }
    }

    /// Events of local segments.
    #[must_use]
    pub const fn tail(rows: Arc<TailRows>, filter: RowFilter) -> Self {
        Self { rows: Rows::Tail(rows), filter, at: 0 }
    }

    /// The row it stands on; `None` before the first and after the last.
    pub(super) fn row(&self) -> Option<EventRow<'_>> {
        match &self.rows {
            Rows::History { portion, .. } => {
                let portion = portion.as_ref().filter(|portion| self.at < portion.len())?;
                Some(portion.row(self.at))
            }
            Rows::Tail(rows) => rows.row(self.at),
        }
    }

    /// Goes to the first row that counts, from the current one on; false if there is none.
    pub(super) fn settle(&mut self) -> Result<bool> {
        loop {
            match self.row().map(|row| self.filter.admits(&row)) {
                Some(true) => return Ok(true),
                Some(false) => self.at += 1,
                None if !self.next_portion()? => return Ok(false),
                None => {}
            }
        }
    }

    /// Goes to the next row that counts; false if there is none.
    pub(super) fn advance(&mut self) -> Result<bool> {
        self.at += 1;
        self.settle()
    }

    /// Waits for the next portion; false at the end.
    fn next_portion(&mut self) -> Result<bool> {
        match &mut self.rows {
            Rows::Tail(_) => Ok(false),
            Rows::History { feed, portion } => {
                // The old portion goes first, so that it is not held while the next one is awaited.
                *portion = None;
                *portion = feed.next()?.map(Box::new);
                self.at = 0;
                Ok(portion.is_some())
            }
        }
    }
}
