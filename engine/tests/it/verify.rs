//! Verifying a bucket: what is damaged is found at its level, and told with what it hurts.

mod drill;
mod hurts;
mod runs;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use foldback::log_tier::manifest::Manifest;
use foldback::log_tier::names;
use foldback::log_tier::remote::RemoteOptions;
use foldback::{
    BucketReader, Clock, Commit, Config, Database, ManualClock, Policy, Result, Retention,
    Timestamp, Verifier, VerifyLevel, VerifyOptions, VerifyReport, WriteBatch, WriteOptions,
};
use tempfile::TempDir;

use crate::support::{Numbers, copy_directory, fast_directory};

const START: i64 = 1_700_000_000_000_000;
/// Neither merges nor folds.
const IDLE: Policy = Policy {
    fold_ratio: 100.0,
    fold_bytes_min: u64::MAX,
    fold_files_max: 10_000,
    merge_fanout: 1_000,
    file_bytes_target: 2 * 1024,
    grace_micros: 900_000_000,
};
/// Folds whatever it finds.
const FOLDS: Policy = Policy { fold_ratio: 0.1, fold_bytes_min: 1, fold_files_max: 2, ..IDLE };
/// Merges whatever it finds.
const MERGES: Policy = Policy { merge_fanout: 2, file_bytes_target: 1 << 20, ..IDLE };

/// A directory with buckets in it; the database's own is `bucket`.
struct Place {
    scratch: TempDir,
    clock: Arc<ManualClock>,
    /// Every commit that was made, ascending.
    commits: Vec<Commit>,
    numbers: Numbers,
}

impl Place {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp(START)));
        Self { scratch: fast_directory(), clock, commits: Vec::new(), numbers: Numbers(3) }
    }

    fn path(&self, bucket: &str) -> PathBuf {
        self.scratch.path().join(bucket)
    }

    fn url(&self, bucket: &str) -> String {
        format!("file://{}", self.path(bucket).display())
    }

    /// Opens the database with this policy.
    fn open(&self, policy: Policy) -> Database {
        let mut config = Config::new(self.scratch.path().join("db")).bucket(self.url("bucket"));
        config.clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        config.segment_age_max = Duration::from_secs(86_400);
        config.policy = policy;
        Database::open(config).expect("it opens")
    }

    /// Makes a protected table.
    fn make_table(&mut self, database: &Database, name: &str) {
        self.clock.advance(10);
        let table = database.create_table(name).expect("the name is free");
        self.commits.push(table.record().expect("it is live").created);
        self.clock.advance(10);
        let protected = database.protect(name, Retention::Forever).expect("it is not");
        self.commits.push(protected);
    }

    /// Makes some commits of some keys, and seals them as one delta.
    fn write(&mut self, database: &Database, table: &str, commits: u64) {
        let id = database.table(table).expect("it is live").id();
        for _ in 0..commits {
            self.clock.advance(10);
            let mut batch = WriteBatch::new();
            for _ in 0..4 {
                let key = format!("key/{:03}", self.numbers.below(60));
                let value = format!("{}.", self.numbers.next()).repeat(12);
                match self.numbers.below(5) {
                    0 => batch.delete(id, key),
                    _ => batch.put(id, key, value),
                }
            }
            let written = database.write(batch, WriteOptions::default()).wait();
            self.commits.push(written.expect("it commits"));
        }
        database.seal().expect("the bucket takes it");
    }

    /// A copy of the bucket as it is, to be damaged.
    fn copy(&self, name: &str) {
        copy_directory(&self.path("bucket"), &self.path(name));
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }

    fn reader(&self, bucket: &str) -> Result<BucketReader> {
        BucketReader::open(&self.url(bucket), &RemoteOptions::default(), self.clock())
    }

    fn verifier(&self, bucket: &str) -> Verifier {
        let opened = Verifier::open(&self.url(bucket), &RemoteOptions::default(), self.clock());
        opened.expect("its manifest can be read")
    }

    fn verify(&self, bucket: &str, level: VerifyLevel) -> VerifyReport {
        run(&self.verifier(bucket), &options(level)).expect("the bucket can be read")
    }

    fn manifest(&self, bucket: &str) -> Manifest {
        let names = std::fs::read_dir(self.path(bucket).join("manifest")).expect("it is there");
        let names = names.map(|entry| entry.expect("it can be listed").file_name());
        let newest = names.max().expect("there is one").into_string().expect("it is text");
        let name = format!("manifest/{newest}");
        let bytes = std::fs::read(self.path(bucket).join(&name)).expect("it is there");
        Manifest::decode(&name, &bytes).expect("it is sound")
    }

    /// Publishes a manifest that says something else.
    fn forge(&self, bucket: &str, change: impl FnOnce(&mut Manifest)) {
        let mut manifest = self.manifest(bucket);
        manifest.number += 1;
        change(&mut manifest);
        let bytes = manifest.encode().expect("it keeps the rules");
        let path = self.path(bucket).join(names::manifest(manifest.number));
        std::fs::write(path, bytes).expect("it can be written");
    }
}

fn options(level: VerifyLevel) -> VerifyOptions {
    VerifyOptions { level, share: None, bytes_per_sec: None, notes: None }
}

fn run(verifier: &Verifier, options: &VerifyOptions) -> Result<VerifyReport> {
    verifier.run(options, &mut |_| ControlFlow::Continue(()))
}

/// A place with two tables: several deltas, a base of each table in the middle, and deltas above.
fn history() -> Place {
    let mut place = Place::new();
    let database = place.open(IDLE);
    place.make_table(&database, "orders");
    place.make_table(&database, "others");
    database.seal().expect("the bucket takes it");
    for commits in [5, 1, 4] {
        place.write(&database, "orders", commits);
    }
    place.write(&database, "others", 3);
    drop(database);
    let folding = place.open(FOLDS);
    folding.compact().expect("history can be read");
    drop(folding);
    let database = place.open(IDLE);
    for table in ["orders", "orders", "others", "orders"] {
        place.write(&database, table, 3);
    }
    place
}

/// Turns the bits of one byte around.
fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).expect("it is there");
    bytes[at] ^= 0xff;
    std::fs::write(path, bytes).expect("it can be written");
}

fn truncate(path: &Path) {
    let bytes = std::fs::read(path).expect("it is there");
    std::fs::write(path, &bytes[..bytes.len() - 1]).expect("it can be written");
}

#[test]
fn a_sound_bucket_has_no_findings_at_any_level() {
    let place = history();
    let files = u64::try_from(place.manifest("bucket").files.len()).expect("few");
    assert!(files > 8, "it has {files} files");
    for level in VerifyLevel::ALL {
        let report = place.verify("bucket", level);
        assert_eq!((report.findings.as_slice(), report.files), ([].as_slice(), files));
        let levels: Vec<_> = report.levels.iter().map(|of| of.level).collect();
        assert_eq!(
            levels,
            VerifyLevel::ALL.into_iter().filter(|l| *l <= level).collect::<Vec<_>>()
        );
        let mut of_files = report.levels.iter().filter(|of| of.level < VerifyLevel::Replay);
        assert!(of_files.all(|of| of.files == files && of.findings == 0), "{report:?}");
        assert_eq!((report.replaced, report.unlisted_files), (0, 0));
    }
    let replay = place.verify("bucket", VerifyLevel::Replay);
    let folded = replay.levels.last().expect("there are levels");
    assert_eq!(folded.files, 6, "the first and the last state of each table and the catalog");
    assert!(folded.bytes > 0);
}

#[test]
fn through_an_open_database_the_same_is_verified() {
    let mut place = history();
    let database = place.open(IDLE);
    let report = run(&database.verifier(), &options(VerifyLevel::Replay)).expect("it is there");
    assert_eq!(report.findings, []);
    let name = database.manifest().files[2].name.clone();
    std::fs::remove_file(place.path("bucket").join(&name)).expect("it is there");
    let report = run(&database.verifier(), &options(VerifyLevel::List)).expect("it is there");
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    place.write(&database, "orders", 1);
}

/// What is done to a copy of the bucket, and the first level that sees it.
type Damaging = (VerifyLevel, fn(&Place, &str) -> Option<String>);

#[test]
fn each_level_finds_the_damage_of_its_kind_and_those_before_it_do_not() {
    let place = history();
    let damages: [Damaging; 6] = [
        (VerifyLevel::List, |place, bucket| {
            let name = place.manifest(bucket).files[3].name.clone();
            std::fs::remove_file(place.path(bucket).join(&name)).expect("it is there");
            Some(name)
        }),
        (VerifyLevel::Size, |place, bucket| {
            let name = place.manifest(bucket).files[3].name.clone();
            truncate(&place.path(bucket).join(&name));
            Some(name)
        }),
        (VerifyLevel::Checksum, |place, bucket| {
            let file = place.manifest(bucket).files[3].clone();
            flip(&place.path(bucket).join(&file.name), 40);
            Some(file.name)
        }),
        (VerifyLevel::Decode, |place, bucket| {
            let name = place.manifest(bucket).files[3].name.clone();
            place.forge(bucket, |manifest| {
                let file = &mut manifest.files[3];
                file.rows += 1;
                file.tables[0].rows += 1;
            });
            Some(name)
        }),
        (VerifyLevel::Decode, |place, bucket| {
            // The object of one delta under the name of another.
            let files = place.manifest(bucket).files;
            place.forge(bucket, |manifest| {
                let file = &mut manifest.files[2];
                file.blake3.clone_from(&files[3].blake3);
                file.tail_blake3.clone_from(&files[3].tail_blake3);
                (file.bytes, file.tail_offset) = (files[3].bytes, files[3].tail_offset);
            });
            let path = |name: &String| place.path(bucket).join(name);
            std::fs::copy(path(&files[3].name), path(&files[2].name)).expect("it can be copied");
            Some(files[2].name.clone())
        }),
        (VerifyLevel::Replay, |place, bucket| {
            place.forge(bucket, |manifest| {
                let gone = manifest.files.remove(3);
                assert_eq!(gone.scope, None, "it is a delta");
            });
            None
        }),
    ];
    for (at, (first, damage)) in damages.into_iter().enumerate() {
        let bucket = format!("damaged-{at}");
        place.copy(&bucket);
        let object = damage(&place, &bucket);
        for level in VerifyLevel::ALL {
            let findings = place.verify(&bucket, level).findings;
            if level < first {
                assert_eq!(findings, [], "damage {at} at {level:?}");
                continue;
            }
            assert_eq!(findings.len(), 1, "damage {at} at {level:?}: {findings:?}");
            assert_eq!((findings[0].level, &findings[0].object), (first, &object));
            assert!(!findings[0].hurts.is_empty(), "damage {at}: {findings:?}");
        }
    }
}

#[test]
fn every_flipped_byte_is_found_and_placed() {
    let place = history();
    let file = place.manifest("bucket").files[4].clone();
    place.copy("flipped");
    let path = place.path("flipped").join(&file.name);
    let bytes = usize::try_from(file.bytes).expect("it is small");
    for at in (0..bytes).step_by(bytes / 40) {
        flip(&path, at);
        for level in [VerifyLevel::Checksum, VerifyLevel::Decode] {
            let findings = place.verify("flipped", level).findings;
            assert_eq!(findings.len(), 1, "byte {at} at {level:?}: {findings:?}");
            let found = (findings[0].level, findings[0].object.as_ref());
            assert_eq!(found, (VerifyLevel::Checksum, Some(&file.name)), "byte {at}");
            let offset = findings[0].offset.expect("it is known");
            assert!(offset <= u64::try_from(at).expect("small"), "byte {at}: {offset}");
        }
        flip(&path, at);
    }
    assert_eq!(place.verify("flipped", VerifyLevel::Decode).findings, []);
}
