//! Detached backups: states that are copied whole, and restored with nothing else.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use foldback::log_tier::remote::{LEASE_FORMAT, Lease, RemoteLog, RemoteOptions};
use foldback::log_tier::{WriterId, names};
use foldback::{
    BackupBucket, BackupReader, Config, Database, DetachedBackup, Error, KeyRange, Policy,
    Progress, RestoreOptions, RestorePlan, RestoreSource, Restored, Result, Retention, Selection,
    Target, WriteBatch, WriteOptions,
};
use tempfile::TempDir;

use crate::support::{State, collect, fast_directory, rows};

mod increments;
mod random;

/// A database with some thousand rows in a protected table, of which a backup has several files.
struct Place {
    scratch: TempDir,
    database: Database,
}

impl Place {
    fn new() -> Self {
        let scratch = fast_directory();
        let database = open(&scratch, "db", "db.bucket").expect("it opens");
        let orders = database.create_table("orders").expect("the name is free");
        database.protect("orders", Retention::Secs(3_600)).expect("it is not protected");
        for part in 0..10_u32 {
            let mut batch = WriteBatch::new();
            for at in 0..1_000_u32 {
                let key = format!("key/{:06}", part * 1_000 + at);
                batch.put(
                    orders.id(),
                    key,
                    format!("{:032x}", u128::from(at) * 0x9e37_79b9_7f4a_7c15),
                );
            }
            database.write(batch, WriteOptions::default()).wait().expect("it commits");
        }
        Self { scratch, database }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn bucket(&self, name: &str) -> BackupBucket {
        let url = url(&self.path(name));
        BackupBucket::open(&url, &RemoteOptions::default(), true).expect("it is no database's")
    }

    fn detach(&self, bucket: &BackupBucket, name: &str) -> Result<DetachedBackup> {
        let plan = self.database.plan("orders", Target::Latest, &Selection::all())?;
        self.database.detach_backup(&plan, (bucket, name), None, &mut |_| ControlFlow::Continue(()))
    }

    /// Begins the history of the table anew: no backup is built on one of the old history.
    fn begin_anew(&self) {
        self.database.unprotect("orders").expect("it is protected");
        self.database.protect("orders", Retention::Secs(3_600)).expect("it is not any more");
        self.database.seal().expect("the bucket takes it");
        self.database.compact().expect("the bucket takes it");
    }
}

fn url(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn open(scratch: &TempDir, directory: &str, bucket: &str) -> Result<Database> {
    let bucket = url(&scratch.path().join(bucket));
    let mut config = Config::new(scratch.path().join(directory)).bucket(bucket);
    config.policy = Policy { file_bytes_target: 16 * 1024, ..Policy::default() };
    Database::open(config)
}

/// The files below a directory of a bucket, with their bytes.
fn files(bucket: &Path, directory: &str) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(bucket.join(directory));
    let mut files: Vec<_> =
        listed.into_iter().flatten().map(|entry| entry.expect("it is there").path()).collect();
    files.sort();
    files
}

fn read(bucket: &BackupBucket, name: &str) -> State {
    let backup = bucket.backup(name).expect("it is there");
    let plan = backup.plan(&Selection::all()).expect("it is whole");
    collect(backup.plan_rows(&plan).expect("it starts"))
}

fn restore(
    database: &Database,
    backup: &BackupReader<'_>,
    plan: &RestorePlan,
    new_name: &str,
) -> Result<Restored, Error> {
    let from = RestoreSource::Backup(backup);
    let options = RestoreOptions { from, ..RestoreOptions::default() };
    database.restore_with(plan, new_name, &options, &mut |_| ControlFlow::Continue(()))
}

#[test]
fn a_detached_backup_is_restored_with_nothing_else() {
    let place = Place::new();
    let (bucket, expected) = (place.bucket("safe"), rows(&place.database, "orders"));
    let made = place.detach(&bucket, "first").expect("the bucket takes it");
    assert!(made.files.len() > 2, "{} files", made.files.len());
    assert_eq!((made.rows, made.table_name.as_str()), (10_000, "orders"));
    let source = place.database.table("orders").expect("it is live").id();
    let Place { scratch, database } = place;
    let id = database.id();
    drop(database);
    for gone in ["db", "db.bucket"] {
        std::fs::remove_dir_all(scratch.path().join(gone)).expect("it is there");
    }

    let elsewhere = open(&scratch, "other", "other.bucket").expect("it opens");
    let backup = bucket.backup("first").expect("it is there");
    let plan = backup.plan(&Selection::all()).expect("it is whole");
    restore(&elsewhere, &backup, &plan, "back").expect("the name is free");
    assert_eq!(rows(&elsewhere, "back"), expected);
    let lineage = elsewhere.table_record("back").expect("it is there").lineage;
    let lineage = lineage.expect("it was restored");
    assert_eq!((lineage.source, lineage.target), (source, made.target));
    assert_eq!(lineage.database, Some(id));

    let some = Selection::ranges([KeyRange::prefix(b"key/0012")]);
    let plan = backup.plan(&some).expect("it is whole");
    let part = collect(backup.plan_rows(&plan).expect("it starts"));
    let expected: State =
        expected.into_iter().filter(|(key, _)| key.starts_with(b"key/0012")).collect();
    assert_eq!(part, expected);
}

#[test]
fn a_pinned_backup_is_detached_as_it_was() {
    let place = Place::new();
    let expected = rows(&place.database, "orders");
    place.database.create_backup("kept", "orders", Target::Latest, None).expect("it is kept");
    let orders = place.database.table("orders").expect("it is live");
    orders.put("key/000000", "later").wait().expect("it commits");
    let plan = place.database.plan_backup("kept", &Selection::all()).expect("it is kept");
    let bucket = place.bucket("safe");
    let on = &mut |_| ControlFlow::Continue(());
    let made = place.database.detach_backup(&plan, (&bucket, "kept"), Some("for ever"), on);
    assert_eq!(made.expect("the bucket takes it").reason.as_deref(), Some("for ever"));
    assert_eq!(read(&bucket, "kept"), expected);
    let plan = place.database.plan(
        "orders",
        Target::Latest,
        &Selection::ranges([KeyRange::prefix(b"key/0")]),
    );
    let part = plan.expect("it is protected");
    let refused = place.database.detach_backup(&part, (&bucket, "part"), None, on);
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
}

#[test]
fn what_is_cancelled_leaves_nothing_and_a_name_is_taken_once() {
    let place = Place::new();
    let bucket = place.bucket("safe");
    let plan = place.database.plan("orders", Target::Latest, &Selection::all()).expect("it is");
    let mut seen = 0;
    let watch = &mut |progress: Progress| {
        seen = progress.rows;
        // By then some files are whole, and one is being written.
        if progress.rows > 5_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let cancelled = place.database.detach_backup(&plan, (&bucket, "first"), None, watch);
    assert!(matches!(cancelled, Err(Error::Cancelled)), "{cancelled:?}");
    assert!(seen > 5_000, "{seen}");
    for directory in ["backups", "history", "lease"] {
        assert_eq!(files(&place.path("safe"), directory), Vec::<PathBuf>::new(), "{directory}");
    }
    place.detach(&bucket, "first").expect("the name is free");
    let held = files(&place.path("safe"), "history");
    let again = place.detach(&bucket, "first");
    assert!(matches!(again, Err(Error::BackupExists { .. })), "{again:?}");
    assert_eq!(files(&place.path("safe"), "history"), held);
}

/// What a dead process left goes with the next deletion; while somebody may be making a backup,
/// all files stay.
#[test]
fn a_deletion_takes_what_no_list_names_unless_a_lease_holds() {
    let place = Place::new();
    let (bucket, path) = (place.bucket("safe"), place.path("safe"));
    place.detach(&bucket, "first").expect("the bucket takes it");
    let of_first = files(&path, "history");
    place.begin_anew();
    place.detach(&bucket, "second").expect("the bucket takes it");
    let leftover = &of_first[0];
    let name = leftover.file_name().and_then(|name| name.to_str()).expect("it is text");
    let (stem, _) = name.rsplit_once('-').expect("it ends with what is unique");
    let left = leftover.with_file_name(format!("{stem}-{}.parquet", WriterId::random()));
    std::fs::copy(leftover, &left).expect("it can be copied");

    let network = tokio::runtime::Runtime::new().expect("threads");
    let there = url(&path).parse().expect("it is a URL");
    let options = RemoteOptions::default();
    let remote = network.block_on(RemoteLog::connect(&there, &options)).expect("it is there");
    let lease = Lease {
        format: LEASE_FORMAT,
        database: place.database.id(),
        manifest: 1,
        holder: "another".to_owned(),
        ttl_secs: 600,
    };
    let held = names::lease(WriterId::random());
    network.block_on(remote.put_lease(&held, &lease)).expect("it is taken");
    let all = files(&path, "history");
    assert!(bucket.delete("first").expect("it is there").files_stay);
    assert_eq!(files(&path, "history"), all);
    assert!(matches!(bucket.backup("first"), Err(Error::BackupNotFound { .. })));
    network.block_on(remote.delete(&[held])).expect("it is there");

    let second = read(&bucket, "second");
    place.begin_anew();
    place.detach(&bucket, "third").expect("the bucket takes it");
    assert!(!left.exists(), "whoever makes a backup sweeps first");
    assert!(of_first.iter().all(|file| !file.exists()));
    assert_eq!(read(&bucket, "second"), second);
    let deleted = bucket.delete("third").expect("it is there");
    assert!(deleted.files > 2 && !deleted.files_stay, "{deleted:?}");
    assert_eq!(read(&bucket, "second"), second);
    assert_eq!(bucket.backups().expect("they are sound").len(), 1);
}

#[test]
fn damage_is_an_error_that_names_the_file() {
    let place = Place::new();
    let (bucket, path) = (place.bucket("safe"), place.path("safe"));
    place.detach(&bucket, "first").expect("the bucket takes it");
    let file = &files(&path, "history")[1];
    let mut bytes = std::fs::read(file).expect("it is there");
    bytes[100] ^= 1;
    std::fs::write(file, &bytes).expect("it can be written");
    let backup = bucket.backup("first").expect("its list is sound");
    let plan = backup.plan(&Selection::all()).expect("its list is sound");
    let restored = restore(&place.database, &backup, &plan, "back");
    let error = restored.expect_err("a byte is wrong").to_string();
    let name = file.file_name().and_then(|name| name.to_str()).expect("it is text");
    assert!(error.contains(name), "{error}");
    assert!(place.database.table("back").is_err(), "nothing is left behind");
    std::fs::remove_file(file).expect("it is there");
    let backup = bucket.backup("first").expect("its list is sound");
    let plan = backup.plan(&Selection::all()).expect("its list tells what is read");
    let error = restore(&place.database, &backup, &plan, "back").expect_err("a file is missing");
    assert!(error.to_string().contains(name), "{error}");
}

#[test]
fn buckets_of_databases_and_of_backups_are_told_apart() {
    let place = Place::new();
    let theirs = url(&place.path("db.bucket"));
    let refused = BackupBucket::open(&theirs, &RemoteOptions::default(), true);
    let error = refused.expect_err("it is a database's").to_string();
    assert!(error.contains("bucket or a prefix of their own"), "{error}");
    let missing = url(&place.path("nowhere"));
    let refused = BackupBucket::open(&missing, &RemoteOptions::default(), false);
    assert!(matches!(refused, Err(Error::NoHistory { .. })), "{refused:?}");
    assert!(!place.path("nowhere").exists());

    place.detach(&place.bucket("safe"), "first").expect("the bucket takes it");
    let error = open(&place.scratch, "new", "safe").expect_err("backups are there").to_string();
    assert!(error.contains("\"first\"") && error.contains("--from"), "{error}");
    assert_eq!(files(&place.path("safe"), "manifest"), Vec::<PathBuf>::new());
}

/// One damaged list is told by name, and is in nobody's way.
#[test]
fn a_damaged_list_blocks_no_other_backup() {
    let place = Place::new();
    let (bucket, path) = (place.bucket("safe"), place.path("safe"));
    let expected = rows(&place.database, "orders");
    place.detach(&bucket, "first").expect("the bucket takes it");
    let list = path.join("backups").join("first.json");
    let mut bytes = std::fs::read(&list).expect("it is there");
    bytes[40] ^= 1;
    std::fs::write(&list, bytes).expect("it can be written");
    let damaged = bucket.backups().expect_err("a list is damaged").to_string();
    assert!(damaged.contains("backups/first.json"), "{damaged}");
    let second = place.detach(&bucket, "second").expect("the bucket takes it");
    assert!(second.previous.is_none(), "nothing is built on what can't be read");
    let deleted = bucket.delete("first").expect("it is there");
    assert!(!deleted.files_stay);
    let backup = bucket.backup("second").expect("it is there");
    let plan = backup.plan(&Selection::all()).expect("it is whole");
    restore(&place.database, &backup, &plan, "back").expect("the name is free");
    assert_eq!(rows(&place.database, "back"), expected);
}
