//! `seal | status | recover`: how the database stands, and how it is brought back.

use foldback::{BucketReader, Database};

use super::{HistorySession, Screen, Session};
use crate::config::Settings;
use crate::door::Door;
use crate::error::{Error, Result};
use crate::output::Cell;
use crate::session::engine_config;

pub(super) fn seal(session: &mut Session) -> Result<()> {
    let sealed = session.database.seal()?;
    session.screen.record(&[
        ("sealed_seq", Cell::Seq(sealed.seq)),
        ("sealed_timestamp", Cell::Instant(sealed.timestamp)),
    ])
}

pub(super) fn compact(session: &mut Session) -> Result<()> {
    let before = session.database.status();
    session.database.compact()?;
    let after = session.database.status();
    let count = |number: usize| Cell::Count(u64::try_from(number).unwrap_or(u64::MAX));
    session.screen.record(&[
        ("history_files_before", count(before.history_files)),
        ("history_files", count(after.history_files)),
        ("history_bytes_before", Cell::Bytes(before.history_bytes)),
        ("history_bytes", Cell::Bytes(after.history_bytes)),
    ])
}

pub(super) fn status(session: &mut HistorySession) -> Result<()> {
    match &session.door {
        Door::Database(database) => database_status(database, &mut session.screen),
        Door::Bucket(reader) => bucket_status(reader, &mut session.screen),
    }
}

/// The time of a commit, if there is one.
fn time(commit: foldback::Commit) -> Cell {
    match commit.seq {
        foldback::Seq::ZERO => Cell::Empty,
        _ => Cell::Instant(commit.timestamp),
    }
}

fn bucket_status(reader: &BucketReader, screen: &mut Screen) -> Result<()> {
    let (manifest, tables) = (reader.manifest(), reader.tables());
    let count = |number: usize| Cell::Count(u64::try_from(number).unwrap_or(u64::MAX));
    let protected = tables.iter().filter(|table| table.open_protection().is_some());
    screen.record(&[
        ("database", Cell::text(Some(reader.database().to_string()))),
        ("bucket", Cell::text(Some(reader.url()))),
        ("sealed_seq", Cell::Seq(manifest.sealed.seq)),
        ("sealed_timestamp", time(manifest.sealed)),
        ("tables", count(tables.len())),
        ("protected_tables", count(protected.count())),
        ("history_files", count(manifest.files.len())),
        ("history_bytes", Cell::Bytes(manifest.files.iter().map(|file| file.bytes).sum())),
        ("manifest", Cell::Count(manifest.number)),
        ("published", Cell::Instant(manifest.published)),
        ("epoch", Cell::Count(manifest.epoch)),
    ])
}

fn database_status(database: &Database, screen: &mut Screen) -> Result<()> {
    let status = database.status();
    let count = |number: usize| Cell::Count(u64::try_from(number).unwrap_or(u64::MAX));
    let behind = match status.sealed.seq {
        sealed if sealed == status.tip.seq => Cell::Duration(0),
        foldback::Seq::ZERO => Cell::Never,
        _ => Cell::Duration(status.tip.timestamp.0.abs_diff(status.sealed.timestamp.0)),
    };
    screen.record(&[
        ("database", Cell::text(Some(status.database.to_string()))),
        ("bucket", Cell::text(Some(status.bucket.clone()))),
        ("last_seq", Cell::Seq(status.tip.seq)),
        ("last_timestamp", time(status.tip)),
        ("sealed_seq", Cell::Seq(status.sealed.seq)),
        ("sealed_timestamp", time(status.sealed)),
        ("unsealed_commits", Cell::Count(status.tip.seq.0 - status.sealed.seq.0)),
        ("sealed_behind_micros", behind),
        ("tables", count(status.tables)),
        ("protected_tables", count(status.protected_tables)),
        ("segments", count(status.segments)),
        ("segment_bytes", Cell::Bytes(status.segment_bytes)),
        ("history_files", count(status.history_files)),
        ("history_bytes", Cell::Bytes(status.history_bytes)),
        ("manifest", Cell::Count(status.manifest)),
        ("epoch", Cell::Count(status.epoch)),
        ("trouble", Cell::text(status.trouble)),
        ("halted", Cell::text(status.halted)),
    ])
}

pub(super) fn recover(settings: &Settings, mut screen: Screen) -> Result<()> {
    settings.require_bucket()?;
    let config = engine_config(settings)?;
    // Into an empty directory, all that can be invalid is the settings.
    let is_empty =
        std::fs::read_dir(&config.directory).is_ok_and(|mut files| files.next().is_none());
    let is_free = is_empty || !config.directory.exists();
    let recovery = Database::recover(config).map_err(|error| match error {
        foldback::Error::Invalid(_) if is_free => Error::Setting(error),
        _ => Error::Engine(error),
    })?;
    let status = recovery.database.status();
    let lost_tables = Some(recovery.lost_tables.join(", ")).filter(|names| !names.is_empty());
    screen.record(&[
        ("database", Cell::text(Some(status.database.to_string()))),
        ("recovered_to_seq", Cell::Seq(recovery.recovered_to.seq)),
        ("recovered_to", Cell::Instant(recovery.recovered_to.timestamp)),
        ("tables", Cell::Count(u64::try_from(status.tables).unwrap_or(u64::MAX))),
        ("lost_tables", Cell::text(lost_tables)),
        ("epoch", Cell::Count(status.epoch)),
    ])?;
    screen.flush()?;
    for table in &recovery.lost_tables {
        eprintln!(
            "foldback: table {table} was not protected (or its first base was not finished), so \
             its rows were never in the bucket; it was dropped"
        );
    }
    Ok(())
}
