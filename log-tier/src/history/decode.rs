//! The one door to parquet's decoders: whatever they make of bad bytes becomes an error.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::errors::ParquetError;

use crate::{Error, Result};

/// Runs a decoder of parquet's on bytes that begin at byte `offset` of object `file`.
///
/// Checksums keep damaged bytes away from the decoders, so what they refuse was written wrong. Of
/// pages that are malformed in themselves, parquet refuses most but panics at some (it slices
/// without looking), and bytes from the network must never do that to their reader. Nothing the
/// decoder held outlives a panic, so nothing half-done can be seen.
///
/// # Errors
///
/// [`Error::Corrupt`] when the decoder refuses the bytes or panics at them.
pub(crate) fn decode<T>(
    file: &str,
    offset: u64,
    decoder: impl FnOnce() -> Result<T, ParquetError>,
) -> Result<T> {
    let reason = match catch_unwind(AssertUnwindSafe(decoder)) {
        Ok(Ok(decoded)) => return Ok(decoded),
        Ok(Err(error)) => format!("parquet cannot decode it: {error}"),
        Err(_) => "parquet cannot decode it, and panicked".to_string(),
    };
    Err(Error::corrupt(file, offset, reason))
}
