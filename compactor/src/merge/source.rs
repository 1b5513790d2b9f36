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

/// Row groups of history files, in order, as they are read and decoded.
#[derive(Debug)]
pub struct RowGroupFeed {
    groups: mpsc::Receiver<Result<RowGroupRows>>,
    /// How many are still to come: a feed that ends early has lost rows.
    left: usize,
}

impl RowGroupFeed {
    /// A feed of `left` row groups.
    #[must_use]
    pub const fn new(groups: mpsc::Receiver<Result<RowGroupRows>>, left: usize) -> Self {
        Self { groups, left }
    }

    /// Waits for the next row group; `None` at the end.
    fn next(&mut self) -> Result<Option<RowGroupRows>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        match crate::wait_for(self.groups.recv()) {
            Some(group) => group.map(Some),
            None => Err(Error::Interrupted),
        }
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
    History { feed: RowGroupFeed, group: Option<Box<RowGroupRows>> },
    Tail(Arc<TailRows>),
}

impl Source {
    /// Events of a history file.
    #[must_use]
    pub const fn history(feed: RowGroupFeed, filter: RowFilter) -> Self {
        Self { rows: Rows::History { feed, group: None }, filter, at: 0 }
    }

    /// Events of local segments.
    #[must_use]
    pub const fn tail(rows: Arc<TailRows>, filter: RowFilter) -> Self {
        Self { rows: Rows::Tail(rows), filter, at: 0 }
    }

    /// The row it stands on; `None` before the first and after the last.
    pub(super) fn row(&self) -> Option<EventRow<'_>> {
        match &self.rows {
            Rows::History { group, .. } => {
                let group = group.as_ref().filter(|group| self.at < group.len())?;
                Some(group.row(self.at))
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
                None if !self.next_group()? => return Ok(false),
                None => {}
            }
        }
    }

    /// Goes to the next row that counts; false if there is none.
    pub(super) fn advance(&mut self) -> Result<bool> {
        self.at += 1;
        self.settle()
    }

    /// Waits for the next row group; false at the end.
    fn next_group(&mut self) -> Result<bool> {
        match &mut self.rows {
            Rows::Tail(_) => Ok(false),
            Rows::History { feed, group } => {
                // The old group goes first, so that two are never held at once.
                *group = None;
                *group = feed.next()?.map(Box::new);
                self.at = 0;
                Ok(group.is_some())
            }
        }
    }
}
