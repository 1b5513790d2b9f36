//! The rows of the row group being filled, column by column.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, Int8Builder, Int64Builder, TimestampMicrosecondBuilder};
use arrow_array::{ArrayRef, Int64Array};

use crate::history::schema::{COLUMNS, OP_DELETE, OP_PUT, UTC};
use crate::{EventRow, TableId};

/// What a row takes beside its key and its value: table, seq, timestamp, op, and where key and
/// value end.
const ROW_FIXED_BYTES: usize = 8 + 8 + 8 + 1 + 4 + 4;

/// Rows of one table, not yet encoded.
pub(crate) struct RowGroupColumns {
    table: Option<TableId>,
    rows: usize,
    bytes: usize,
    keys: BinaryBuilder,
    seqs: Int64Builder,
    timestamps: TimestampMicrosecondBuilder,
    ops: Int8Builder,
    values: BinaryBuilder,
}

impl RowGroupColumns {
    /// No rows yet.
    pub(crate) fn new() -> Self {
        Self {
            table: None,
            rows: 0,
            bytes: 0,
            keys: BinaryBuilder::new(),
            seqs: Int64Builder::new(),
            timestamps: TimestampMicrosecondBuilder::new().with_timezone(UTC),
            ops: Int8Builder::new(),
            values: BinaryBuilder::new(),
        }
    }

    /// The table of the rows, if there is a row.
    pub(crate) fn table(&self) -> Option<TableId> {
        self.table
    }

    /// Bytes of the rows before encoding.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of one row before encoding.
    pub(crate) fn row_bytes(row: &EventRow<'_>) -> usize {
        ROW_FIXED_BYTES + row.key.len() + row.value.map_or(0, <[u8]>::len)
    }

    /// Adds a row.
    ///
    /// # Panics
    ///
    /// When it is of another table than the rows before, or its seq passes the greatest.
    pub(crate) fn push(&mut self, row: EventRow<'_>) {
        let table = *self.table.get_or_insert(row.table);
        assert_eq!(table, row.table, "a row group holds rows of one table");
        self.rows += 1;
        self.bytes += Self::row_bytes(&row);
        self.keys.append_value(row.key);
        self.seqs.append_value(signed(row.seq.0));
        self.timestamps.append_value(row.timestamp.0);
        self.ops.append_value(if row.value.is_some() { OP_PUT } else { OP_DELETE });
        self.values.append_option(row.value);
    }

    /// Takes all rows out, as arrays in the order of the columns of a history file.
    ///
    /// # Panics
    ///
    /// When there is no row.
    pub(crate) fn take(&mut self) -> [ArrayRef; COLUMNS] {
        let table = self.table.take().expect("a row group has rows");
        let tables = Int64Array::from(vec![signed(table.0); self.rows]);
        self.rows = 0;
        self.bytes = 0;
        [
            Arc::new(tables),
            Arc::new(self.keys.finish()),
            Arc::new(self.seqs.finish()),
            Arc::new(self.timestamps.finish()),
            Arc::new(self.ops.finish()),
            Arc::new(self.values.finish()),
        ]
    }
}

/// A table or a seq as a signed column holds it.
fn signed(number: u64) -> i64 {
    i64::try_from(number).expect("tables and seqs end where signed columns do")
}
