//! A consistent view of the present: every table as of one commit, for as long as it is held.

use std::sync::Arc;

use bytes::Bytes;
use foldback_log_tier::{KeyRange, Seq, TableId};

use super::Present;
use super::tree::TreeRange;
use crate::Result;

/// A key and its value.
pub type Row = (Bytes, Bytes);

/// All tables as of one commit. What it can see is kept while it lives; a [`Range`] keeps what it
/// reads.
#[derive(Clone, Debug)]
pub struct PresentView {
    hold: Arc<Hold>,
}

/// Keeps compaction from dropping what a view can see.
#[derive(Debug)]
struct Hold {
    present: Arc<Present>,
    seq: Seq,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.present.release(self.seq);
    }
}

impl PresentView {
    pub(super) fn new(present: Arc<Present>, seq: Seq) -> Self {
        Self { hold: Arc::new(Hold { present, seq }) }
    }

    /// The commit whose state this is.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.hold.seq
    }

    /// The value of a key, `None` if it is absent.
    ///
    /// # Errors
    ///
    /// [`crate::Error::TableNotFound`] if the table is not live, [`crate::Error::Present`] if its
    /// tree can't be read.
    pub fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Bytes>> {
        self.hold.present.tree(table)?.get(key, self.hold.seq)
    }

    /// The rows of a range of keys, ascending from the front and descending from the back.
    ///
    /// # Errors
    ///
    /// [`crate::Error::TableNotFound`] if the table is not live.
    pub fn range(&self, table: TableId, keys: &KeyRange) -> Result<Range> {
        // The range keeps what it reads by itself, and so needs the view no longer.
        let rows = self.hold.present.tree(table)?.range(keys, self.hold.seq);
        Ok(Range { rows })
    }
}

/// The rows of a range of keys; an item is an error if the tree can't be read.
pub struct Range {
    rows: TreeRange,
}

impl std::fmt::Debug for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Range").finish_non_exhaustive()
    }
}

impl Iterator for Range {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next()
    }
}

impl DoubleEndedIterator for Range {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.rows.next_back()
    }
}
