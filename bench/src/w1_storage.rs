//! What the history of W1 takes in a bucket: its changes alone, and all of it by default settings.

use std::collections::VecDeque;
use std::path::PathBuf;

use foldback::log_tier::history::FileKind;
use foldback::{
    Config, Database, Durability, KeyRange, Policy, Retention, Selection, Target, WriteBatch,
    WriteOptions,
};

use crate::storage::held_bytes;
use crate::w1::{W1, W1_BATCH_EVENTS};
use crate::{BucketChoice, Error, Fingerprint, Result};

/// The table.
const TABLE: &str = "w1";
/// What a restore of it is called.
const RESTORED: &str = "restored";
/// Batches that are under way at once.
const BATCHES_UNDER_WAY: usize = 256;

/// What is done with the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum W1Keeping {
    /// It is left as it was sealed.
    Sealed,
    /// Its deltas are merged, and nothing is folded.
    Merged,
    /// What default settings do.
    Default,
}

/// How much there is.
#[derive(Clone, Debug)]
pub struct W1StorageOptions {
    /// Where databases are made.
    pub directory: PathBuf,
    /// The bucket, in which each has a place.
    pub bucket: BucketChoice,
    /// Events in the history.
    pub events: u64,
    /// Keys that they are about.
    pub keys: u64,
    /// Determines all events.
    pub seed: u64,
}

/// What a history took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct W1StorageRow {
    /// What was done with it.
    pub keeping: W1Keeping,
    /// Events in it.
    pub events: u64,
    /// Bytes of its keys and values.
    pub raw_bytes: u64,
    /// Bytes of its deltas.
    pub delta_bytes: u64,
    /// Bytes of its bases.
    pub base_bytes: u64,
    /// Bytes of all history files in the bucket, those too that wait for their grace to pass.
    pub held_bytes: u64,
    /// Bytes that were uploaded, manifests and all.
    pub uploaded_bytes: u64,
}

impl W1Keeping {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sealed, Self::Merged, Self::Default];

    /// The name that the table shows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sealed => "as sealed",
            Self::Merged => "merged, never folded",
            Self::Default => "default settings",
        }
    }

    fn directory(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Merged => "merged",
            Self::Default => "default",
        }
    }

    fn choose_in(self, config: &mut Config) {
        config.compactor = self != Self::Sealed;
        if self == Self::Merged {
            // However large or many deltas are, they are no reason to fold.
            config.policy =
                Policy { fold_bytes_min: u64::MAX, fold_files_max: 100_000, ..Policy::default() };
        }
    }
}

/// Writes W1 in each way, and restores its end from each, which is compared with the oracle.
///
/// # Errors
///
/// What the engine fails with; [`Error::Wrong`] if a restore brings back another state.
pub fn w1_storage(options: &W1StorageOptions) -> Result<Vec<W1StorageRow>> {
    W1Keeping::ALL.into_iter().map(|keeping| keep(options, keeping)).collect()
}

fn keep(options: &W1StorageOptions, keeping: W1Keeping) -> Result<W1StorageRow> {
    let name = keeping.directory();
    let mut config = Config::new(options.directory.join(name));
    options.bucket.below(name).choose_in(&mut config);
    config.durability = Durability::Buffered;
    keeping.choose_in(&mut config);
    let database = Database::open(config.clone())?;
    let table = database.create_table(TABLE)?.id();
    database.protect(TABLE, Retention::Forever)?;
    let mut w1 = W1::new(options.seed, options.keys);
    let (mut raw_bytes, mut under_way) = (0, VecDeque::new());
    for _ in 0..options.events.div_ceil(W1_BATCH_EVENTS) {
        let mut batch = WriteBatch::new();
        for event in w1.batch() {
            raw_bytes += event.key.len() + event.value.as_ref().map_or(0, Vec::len);
            match event.value {
                Some(value) => batch.put(table, event.key, value),
                None => batch.delete(table, event.key),
            };
        }
        under_way.push_back(database.write(batch, WriteOptions::default()));
        if under_way.len() == BATCHES_UNDER_WAY {
            under_way.pop_front().expect("there are some").wait()?;
        }
    }
    under_way.into_iter().try_for_each(|batch| batch.wait().map(drop))?;
    database.seal()?;
    if keeping != W1Keeping::Sealed {
        database.compact()?;
    }
    check(&database, keeping, w1.fingerprint())?;
    let bytes = |kind| {
        let manifest = database.manifest();
        let files = manifest.files.iter().filter(|file| file.kind == kind);
        files.map(|file| file.bytes).sum()
    };
    let row = W1StorageRow {
        keeping,
        events: w1.events(),
        raw_bytes: u64::try_from(raw_bytes).unwrap_or(u64::MAX),
        delta_bytes: bytes(FileKind::Delta),
        base_bytes: bytes(FileKind::Base),
        held_bytes: 0,
        uploaded_bytes: database.status().uploaded_bytes,
    };
    drop(database);
    Ok(W1StorageRow { held_bytes: held_bytes(&config)?, ..row })
}

/// Restores the end of the history, and compares it with what the generator knows.
fn check(database: &Database, keeping: W1Keeping, expected: Fingerprint) -> Result<()> {
    let plan = database.plan(TABLE, Target::Latest, &Selection::all())?;
    database.restore(&plan, RESTORED)?;
    let mut found = Fingerprint::default();
    for row in database.table(RESTORED)?.range(&KeyRange::all())? {
        let (key, value) = row?;
        found.add(&key, &value);
    }
    match found == expected {
        true => Ok(()),
        false => {
            Err(Error::Wrong(format!("{}: {found:?} instead of {expected:?}", keeping.name())))
        }
    }
}
