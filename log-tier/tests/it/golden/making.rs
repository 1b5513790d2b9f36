//! Makes the golden files anew with today's writers, in an empty directory.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use foldback_log_tier::fs::OsFs;
use foldback_log_tier::history::{HistoryIdentity, HistoryObject, HistoryWriter};
use foldback_log_tier::local_log::{LocalLog, LocalLogOptions};
use foldback_log_tier::manifest::Manifest;

use super::contents::{
    ACTIVE_SEGMENT, BASE_OF_A, DATABASE, DELTA, GoldenRow, IDENTITY, IDENTITY_TEXT, MANIFEST,
    ORIGIN, SEALED_SEGMENT, SEGMENT_BYTES_MAX, active_groups, base_identity, base_rows,
    delta_commits, delta_identity, delta_rows, event_row, manifest_without_files, object_name,
    sealed_groups,
};

/// The options of the golden log.
pub(crate) const OPTIONS: LocalLogOptions =
    LocalLogOptions { segment_bytes_max: SEGMENT_BYTES_MAX };

/// Makes all files of the current version in `directory`, which has none of them yet.
pub(crate) fn make(directory: &Path) {
    make_log(&directory.join("log"));
    let delta = history_object(DELTA);
    let base = history_object(BASE_OF_A);
    let files = vec![delta.entry.clone(), base.entry.clone()];
    let manifest = Manifest { files, ..manifest_without_files() };
    let manifest = manifest.encode().expect("it keeps the rules");
    write_new(directory, DELTA, &delta.body);
    write_new(directory, BASE_OF_A, &base.body);
    write_new(directory, MANIFEST, &manifest);
    write_new(directory, IDENTITY, IDENTITY_TEXT.as_bytes());
}

/// The golden history file with this path, as today's writer makes it.
pub(crate) fn history_object(path: &str) -> HistoryObject {
    let mut object = match path {
        DELTA => write_history(delta_identity(), &delta_rows()),
        BASE_OF_A => write_history(base_identity(), &base_rows()),
        other => panic!("{other} is not a golden history file"),
    };
    // The writer draws a part of the name; a golden file keeps its own.
    object.entry.name = object_name(path);
    object
}

/// Writes a file that must not exist, and the directories above it.
pub(crate) fn write_new(directory: &Path, path: &str, bytes: &[u8]) {
    let path = directory.join(path);
    fs::create_dir_all(path.parent().expect("it lies in a directory")).expect("it can be made");
    let file = OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = file.unwrap_or_else(|error| panic!("{} must be new: {error}", path.display()));
    file.write_all(bytes).expect("it can be written");
}

fn make_log(directory: &Path) {
    for path in [SEALED_SEGMENT, ACTIVE_SEGMENT] {
        let name = Path::new(path).file_name().expect("it is a file");
        assert!(!directory.join(name).exists(), "{path} must be new");
    }
    let opened = LocalLog::open(Arc::new(OsFs), directory, DATABASE, ORIGIN, OPTIONS);
    let (mut log, _) = opened.expect("an empty log can be made");
    for group in sealed_groups() {
        log.append(&group).expect("it is appended");
        log.sync().expect("it is synced");
    }
    log.roll().expect("the segment is sealed");
    for group in active_groups() {
        log.append(&group).expect("it is appended");
        log.sync().expect("it is synced");
    }
}

fn write_history(identity: HistoryIdentity, rows: &[GoldenRow]) -> HistoryObject {
    let is_delta = identity.scope.is_none();
    let mut writer = HistoryWriter::new(identity, 0).expect("parquet takes our schema");
    for row in rows {
        writer.push(event_row(row)).expect("the rows are few");
    }
    writer.finish(is_delta.then(delta_commits).as_ref()).expect("it is written")
}
