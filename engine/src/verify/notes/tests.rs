use foldback_log_tier::fs::SimulatedFs;
use foldback_log_tier::history::FileKind;
use foldback_log_tier::names::{self, HistoryName};
use foldback_log_tier::{Commit, Seq, WriterId};

use super::*;
use crate::steady_now;

fn file(bytes: u64) -> HistoryEntry {
    let unique = WriterId::random();
    let (kind, first, last) = (FileKind::Delta, Seq(1), Seq(1));
    HistoryEntry {
        name: names::history(HistoryName { kind, first, last, born: 0, unique }),
        kind,
        first: Commit::ORIGIN,
        last: Commit::ORIGIN,
        until: None,
        scope: None,
        bytes,
        rows: 0,
        blake3: unique.to_string().repeat(4),
        tail_offset: 0,
        tail_blake3: String::new(),
        tables: Vec::new(),
    }
}

fn place() -> (Arc<dyn Fs>, PathBuf, DatabaseId) {
    let fs = Arc::new(SimulatedFs::new());
    fs.create_directory(Path::new("/notes")).expect("it can be made");
    (fs, PathBuf::from("/notes/verified.json"), DatabaseId::random())
}

fn bucket_of(database: DatabaseId) -> (DatabaseId, String) {
    (database, "s3://one".to_owned())
}

#[test]
fn what_was_noted_is_known_again_at_its_level_and_with_its_bytes() {
    let (fs, path, database) = place();
    let now = steady_now();
    let open = || {
        VerifyNotes::open(Arc::clone(&fs), &path, bucket_of(database), now).expect("they are ours")
    };
    let sound = file(UNWRITTEN_BYTES_MAX);
    open().note(&sound, VerifyLevel::Checksum, now).expect("it can be written");
    let notes = open();
    assert!(notes.has(&sound, VerifyLevel::Checksum) && notes.has(&sound, VerifyLevel::List));
    assert!(!notes.has(&sound, VerifyLevel::Decode));
    let other = HistoryEntry { blake3: "1".repeat(64), ..sound.clone() };
    assert!(!notes.has(&other, VerifyLevel::List), "it has other bytes by now");
    notes.remove().expect("it is there");
    assert!(!open().has(&sound, VerifyLevel::List));
}

#[test]
fn they_are_written_after_so_many_bytes_or_so_long() {
    let (fs, path, database) = place();
    let begin = steady_now();
    let open = || {
        VerifyNotes::open(Arc::clone(&fs), &path, bucket_of(database), begin)
            .expect("they are ours")
    };
    let (mut notes, small) = (open(), [file(1), file(1), file(UNWRITTEN_BYTES_MAX)]);
    let known = || small.each_ref().map(|file| open_has(&fs, &path, database, file));
    notes.note(&small[0], VerifyLevel::Checksum, begin).expect("it is noted");
    assert_eq!(known(), [false, false, false]);
    let later = begin + UNWRITTEN_FOR_MAX;
    notes.note(&small[1], VerifyLevel::Checksum, later).expect("it is noted");
    assert_eq!(known(), [true, true, false]);
    notes.note(&small[2], VerifyLevel::Checksum, later).expect("it is noted");
    assert_eq!(known(), [true, true, true]);
}

fn open_has(fs: &Arc<dyn Fs>, path: &Path, database: DatabaseId, file: &HistoryEntry) -> bool {
    let notes = VerifyNotes::open(Arc::clone(fs), path, bucket_of(database), steady_now());
    notes.expect("they are ours").has(file, VerifyLevel::List)
}

#[test]
fn what_is_not_ours_is_refused() {
    let (fs, path, database) = place();
    let now = steady_now();
    VerifyNotes::open(Arc::clone(&fs), &path, bucket_of(database), now).expect("it can be written");
    let copied = (database, "s3://another".to_owned());
    let copied = VerifyNotes::open(Arc::clone(&fs), &path, copied, now);
    assert!(matches!(copied, Err(Error::Invalid(_))), "a copy has bytes of its own: {copied:?}");
    let other = VerifyNotes::open(Arc::clone(&fs), &path, bucket_of(DatabaseId::random()), now);
    assert!(matches!(other, Err(Error::Invalid(_))), "{other:?}");
    let nowhere =
        VerifyNotes::open(Arc::clone(&fs), Path::new("/no/such"), bucket_of(database), now);
    assert!(matches!(nowhere, Err(Error::Tier(TierError::Local { .. }))), "{nowhere:?}");
    let is_no_file = VerifyNotes::open(fs, Path::new("/notes/.."), bucket_of(database), now);
    assert!(matches!(is_no_file, Err(Error::Invalid(_))), "{is_no_file:?}");
}
