//! surrealkv in the restore suite: a tree that keeps all versions, whose state at an event is read
//! by one scan over its history and written to a new tree.

use std::path::{Path, PathBuf};

use surrealkv::{
    Durability, Error as SurrealkvError, HistoryOptions, LSMIterator, Mode, Transaction, Tree,
    TreeBuilder, WriteOptions,
};
use tokio::runtime::Runtime;

use super::{Outcome, RestoreOptions};
use crate::w1::W1Event;
use crate::{Error, Fingerprint, Meter, Result, Usage, W1, W1_BATCH_EVENTS};

/// Below and above all keys of W1.
const ALL_KEYS: (&[u8], &[u8]) = (b"", b"z");
/// Rows that the new tree is given in one transaction.
const ROWS_A_COMMIT: usize = 1_000;
/// The directory of the tree in that of the run.
const DIRECTORY: &str = "surrealkv";

/// Writes the history, a batch a transaction; the time of each is the number of its last event.
pub(super) fn prepare(options: &RestoreOptions) -> Result<()> {
    let trees = Trees::start()?;
    let tree = trees.open(options.directory.join(DIRECTORY), true)?;
    let mut w1 = W1::new(options.seed, options.keys);
    for _ in 0..options.events.div_ceil(W1_BATCH_EVENTS) {
        let batch = w1.batch();
        trees.commit(&tree, &batch, Some(w1.events()))?;
    }
    trees.close(&tree)
}

/// Brings the state after an event into a new tree, whose log is synced then.
///
/// # Errors
///
/// What surrealkv fails with.
pub fn surrealkv_once(directory: &Path, event: u64) -> Result<Outcome> {
    let trees = Trees::start()?;
    let source = trees.open(directory.to_path_buf(), true)?;
    let restored = directory.with_extension("restored");
    let meter = Meter::start();
    let tree = trees.open(restored.clone(), false)?;
    trees.restore(&source, event, &tree)?;
    tree.flush_wal(true).map_err(failed)?;
    let Usage { wall_micros, cpu_micros, peak_kib } = meter.read();
    let found = fingerprint(&tree).map_err(failed)?;
    trees.close(&tree)?;
    trees.close(&source)?;
    std::fs::remove_dir_all(&restored).map_err(Error::io("remove", &restored))?;
    Ok(Outcome { wall_micros, cpu_micros, peak_kib, rows: found.rows, sum: found.sum })
}

/// The runtime that surrealkv's commits need.
struct Trees(Runtime);

impl Trees {
    fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.map(Self).map_err(|error| Error::Peer(format!("surrealkv: {error}")))
    }

    fn open(&self, directory: PathBuf, keeps_versions: bool) -> Result<Tree> {
        let _inside = self.0.enter();
        let builder = TreeBuilder::new().with_path(directory);
        // A retention of zero keeps every version for ever.
        builder.with_versioning(keeps_versions, 0).build().map_err(failed)
    }

    fn commit(&self, tree: &Tree, events: &[W1Event], time: Option<u64>) -> Result<()> {
        let options = WriteOptions::new().with_timestamp(time);
        let write = async {
            let mut transaction =
                tree.begin_with_mode(Mode::WriteOnly)?.with_durability(Durability::Eventual);
            for event in events {
                write_event(&mut transaction, event, &options)?;
            }
            transaction.commit().await
        };
        self.0.block_on(write).map_err(failed)
    }

    /// Of each key the newest version counts, which comes first.
    fn restore(&self, source: &Tree, event: u64, into: &Tree) -> Result<()> {
        let transaction = source.begin_with_mode(Mode::ReadOnly).map_err(failed)?;
        let options = HistoryOptions::new().with_tombstones(true).with_ts_range(0, event);
        let (first, last) = ALL_KEYS;
        let cursor = transaction.history_with_options(first, last, &options);
        let mut cursor = cursor.map_err(failed)?;
        cursor.seek_first().map_err(failed)?;
        let (mut last_key, mut rows) = (Vec::new(), Vec::with_capacity(ROWS_A_COMMIT));
        while cursor.valid() {
            let version = cursor.key();
            let is_newest = version.user_key() != last_key.as_slice();
            if is_newest {
                last_key.clear();
                last_key.extend_from_slice(version.user_key());
            }
            if is_newest && !version.is_tombstone() {
                let value = Some(cursor.value().map_err(failed)?.to_vec());
                rows.push(W1Event { number: event, key: last_key.clone(), value });
            }
            if rows.len() == ROWS_A_COMMIT {
                self.commit(into, &rows, None)?;
                rows.clear();
            }
            cursor.next().map_err(failed)?;
        }
        self.commit(into, &rows, None)
    }

    fn close(&self, tree: &Tree) -> Result<()> {
        self.0.block_on(tree.close()).map_err(failed)
    }
}

fn write_event(
    transaction: &mut Transaction,
    event: &W1Event,
    options: &WriteOptions,
) -> Result<(), SurrealkvError> {
    let key = event.key.as_slice();
    match &event.value {
        Some(value) => transaction.set_with_options(key, value.as_slice(), options),
        // The other kind of delete takes the versions before it with it.
        None => transaction.soft_delete_with_options(key, options),
    }
}

fn fingerprint(tree: &Tree) -> Result<Fingerprint, SurrealkvError> {
    let transaction = tree.begin_with_mode(Mode::ReadOnly)?;
    let (first, last) = ALL_KEYS;
    let mut cursor = transaction.range(first, last)?;
    let mut found = Fingerprint::default();
    cursor.seek_first()?;
    while cursor.valid() {
        found.add(cursor.key().user_key(), &cursor.value()?);
        cursor.next()?;
    }
    Ok(found)
}

fn failed(error: SurrealkvError) -> Error {
    Error::Peer(format!("surrealkv: {error}"))
}
