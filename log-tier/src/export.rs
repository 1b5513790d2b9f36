//! Rows for other programs: a Parquet file with two binary columns, key and value.

use std::io::Write;
use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::{Error, Result};

/// Rows wait until they have this many bytes, and are then encoded together.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Writes rows as Parquet, in the order in which they are given.
pub struct ParquetExport<W: Write + Send> {
    writer: ArrowWriter<W>,
    schema: SchemaRef,
    keys: BinaryBuilder,
    values: BinaryBuilder,
    waiting_bytes: usize,
}

impl<W: Write + Send> std::fmt::Debug for ParquetExport<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetExport").field("waiting_bytes", &self.waiting_bytes).finish()
    }
}

impl<W: Write + Send> ParquetExport<W> {
    /// Begins an export; `writer` should be buffered.
    ///
    /// # Errors
    ///
    /// [`Error::Export`] if the writer fails.
    pub fn begin(writer: W) -> Result<Self> {
        let column = |name| Field::new(name, DataType::Binary, false);
        let schema = Arc::new(Schema::new(vec![column("key"), column("value")]));
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by("foldback".to_owned())
            .build();
        let writer = ArrowWriter::try_new(writer, Arc::clone(&schema), Some(properties));
        Ok(Self {
            writer: writer.map_err(failed)?,
            schema,
            keys: BinaryBuilder::new(),
            values: BinaryBuilder::new(),
            waiting_bytes: 0,
        })
    }

    /// Writes one row.
    ///
    /// # Errors
    ///
    /// [`Error::Export`] if the writer fails.
    pub fn row(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.keys.append_value(key);
        self.values.append_value(value);
        self.waiting_bytes += key.len() + value.len();
        match self.waiting_bytes >= BATCH_BYTES {
            true => self.write_waiting(),
            false => Ok(()),
        }
    }

    /// Ends the file.
    ///
    /// # Errors
    ///
    /// [`Error::Export`] if the writer fails.
    pub fn finish(mut self) -> Result<()> {
        self.write_waiting()?;
        let mut writer = self.writer.into_inner().map_err(failed)?;
        writer.flush().map_err(Error::Export)
    }

    fn write_waiting(&mut self) -> Result<()> {
        let columns: Vec<ArrayRef> =
            vec![Arc::new(self.keys.finish()), Arc::new(self.values.finish())];
        self.waiting_bytes = 0;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns);
        let batch = batch.expect("both columns have one value a row, as the schema says");
        self.writer.write(&batch).map_err(failed)?;
        // A row group a batch: so an export of any size needs the memory of one.
        self.writer.flush().map_err(failed)
    }
}

fn failed(error: ParquetError) -> Error {
    Error::Export(std::io::Error::other(error))
}
