//! Golden files: what version 1 wrote is read today, with the same content, and written the same.
//!
//! `testdata/README.md` says what each file is. `FOLDBACK_WRITE_GOLDEN=<directory>` makes them
//! anew, there and never over those in `testdata/`.

pub(crate) mod contents;
pub(crate) mod damage;
pub(crate) mod history_checks;
pub(crate) mod layout;
pub(crate) mod making;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use contents::{
    ACTIVE_SEGMENT, BASE_OF_A, DATABASE, DELTA, IDENTITY, IDENTITY_TEXT, MANIFEST, ORIGIN,
    SEALED_SEGMENT, SEGMENT_BYTES_MAX, active_groups, all_commits, commit, manifest_without_files,
    object_name, sealed_groups,
};
use damage::{Damage, Expected};
use foldback_log_tier::fs::OsFs;
use foldback_log_tier::local_log::{LocalLog, LogOpening};
use foldback_log_tier::manifest::Manifest;
use foldback_log_tier::{CommittedBatch, DatabaseId, Error, Result, Seq};
use layout::{SegmentLayout, salt_of};
use tempfile::TempDir;

/// Names the directory in which the golden files are to be made anew.
const WRITE_GOLDEN: &str = "FOLDBACK_WRITE_GOLDEN";

#[test]
fn files_of_version_1_hold_what_they_held() {
    check(&testdata().join("v1"));
}

#[test]
fn todays_writers_write_version_1() {
    let made = Made::anew();
    check(&made.path().join("v1"));
    for path in [DELTA, BASE_OF_A] {
        let golden = read(&testdata().join("v1"), path);
        history_checks::check_same_encoding(&golden, &making::history_object(path).body);
    }
}

#[test]
fn damaged_files_are_refused_with_their_name_and_the_place() {
    for damage in damage::all() {
        check_damaged(&damage, &testdata());
    }
}

#[test]
fn damaged_files_are_golden_files_with_one_thing_wrong() {
    for damage in damage::all() {
        let mut expected = read(&testdata().join("v1"), damage.path);
        (damage.edit)(&mut expected);
        let found = read(&testdata().join("damaged"), &damage.file());
        assert!(found == expected, "{} is not what its edit makes of it", damage.case);
    }
}

/// The directory of all golden files, of every version.
pub(crate) fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata")
}

/// The bytes of a golden file.
pub(crate) fn read(directory: &Path, path: &str) -> Vec<u8> {
    let path = directory.join(path);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The layouts of both golden segments, with these salts.
pub(crate) fn layouts(salts: [u64; 2]) -> [SegmentLayout; 2] {
    let [sealed, active] = salts;
    let sealed = SegmentLayout {
        database: DATABASE,
        salt: sealed,
        before: ORIGIN,
        previous: Seq::ZERO,
        groups: sealed_groups(),
        active_bytes: None,
    };
    let active = SegmentLayout {
        salt: active,
        before: commit(Seq(3)),
        previous: Seq(1),
        groups: active_groups(),
        active_bytes: Some(SEGMENT_BYTES_MAX),
        ..sealed.clone()
    };
    [sealed, active]
}

/// Opens the log in `directory` and reads all of it.
pub(crate) fn read_log(
    directory: &Path,
    database: DatabaseId,
) -> Result<(Vec<CommittedBatch>, LogOpening)> {
    let fs = Arc::new(OsFs);
    let (log, opening) = LocalLog::open(fs, directory, database, ORIGIN, making::OPTIONS)?;
    let mut commits = Vec::new();
    for segment in log.segments() {
        for committed in log.reader().read_segment(&segment)? {
            commits.push(committed?);
        }
    }
    Ok((commits, opening))
}

/// Golden files made anew: in the directory that was asked for, or in one that is removed.
enum Made {
    Asked(PathBuf),
    Temporary(TempDir),
}

impl Made {
    fn anew() -> Self {
        let made = match std::env::var_os(WRITE_GOLDEN) {
            Some(directory) => Self::Asked(directory.into()),
            None => Self::Temporary(temporary()),
        };
        let v1 = made.path().join("v1");
        making::make(&v1);
        for damage in damage::all() {
            let mut bytes = read(&v1, damage.path);
            (damage.edit)(&mut bytes);
            making::write_new(&made.path().join("damaged"), &damage.file(), &bytes);
        }
        made
    }

    fn path(&self) -> &Path {
        match self {
            Self::Asked(directory) => directory,
            Self::Temporary(directory) => directory.path(),
        }
    }
}

/// Checks that the files in `directory` hold what golden files of version 1 hold.
fn check(directory: &Path) {
    check_log(directory);
    let manifest = check_manifest(directory);
    for (path, entry) in [DELTA, BASE_OF_A].into_iter().zip(&manifest.files) {
        history_checks::check(path, entry, read(directory, path));
    }
    let identity = String::from_utf8(read(directory, IDENTITY)).expect("it is text");
    assert_eq!(identity, IDENTITY_TEXT);
}

fn check_log(directory: &Path) {
    let files = [SEALED_SEGMENT, ACTIVE_SEGMENT].map(|path| read(directory, path));
    let salts = [salt_of(&files[0]), salt_of(&files[1])];
    for (file, layout) in files.iter().zip(layouts(salts)) {
        assert!(*file == layout.encode(), "the bytes are those of FORMAT.md and the encoder");
    }
    let copy = temporary();
    for path in [SEALED_SEGMENT, ACTIVE_SEGMENT] {
        making::write_new(copy.path(), path, &read(directory, path));
    }
    let (commits, opening) = read_log(&copy.path().join("log"), DATABASE).expect("it is sound");
    assert_eq!(commits, all_commits());
    assert_eq!(opening, LogOpening::default(), "nothing was torn");
    for path in [SEALED_SEGMENT, ACTIVE_SEGMENT] {
        assert!(read(copy.path(), path) == read(directory, path), "opening changed {path}");
    }
}

/// Checks the manifest as far as it does not speak of its files' bytes, and returns it.
fn check_manifest(directory: &Path) -> Manifest {
    let bytes = read(directory, MANIFEST);
    let manifest = Manifest::decode(&object_name(MANIFEST), &bytes).expect("it is sound");
    let without_files = Manifest { files: Vec::new(), ..manifest.clone() };
    assert_eq!(without_files, manifest_without_files());
    let names: Vec<_> = manifest.files.iter().map(|entry| entry.name.clone()).collect();
    assert_eq!(names, [object_name(DELTA), object_name(BASE_OF_A)]);
    assert!(manifest.encode().expect("it keeps the rules") == bytes, "written as it was read");
    manifest
}

fn check_damaged(damage: &Damage, testdata: &Path) {
    let case = damage.case;
    let bytes = read(&testdata.join("damaged"), &damage.file());
    let v1 = testdata.join("v1");
    let result = if damage.path.starts_with("log/") {
        let copy = temporary();
        for path in [SEALED_SEGMENT, ACTIVE_SEGMENT] {
            let bytes = if path == damage.path { bytes.clone() } else { read(&v1, path) };
            making::write_new(copy.path(), path, &bytes);
        }
        read_log(&copy.path().join("log"), DATABASE).map(|(_, opening)| opening)
    } else if damage.path == MANIFEST {
        let decoded = Manifest::decode(&object_name(MANIFEST), &bytes);
        decoded.map(|_| LogOpening::default())
    } else {
        let manifest = Manifest::decode(&object_name(MANIFEST), &read(&v1, MANIFEST));
        let files = manifest.expect("it is sound").files;
        let mut files = files.into_iter();
        let entry = files.find(|entry| entry.name == object_name(damage.path));
        let entry = entry.expect("the manifest names it");
        history_checks::read_all(&entry, &bytes.into()).map(|_| LogOpening::default())
    };
    match (damage.expected, result) {
        (Expected::Corrupt(at, words), Err(Error::Corrupt { file, offset, reason })) => {
            let (_, name) = damage.path.rsplit_once('/').expect("it lies in a directory");
            assert!(file.ends_with(name), "{case}: {file} is not {name}");
            assert_eq!(offset, at, "{case}: {reason}");
            assert!(reason.contains(words), "{case}: {words:?} is not in {reason:?}");
        }
        (Expected::Unsupported(words), Err(Error::Unsupported(reason))) => {
            assert!(reason.contains(words), "{case}: {words:?} is not in {reason:?}");
        }
        (Expected::Cut(at), Ok(opening)) => {
            assert_eq!((opening.cut_segment, opening.cut_offset), (Some(Seq(4)), at), "{case}");
        }
        (expected, result) => panic!("{case}: {expected:?} was expected, but: {result:?}"),
    }
}

/// A directory that is removed when it is dropped.
pub(crate) fn temporary() -> TempDir {
    tempfile::tempdir().expect("a temporary directory can be made")
}
