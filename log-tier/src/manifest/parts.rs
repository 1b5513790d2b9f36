//! Where the row groups of a table lie in a file, as far as the manifest tells it.

use std::ops::Range;

use bytes::Bytes;

use super::{CUTS_MAX, HistoryEntry, TableEntry};
use crate::TableId;

/// Where the first row group of a file begins: after the four bytes `PAR1`.
pub(crate) const ROWS_OFFSET: u64 = 4;

/// Some adjacent row groups of a table in a file: one, if the table has few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablePart<'a> {
    /// The row groups.
    pub row_groups: Range<u32>,
    /// Where they lie among the bytes of the table.
    pub bytes: Range<u64>,
    /// Their least key.
    pub key_min: &'a Bytes,
    /// No key of theirs is greater.
    pub key_max: &'a Bytes,
}

impl TableEntry {
    /// The row groups of the table, cut where the manifest says where they lie.
    pub fn parts(&self) -> impl Iterator<Item = TablePart<'_>> {
        let groups = u64::from(self.row_group_last) - u64::from(self.row_group_first) + 1;
        let cuts_max = u64::try_from(CUTS_MAX).expect("a few");
        let step = groups.div_ceil(cuts_max + 1).max(1);
        let cuts = &self.cuts[..];
        // An older release told of no cuts.
        let cuts = if to_u64(cuts.len()) == (groups - 1) / step { cuts } else { &[] };
        let group = move |at: usize| match at > cuts.len() {
            true => self.row_group_last + 1,
            false => {
                let before = u32::try_from(to_u64(at) * step).expect("it is below the last");
                self.row_group_first + before
            }
        };
        let key = |at: usize| if at == 0 { &self.key_min } else { &cuts[at - 1].key };
        let byte = |at: usize| match at {
            0 => 0,
            at => cuts.get(at - 1).map_or(self.bytes, |cut| cut.bytes_before),
        };
        (0..=cuts.len()).map(move |at| TablePart {
            row_groups: group(at)..group(at + 1),
            bytes: byte(at)..byte(at + 1),
            key_min: key(at),
            key_max: if at == cuts.len() { &self.key_max } else { key(at + 1) },
        })
    }
}

impl HistoryEntry {
    /// Where in the object the row groups of `table` begin, or would.
    #[must_use]
    pub fn table_offset(&self, table: TableId) -> u64 {
        let before = self.tables.iter().take_while(|entry| entry.table < table);
        ROWS_OFFSET + before.map(|entry| entry.bytes).sum::<u64>()
    }

    /// Where in the object some row groups lie, which ascend, and how many bytes they have: both
    /// never too little, and exact where the manifest tells where each of them lies. `None` of no
    /// row group of the file.
    #[must_use]
    pub fn extent(&self, row_groups: &[u32]) -> Option<(Range<u64>, u64)> {
        let parts = self.tables.iter().flat_map(|entry| {
            let offset = self.table_offset(entry.table);
            entry.parts().map(move |part| {
                (part.row_groups, offset + part.bytes.start..offset + part.bytes.end)
            })
        });
        let is_wanted = |(groups, _): &(Range<u32>, Range<u64>)| {
            let at = row_groups.partition_point(|group| *group < groups.start);
            row_groups.get(at).is_some_and(|group| groups.contains(group))
        };
        let mut wanted = parts.filter(is_wanted).map(|(_, bytes)| bytes).peekable();
        let start = wanted.peek()?.start;
        let (end, held) = wanted.fold((start, 0), |(_, held), bytes: Range<u64>| {
            (bytes.end, held + bytes.end - bytes.start)
        });
        Some((start..end, held))
    }
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).expect("64 bits suffice")
}
