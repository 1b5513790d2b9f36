//! The names of all local files and all objects, built and parsed here and nowhere else.
//!
//! Numbers are in decimal with twenty digits, so that names sort as their numbers do.

use crate::history::FileKind;
use crate::{Seq, WriterId};

/// Local: the file whose lock says that a process has the directory open.
pub const LOCK: &str = "lock";
/// Local: the file that names the database and its bucket.
pub const IDENTITY: &str = "identity.json";
/// Local: the directory of segments.
pub const LOG_DIRECTORY: &str = "log";
/// Local: a segment that is being made, in the directory of segments; it has no name of its own
/// until its header is durable.
pub const SEGMENT_DRAFT: &str = "segment.draft";
/// Local: the directory of the present, with one directory a table in it.
pub const PRESENT_DIRECTORY: &str = "present";
/// Local: the directory that serves as the bucket where none is configured.
pub const BUCKET_DIRECTORY: &str = "bucket";
/// Bucket: the prefix of all manifests.
pub const MANIFEST_PREFIX: &str = "manifest";
/// Bucket: the prefix of all history files.
pub const HISTORY_PREFIX: &str = "history";
/// Bucket: the prefix of the objects by which a store is probed at open.
pub const PROBE_PREFIX: &str = "probe";
/// Bucket: the prefix of all leases.
pub const LEASE_PREFIX: &str = "lease";
/// Bucket: the prefix of the objects by which a store's clock is read.
pub const CLOCK_PREFIX: &str = "clock";
/// Bucket: the prefix of the lists of detached backups, in a bucket that is no database's.
pub const BACKUP_PREFIX: &str = "backups";

const SEGMENT_SUFFIX: &str = ".segment";
const REMOVED_SUFFIX: &str = ".removed";
const MANIFEST_SUFFIX: &str = ".json";
const HISTORY_SUFFIX: &str = ".parquet";
const LEASE_SUFFIX: &str = ".json";
const BACKUP_SUFFIX: &str = ".json";
const NUMBER_DIGITS: usize = 20;

/// The file name of the segment whose first commit is `first`.
#[must_use]
pub fn segment(first: Seq) -> String {
    format!("{:020}{SEGMENT_SUFFIX}", first.0)
}

/// The first seq of the segment with this file name, if it is one.
#[must_use]
pub fn parse_segment(name: &str) -> Option<Seq> {
    parse_number(name.strip_suffix(SEGMENT_SUFFIX)?).map(Seq)
}

/// The name of the empty file that says that segments up to commit `last` were removed as they
/// were no longer needed: one that is missing after it was lost.
#[must_use]
pub fn removed(last: Seq) -> String {
    format!("{:020}{REMOVED_SUFFIX}", last.0)
}

/// The commit up to which segments were removed, if this is the name of a file that says so.
#[must_use]
pub fn parse_removed(name: &str) -> Option<Seq> {
    parse_number(name.strip_suffix(REMOVED_SUFFIX)?).map(Seq)
}

/// The object name of manifest `number`.
#[must_use]
pub fn manifest(number: u64) -> String {
    format!("{MANIFEST_PREFIX}/{number:020}{MANIFEST_SUFFIX}")
}

/// The number of the manifest with this object name, if it is one.
#[must_use]
pub fn parse_manifest(name: &str) -> Option<u64> {
    let number = name.strip_prefix(MANIFEST_PREFIX)?.strip_prefix('/')?;
    parse_number(number.strip_suffix(MANIFEST_SUFFIX)?)
}

/// What the object name of a history file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryName {
    /// Delta or base.
    pub kind: FileKind,
    /// First seq it covers.
    pub first: Seq,
    /// Last seq it covers.
    pub last: Seq,
    /// The newest manifest when the making of the file began. What is swept goes by it.
    pub born: u64,
    /// Makes the name unique: nothing in a bucket is ever overwritten.
    pub unique: WriterId,
}

/// The object name of a history file.
#[must_use]
pub fn history(name: HistoryName) -> String {
    let HistoryName { kind, first: Seq(first), last: Seq(last), born, unique } = name;
    format!("{HISTORY_PREFIX}/{kind}-{first:020}-{last:020}-{born:020}-{unique}{HISTORY_SUFFIX}")
}

/// What the object name of a history file says, if it is one.
#[must_use]
pub fn parse_history(name: &str) -> Option<HistoryName> {
    let stem = name.strip_prefix(HISTORY_PREFIX)?.strip_prefix('/')?;
    let mut parts = stem.strip_suffix(HISTORY_SUFFIX)?.split('-');
    let parsed = HistoryName {
        kind: parts.next()?.parse().ok()?,
        first: Seq(parse_number(parts.next()?)?),
        last: Seq(parse_number(parts.next()?)?),
        born: parse_number(parts.next()?)?,
        unique: parts.next()?.parse().ok()?,
    };
    parts.next().is_none().then_some(parsed)
}

/// The object name of a scratch object by which a store is probed.
#[must_use]
pub fn probe(unique: WriterId) -> String {
    format!("{PROBE_PREFIX}/{unique}")
}

/// The object name of a lease.
#[must_use]
pub fn lease(unique: WriterId) -> String {
    format!("{LEASE_PREFIX}/{unique}{LEASE_SUFFIX}")
}

/// What makes the name of this lease unique, if it is the name of one.
#[must_use]
pub fn parse_lease(name: &str) -> Option<WriterId> {
    let unique = name.strip_prefix(LEASE_PREFIX)?.strip_prefix('/')?;
    unique.strip_suffix(LEASE_SUFFIX)?.parse().ok()
}

/// The object name of a scratch object by which a store's clock is read.
#[must_use]
pub fn clock(unique: WriterId) -> String {
    format!("{CLOCK_PREFIX}/{unique}")
}

/// The object name of the list of a detached backup.
#[must_use]
pub fn backup(name: &str) -> String {
    format!("{BACKUP_PREFIX}/{name}{BACKUP_SUFFIX}")
}

/// The name of the detached backup that this is the list of, if it is one.
#[must_use]
pub fn parse_backup(name: &str) -> Option<&str> {
    let name = name.strip_prefix(BACKUP_PREFIX)?.strip_prefix('/')?;
    name.strip_suffix(BACKUP_SUFFIX).filter(|name| !name.is_empty() && !name.contains('/'))
}

fn parse_number(digits: &str) -> Option<u64> {
    let decimal = digits.len() == NUMBER_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    decimal.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
