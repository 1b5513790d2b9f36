//! A part of an object, presented to parquet's readers at its true offset.

use bytes::buf::Reader;
use bytes::{Buf, Bytes};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

/// The bytes `offset..offset + bytes.len()` of an object of `object_bytes`. Reading outside them
/// is an error.
#[derive(Clone, Debug)]
pub(crate) struct FileWindow {
    /// Length of the whole object.
    pub object_bytes: u64,
    /// Where the window begins.
    pub offset: u64,
    /// What is in it.
    pub bytes: Bytes,
}

impl FileWindow {
    /// The bytes from `start` on, to the end of the window.
    fn from(&self, start: u64) -> ParquetResult<Bytes> {
        let at = start.checked_sub(self.offset).and_then(|at| usize::try_from(at).ok());
        at.filter(|at| *at <= self.bytes.len())
            .map(|at| self.bytes.slice(at..))
            .ok_or_else(|| ParquetError::EOF(format!("byte {start} is outside of what was read")))
    }
}

impl Length for FileWindow {
    fn len(&self) -> u64 {
        self.object_bytes
    }
}

impl ChunkReader for FileWindow {
    type T = Reader<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(self.from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let bytes = self.from(start)?;
        if length > bytes.len() {
            let reason = format!("{length} bytes from {start} on reach outside of what was read");
            return Err(ParquetError::EOF(reason));
        }
        Ok(bytes.slice(..length))
    }
}
