//! Random lives of a table with backups in between: each restores exactly its state, whatever was
//! deleted, compacted, sealed or unprotected since.

use std::collections::BTreeMap;

use super::*;
use crate::support::Numbers;

/// Lives, and steps of each; more with `FOLDBACK_LONG`.
const LIVES: u64 = 12;
const LIVES_LONG: u64 = 400;
const STEPS: u64 = 60;
const KEYS: u64 = 400;

#[test]
fn every_backup_restores_its_state_whatever_comes_after() {
    let is_long = std::env::var_os("FOLDBACK_LONG").is_some();
    let (mut built_on, mut whole) = (0, 0);
    for seed in 0..if is_long { LIVES_LONG } else { LIVES } {
        let mut life = Life::begin(seed);
        for _ in 0..STEPS {
            life.step();
        }
        life.check();
        built_on += life.built_on;
        whole += life.whole;
    }
    assert!(built_on > 10 && whole > 10, "{built_on} and {whole}");
}

struct Life {
    seed: u64,
    numbers: Numbers,
    scratch: TempDir,
    database: Option<Database>,
    bucket: BackupBucket,
    /// The states of the backups that are there.
    expected: BTreeMap<String, State>,
    made: u32,
    built_on: u32,
    whole: u32,
}

impl Life {
    fn begin(seed: u64) -> Self {
        let scratch = fast_directory();
        let database = Database::open(Self::config(&scratch)).expect("it opens");
        database.create_table("orders").expect("the name is free");
        database.protect("orders", Retention::Forever).expect("it is not protected");
        let safe = url(&scratch.path().join("safe"));
        let bucket = BackupBucket::open(&safe, &RemoteOptions::default(), true).expect("it is");
        let (expected, database) = (BTreeMap::new(), Some(database));
        let numbers = Numbers(seed);
        Self { seed, numbers, scratch, database, bucket, expected, made: 0, built_on: 0, whole: 0 }
    }

    fn config(scratch: &TempDir) -> Config {
        let mut config = Config::new(scratch.path().join("db"));
        config = config.bucket(url(&scratch.path().join("db.bucket")));
        config.policy = Policy {
            fold_ratio: 0.3,
            fold_bytes_min: 1,
            merge_fanout: 2,
            file_bytes_target: 4 * 1024,
            ..Policy::default()
        };
        config
    }

    fn database(&self) -> &Database {
        self.database.as_ref().expect("it is open between steps")
    }

    fn step(&mut self) {
        match self.numbers.below(20) {
            0..8 => self.write(),
            8..13 => self.back_up(),
            13 => self.database().seal().map(drop).expect("the bucket takes it"),
            14..16 => self.database().compact().expect("the bucket takes it"),
            16 => self.delete(),
            17 => self.protect_anew(),
            18 => {
                self.database = None;
                self.database =
                    Some(Database::open(Self::config(&self.scratch)).expect("it opens"));
            }
            _ => self.check(),
        }
    }

    /// A batch of a few events, or of many.
    fn write(&mut self) {
        let table = self.database().table("orders").expect("it is live").id();
        let events = [1, 5, 150][self.numbers.index(3)];
        let mut batch = WriteBatch::new();
        for _ in 0..events {
            let (key, value) = (self.numbers.below(KEYS), self.numbers.next());
            match value % 4 {
                0 => batch.delete(table, format!("{key:05}")),
                _ => batch.put(table, format!("{key:05}"), format!("{value:064x}")),
            };
        }
        self.database().write(batch, WriteOptions::default()).wait().expect("it commits");
    }

    fn back_up(&mut self) {
        self.made += 1;
        let name = format!("backup-{}", self.made);
        let plan = self.database().plan("orders", Target::Latest, &Selection::all());
        let plan = plan.unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
        let on = &mut |_| ControlFlow::Continue(());
        let made = self.database().detach_backup(&plan, (&self.bucket, &name), None, on);
        let made = made.unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
        match made.previous {
            Some(_) => self.built_on += 1,
            None => self.whole += 1,
        }
        self.expected.insert(name, rows(self.database(), "orders"));
    }

    fn delete(&mut self) {
        if self.expected.is_empty() {
            return;
        }
        let at = self.numbers.index(self.expected.len());
        let name = self.expected.keys().nth(at).expect("it is one of them").clone();
        let deleted = self.bucket.delete(&name).expect("it is there");
        assert!(!deleted.files_stay, "nobody makes one");
        self.expected.remove(&name);
    }

    fn protect_anew(&mut self) {
        self.database().unprotect("orders").expect("it is protected");
        self.write();
        self.database().protect("orders", Retention::Forever).expect("it is not any more");
        self.database().seal().expect("the bucket takes it");
        self.database().compact().expect("the bucket takes it");
    }

    fn check(&self) {
        for (name, expected) in &self.expected {
            assert_eq!(&read(&self.bucket, name), expected, "seed {}: {name}", self.seed);
        }
        let backups = self.bucket.backups().expect("they are sound");
        let listed: std::collections::BTreeSet<_> =
            backups.iter().flat_map(|backup| &backup.files).map(|file| &file.name).collect();
        let there = files(&self.scratch.path().join("safe"), "history").len();
        assert_eq!(there, listed.len(), "seed {}: what no list names is gone", self.seed);
    }
}
