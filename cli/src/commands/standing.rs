//! `seal | status | recover`: how the database stands, and how it is brought back.

use foldback::log_tier::history::FileKind;
use foldback::log_tier::manifest::Manifest;
use foldback::{BucketLook, BucketReader, Database, TableRecord};

use super::{HistorySession, Screen, Session};
use crate::config::Settings;
use crate::door::Door;
use crate::error::{Error, Result};
use crate::output::Cell;
use crate::session::engine_config;

/// A field of a record.
type Field = (&'static str, Cell);

pub(super) fn seal(session: &mut Session) -> Result<()> {
    let sealed = session.database.seal()?;
    session.screen.record(&[
        ("sealed_seq", Cell::Seq(sealed.seq)),
        ("sealed_timestamp", Cell::Instant(sealed.timestamp)),
    ])
}

pub(super) fn status(session: &mut HistorySession) -> Result<()> {
    let fields = match &session.door {
        Door::Database(database) => database_status(database, database.look()),
        Door::Bucket(reader) => bucket_status(reader, reader.look()),
    };
    session.screen.record(&fields)
}

/// The time of a commit, if there is one.
fn time(commit: foldback::Commit) -> Cell {
    match commit.seq {
        foldback::Seq::ZERO => Cell::Empty,
        _ => Cell::Instant(commit.timestamp),
    }
}

fn count(number: usize) -> Cell {
    Cell::Count(u64::try_from(number).unwrap_or(u64::MAX))
}

/// What the newest manifest lists, and what lies in the bucket besides, by reason.
fn bucket_bytes(manifest: &Manifest, look: &foldback::Result<BucketLook>) -> Vec<Field> {
    let bytes_of = |kind: FileKind| {
        let files = manifest.files.iter().filter(|file| file.kind == kind);
        Cell::Bytes(files.map(|file| file.bytes).sum())
    };
    let seen = |cell: fn(&BucketLook) -> Cell| look.as_ref().map_or(Cell::Empty, cell);
    vec![
        ("history_files", count(manifest.files.len())),
        ("history_bytes", Cell::Bytes(manifest.files.iter().map(|file| file.bytes).sum())),
        ("delta_bytes", bytes_of(FileKind::Delta)),
        ("base_bytes", bytes_of(FileKind::Base)),
        ("removed_files", count(manifest.removed.len())),
        ("removed_bytes", Cell::Bytes(manifest.removed.iter().map(|gone| gone.bytes).sum())),
        ("leases", seen(|look| count(look.leases.len()))),
        ("leased_bytes", seen(|look| Cell::Bytes(look.leased_bytes))),
        ("orphan_files", seen(|look| count(look.orphan_files))),
        ("orphan_bytes", seen(|look| Cell::Bytes(look.orphan_bytes))),
    ]
}

/// Up to which instant every protected table was proved to be restorable; never, if one was not.
fn last_verified(manifest: &Manifest, tables: &[TableRecord]) -> Field {
    let protected = tables.iter().filter(|table| table.open_protection().is_some());
    let at =
        protected.map(|table| manifest.verified(table.id).map(|verified| verified.at.timestamp));
    // What was never proved is before everything.
    let least = at.min().flatten();
    ("last_verified_restorable_at", least.map_or(Cell::Never, Cell::Instant))
}

/// How far expiry has come, and what holds it back.
fn horizon(manifest: &Manifest, held_by: Option<String>) -> [Field; 2] {
    [("horizon_clock", Cell::Instant(manifest.clock)), ("horizon_held_by", Cell::text(held_by))]
}

fn bucket_status(reader: &BucketReader, look: foldback::Result<BucketLook>) -> Vec<Field> {
    // After the look, which has refreshed it.
    let (manifest, tables) = (reader.manifest(), reader.tables());
    let protected = tables.iter().filter(|table| table.open_protection().is_some());
    let mut fields = vec![
        ("database", Cell::text(Some(reader.database().to_string()))),
        ("bucket", Cell::text(Some(reader.url()))),
        ("sealed_seq", Cell::Seq(manifest.sealed.seq)),
        ("sealed_timestamp", time(manifest.sealed)),
        ("tables", count(tables.len())),
        ("protected_tables", count(protected.count())),
        last_verified(&manifest, &tables),
    ];
    fields.extend(bucket_bytes(&manifest, &look));
    fields.extend(horizon(&manifest, reader.horizon_held_by()));
    fields.extend([
        ("swept", Cell::Count(manifest.swept)),
        ("manifest", Cell::Count(manifest.number)),
        ("published", Cell::Instant(manifest.published)),
        ("publisher", Cell::text(Some(manifest.publisher.to_string()))),
        ("epoch", Cell::Count(manifest.epoch)),
        ("trouble", Cell::text(look.err().map(|error| error.to_string()))),
    ]);
    fields
}

fn database_status(database: &Database, look: foldback::Result<BucketLook>) -> Vec<Field> {
    let (status, manifest) = (database.status(), database.manifest());
    let behind = match status.sealed.seq {
        sealed if sealed == status.tip.seq => Cell::Duration(0),
        foldback::Seq::ZERO => Cell::Never,
        _ => Cell::Duration(status.tip.timestamp.0.abs_diff(status.sealed.timestamp.0)),
    };
    let amplification = status.uploaded_bytes.saturating_mul(100).checked_div(status.sealed_bytes);
    let mut fields = vec![
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
        last_verified(&manifest, &database.tables()),
        ("segments", count(status.segments)),
        ("segment_bytes", Cell::Bytes(status.segment_bytes)),
    ];
    fields.extend(bucket_bytes(&manifest, &look));
    fields.extend(horizon(&manifest, status.horizon_held_by));
    fields.extend([
        ("sealed_bytes", Cell::Bytes(status.sealed_bytes)),
        ("uploaded_bytes", Cell::Bytes(status.uploaded_bytes)),
        ("write_amplification", amplification.map_or(Cell::Empty, Cell::Hundredths)),
        ("deleted_bytes", Cell::Bytes(status.swept_bytes)),
        ("job", Cell::text(status.job)),
        ("manifest", Cell::Count(status.manifest)),
        ("epoch", Cell::Count(status.epoch)),
        ("trouble", Cell::text(status.trouble.or_else(|| Some(look.err()?.to_string())))),
        ("halted", Cell::text(status.halted)),
    ]);
    fields
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
