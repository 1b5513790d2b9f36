//! Whether one history file has the bytes that were written, and they are what the manifest says.

use foldback_log_tier::digest::Digester;
use foldback_log_tier::history::FileKind;
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::{Error as TierError, Result as TierResult};

use super::VerifyLevel;
use super::reading::FileReading;
use super::rows_check::RowsCheck;
use crate::Result;
use crate::examination::{Damage, damage};

/// Where the row groups of a file begin: after its magic.
const ROWS_OFFSET: u64 = 4;

/// Checks a file up to a level, [`VerifyLevel::Checksum`] or [`VerifyLevel::Decode`]: what is wrong
/// with it, and at which of the two.
pub(super) fn check_file(
    reading: &mut FileReading<'_>,
    entry: &HistoryEntry,
    level: VerifyLevel,
) -> Result<Option<(VerifyLevel, Damage)>> {
    match level {
        VerifyLevel::Decode => check_decoded(reading, entry),
        _ => check_bytes(reading, entry),
    }
}

fn check_bytes(
    reading: &mut FileReading<'_>,
    entry: &HistoryEntry,
) -> Result<Option<(VerifyLevel, Damage)>> {
    let wrong = match verify_bytes(reading, entry) {
        Ok(()) => return Ok(None),
        Err(error) => damage(error.into())?,
    };
    // What is wrong is known; where it is, the file's own checksums know.
    let located = match verify_decoded(reading, entry) {
        Ok(()) => wrong,
        Err(error) => damage(error.into())?,
    };
    Ok(Some((VerifyLevel::Checksum, located)))
}

fn check_decoded(
    reading: &mut FileReading<'_>,
    entry: &HistoryEntry,
) -> Result<Option<(VerifyLevel, Damage)>> {
    let wrong = match verify_decoded(reading, entry) {
        Ok(()) => return Ok(None),
        Err(error) => damage(error.into())?,
    };
    // Bytes that are what was written were written wrong.
    let level = match verify_bytes(reading, entry) {
        Ok(()) => VerifyLevel::Decode,
        Err(error) => damage(error.into()).map(|_| VerifyLevel::Checksum)?,
    };
    Ok(Some((level, wrong)))
}

/// Compares the whole object with the checksum in the manifest.
fn verify_bytes(reading: &mut FileReading<'_>, entry: &HistoryEntry) -> TierResult<()> {
    let mut digester = Digester::default();
    reading.read(&entry.name, 0..entry.bytes, |piece| digester.update(piece))?;
    compare(&digester, entry)
}

/// Decodes all of the file, in one pass over its bytes, whose checksum is compared too.
fn verify_decoded(reading: &mut FileReading<'_>, entry: &HistoryEntry) -> TierResult<()> {
    let corrupt = |offset: u64, reason: String| TierError::corrupt(&entry.name, offset, reason);
    let (tail, tail_bytes) = reading.read_tail(entry)?;
    // The commits are needed before the rows, which lie before them.
    let (mut index_bytes, mut commits) = (None, None);
    if let Some(range) = tail.commit_index_range() {
        let bytes = reading.read_part(&entry.name, range)?;
        commits = Some(tail.decode_commit_index(bytes.clone())?);
        index_bytes = Some(bytes);
    } else if entry.kind == FileKind::Delta {
        let reason = "a delta has a commit index, and this one has none";
        return Err(corrupt(entry.tail_offset, reason.to_owned()));
    }
    let mut digester = Digester::default();
    let magic = reading.read_part(&entry.name, 0..ROWS_OFFSET)?;
    digester.update(&magic);
    let mut rows = RowsCheck::new(entry, commits.as_ref());
    reading.read_rows(
        (&entry.name, &tail),
        tail.row_groups(),
        &mut |bytes| digester.update(bytes),
        &mut |portion| rows.take(portion),
    )?;
    rows.finish().map_err(|reason| corrupt(ROWS_OFFSET, reason))?;
    index_bytes.iter().for_each(|bytes| digester.update(bytes));
    digester.update(&tail_bytes);
    compare(&digester, entry)
}

fn compare(digester: &Digester, entry: &HistoryEntry) -> TierResult<()> {
    let found = digester.finish().to_string();
    match found == entry.blake3 {
        true => Ok(()),
        false => {
            let reason =
                format!("the BLAKE3 of it is {found}, and the manifest says {}", entry.blake3);
            Err(TierError::corrupt(&entry.name, 0, reason))
        }
    }
}
