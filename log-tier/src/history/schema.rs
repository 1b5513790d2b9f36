//! The columns of a history file, how each is encoded, and the limits of a file.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{
    BloomFilterPosition, EnabledStatistics, WriterProperties, WriterVersion,
};
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use crate::Error;

/// Version of the history file format that this release writes, and the newest it reads.
pub const FORMAT_VERSION: u32 = 1;

/// A row group is closed before its rows, uncompressed, would pass this many bytes. One row may be
/// larger alone. A merge holds one or two decoded row groups of each of its sources.
pub const ROW_GROUP_BYTES_MAX: usize = 2 << 20;

/// Greatest number of row groups in a file: Parquet numbers them in 16 signed bits.
pub const ROW_GROUPS_MAX: usize = i16::MAX.unsigned_abs() as usize;

/// A data page is closed once it has about this many bytes uncompressed, so that a single page is
/// a small read.
const DATA_PAGE_BYTES: usize = 64 << 10;

/// The same of the keys, so that a point read decodes few of them.
const KEY_PAGE_BYTES: usize = 4 << 10;

/// Rows of a data page of a column whose values take next to no space.
const DATA_PAGE_ROWS_MAX: usize = 16 << 10;

/// Bounds in the column index are cut to this many bytes: the lower one shortened, the upper one
/// shortened and raised, so that both remain bounds.
const COLUMN_INDEX_BOUND_BYTES_MAX: usize = 64;

/// The level that costs a seal least; higher ones gain a few per cent at several times the time.
const ZSTD_LEVEL: i32 = 1;

/// What a footer names as its writer.
pub(crate) const CREATED_BY: &str = "foldback";

/// Name of the schema's root, which readers show and nothing uses.
const SCHEMA_ROOT: &str = "event";

/// The time zone of the column `timestamp`.
pub(crate) const UTC: &str = "UTC";

/// Value of the column `op` for a delete.
pub(crate) const OP_DELETE: i8 = 0;
/// Value of the column `op` for a put.
pub(crate) const OP_PUT: i8 = 1;

/// Position of the column `table`.
pub(crate) const COLUMN_TABLE: usize = 0;
/// Position of the column `key`.
pub(crate) const COLUMN_KEY: usize = 1;
/// Position of the column `seq`.
pub(crate) const COLUMN_SEQ: usize = 2;
/// Position of the column `timestamp`.
pub(crate) const COLUMN_TIMESTAMP: usize = 3;
/// Position of the column `op`.
pub(crate) const COLUMN_OP: usize = 4;
/// Position of the column `value`.
pub(crate) const COLUMN_VALUE: usize = 5;
/// Number of columns.
pub(crate) const COLUMNS: usize = 6;

/// The columns, in the order of their positions.
pub(crate) fn arrow_schema() -> SchemaRef {
    let timestamp = DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()));
    Arc::new(Schema::new(vec![
        Field::new("table", DataType::Int64, false),
        Field::new("key", DataType::Binary, false),
        Field::new("seq", DataType::Int64, false),
        Field::new("timestamp", timestamp, false),
        Field::new("op", DataType::Int8, false),
        Field::new("value", DataType::Binary, true),
    ]))
}

/// The same columns as Parquet describes them.
pub(crate) fn parquet_schema() -> SchemaDescriptor {
    ArrowSchemaConverter::new()
        .schema_root(SCHEMA_ROOT)
        .convert(&arrow_schema())
        .expect("every column of ours has a Parquet type")
}

/// How the columns are encoded.
pub(crate) fn writer_properties() -> WriterProperties {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).expect("zstd has this level");
    let mut properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_string())
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(level))
        .set_data_page_size_limit(DATA_PAGE_BYTES)
        .set_column_data_page_size_limit(path("key"), KEY_PAGE_BYTES)
        .set_data_page_row_count_limit(DATA_PAGE_ROWS_MAX)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_statistics_truncate_length(None)
        .set_column_index_truncate_length(Some(COLUMN_INDEX_BOUND_BYTES_MAX))
        .set_sorting_columns(Some(sorting_columns()))
        .set_bloom_filter_position(BloomFilterPosition::End)
        .set_column_statistics_enabled(path("value"), EnabledStatistics::None);
    for (column, encoding) in [
        ("key", Encoding::DELTA_BYTE_ARRAY),
        ("seq", Encoding::DELTA_BINARY_PACKED),
        ("timestamp", Encoding::DELTA_BINARY_PACKED),
        ("value", Encoding::PLAIN),
    ] {
        properties = properties.set_column_encoding(path(column), encoding);
    }
    for column in ["table", "op"] {
        properties = properties.set_column_dictionary_enabled(path(column), true);
    }
    properties.build()
}

/// What becomes of a refusal by parquet's encoder, which writes to memory only.
pub(crate) fn encode_error(error: ParquetError) -> Error {
    Error::Unsupported(format!("a history file cannot be encoded: {error}"))
}

/// The order of rows: table and key ascending, seq descending.
fn sorting_columns() -> Vec<SortingColumn> {
    [(0, false), (1, false), (2, true)]
        .map(|(column_idx, descending)| SortingColumn {
            column_idx,
            descending,
            nulls_first: false,
        })
        .to_vec()
}

fn path(column: &str) -> ColumnPath {
    ColumnPath::from(column)
}
