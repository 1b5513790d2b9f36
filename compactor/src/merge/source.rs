//! One sorted source of a merge, and which of its rows count.

use std::sync::Arc;

use bytes::Bytes;
use foldback_log_tier::history::{RowFilter, RowGroupRows};
use foldback_log_tier::{Error, EventRow, Result};
use tokio::sync::mpsc;

use super::{SharedStart, TailRows};
use crate::feed::Fed;

/// Row groups of history files, in order, as they are read and decoded, portion by portion.
#[derive(Debug)]
pub struct RowGroupFeed {
    /// Told of each portion that is asked for.
    wants: mpsc::UnboundedSender<()>,
    portions: mpsc::Receiver<Result<Fed>>,
    /// How many row groups have not come to their end: a feed that ends early has lost rows.
    left: usize,
    shared_start: SharedStart,
}

impl RowGroupFeed {
    /// A feed of `left` row groups, which come through `portions` after `wants` was told, and
    /// whose keys all begin with `shared_start`.
    pub(crate) const fn new(
        portions: mpsc::Receiver<Result<Fed>>,
        wants: mpsc::UnboundedSender<()>,
        left: usize,
        shared_start: SharedStart,
    ) -> Self {
        Self { wants, portions, left, shared_start }
    }

    /// Waits for the next portion; `None` at the end.
    fn next(&mut self) -> Result<Option<RowGroupRows>> {
        if self.left == 0 {
            return Ok(None);
        }
        // If nobody hears it, the feed has ended, and what it sent last says why.
        let _ = self.wants.send(());
        while self.left > 0 {
            match crate::wait_for(self.portions.recv()).ok_or(Error::Interrupted)?? {
                Some(portion) => {
                    self.left -= usize::from(portion.ends_row_group());
                    return Ok(Some(portion));
                }
                None => self.left -= 1,
            }
        }
        Ok(None)
    }
}

/// Events sorted by (table, key, seq descending).
#[derive(Debug)]
pub struct Source {
    rows: Rows,
    at: usize,
}

#[derive(Debug)]
enum Rows {
    /// Those that count come.
    History { feed: RowGroupFeed, portion: Option<Box<RowGroupRows>> },
    /// Those that the filter lets through count.
    Tail { rows: Arc<TailRows>, filter: RowFilter },
}

impl Source {
    /// Events of a history file.
    #[must_use]
    pub const fn history(feed: RowGroupFeed) -> Self {
        Self { rows: Rows::History { feed, portion: None }, at: 0 }
    }

    /// Events of local segments, of which those count that `filter` lets through.
    #[must_use]
    pub const fn tail(rows: Arc<TailRows>, filter: RowFilter) -> Self {
        Self { rows: Rows::Tail { rows, filter }, at: 0 }
    }

    /// What all its keys begin with.
    pub(super) fn shared_start(&self) -> SharedStart {
        match &self.rows {
            Rows::History { feed, .. } => feed.shared_start.clone(),
            Rows::Tail { rows, .. } => rows.shared_start(),
        }
    }

    /// The row it stands on; `None` before the first and after the last.
    pub(super) fn row(&self) -> Option<EventRow<'_>> {
        match &self.rows {
            Rows::History { portion, .. } => Some(self.standing_in(portion)?.row(self.at)),
            Rows::Tail { rows, .. } => rows.row(self.at),
        }
    }

    /// Key and value of the row it stands on, sharing their memory.
    pub(super) fn shared_row(&self) -> Option<(Bytes, Option<Bytes>)> {
        match &self.rows {
            Rows::History { portion, .. } => {
                let portion = self.standing_in(portion)?;
                Some((portion.key_bytes(self.at), portion.value_bytes(self.at)))
            }
            Rows::Tail { rows, .. } => rows.shared_row(self.at),
        }
    }

    /// The portion, if it has the row that the source stands on.
    fn standing_in<'a>(&self, portion: &'a Option<Box<RowGroupRows>>) -> Option<&'a RowGroupRows> {
        portion.as_deref().filter(|rows| self.at < rows.len())
    }

    /// Goes to the first row that counts, from the current one on; on none if there is none.
    pub(super) fn settle(&mut self) -> Result<()> {
        match &self.rows {
            Rows::Tail { rows, filter } => {
                let counts = |row: &EventRow<'_>| filter.admits(row.key, row.seq);
                while rows.row(self.at).is_some_and(|row| !counts(&row)) {
                    self.at += 1;
                }
            }
            Rows::History { portion, .. } => {
                if self.standing_in(portion).is_none() {
                    return self.next_portion();
                }
            }
        }
        Ok(())
    }

    /// Waits for the next portion that has a row; on none if there is none.
    fn next_portion(&mut self) -> Result<()> {
        let Rows::History { feed, portion } = &mut self.rows else { return Ok(()) };
        self.at = 0;
        // The old portion goes first, so that it is not held while the next one is awaited.
        *portion = None;
        while let Some(next) = feed.next()? {
            if !next.is_empty() {
                *portion = Some(Box::new(next));
                break;
            }
        }
        Ok(())
    }

    /// Goes to the next row that counts; on none if there is none.
    pub(super) fn advance(&mut self) -> Result<()> {
        self.at += 1;
        self.settle()
    }
}
