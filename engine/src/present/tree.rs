//! One table's tree: the only file that knows the `lsm-tree` crate.
//!
//! Three things about that crate shape this file (lsm-tree 3.1.10):
//!
//! - It numbers its own structural changes from a counter, and a read at a number uses the newest
//!   structure numbered below it. Each tree gets a private counter from zero, and commits use
//!   numbers from [`SEQNO_BASE`] up, so the two never meet.
//! - It refuses empty keys. A user's key is stored behind [`USER_KEY`], which leaves
//!   [`POSITION_KEY`] for the seq that the tree has reached.
//! - The greatest number it has persisted can go down. So the seq that a tree has reached is
//!   written as an entry of the memtable that is about to be flushed, and becomes durable with it.

use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{BufMut, Bytes};
use foldback_log_tier::{KeyRange, Seq, TableId};
use lsm_tree::config::{
    BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry, PinningPolicy,
};
use lsm_tree::{AbstractTree, AnyTree, Cache, CompressionType, DescriptorTable, Guard};

use crate::{Error, Result};

/// Commits are numbered from here inside a tree, far above its structural numbers.
const SEQNO_BASE: u64 = 1 << 40;
/// First byte of every user key.
const USER_KEY: u8 = 1;
/// The key that holds the seq a tree has reached.
const POSITION_KEY: [u8; 1] = [0];
/// Keys up to this long are looked for without memory of their own.
const SHORT_KEY_BYTES: usize = 63;
/// Open files, over all trees.
const OPEN_FILES_MAX: usize = 512;
/// Flushed files that are compacted together: with fewer, what lies below them is rewritten more
/// often.
const FLUSHED_FILES_COMPACTED: u8 = 8;
/// The same once nothing was flushed for a while: each is one more place for reads to look into.
const FLUSHED_FILES_COMPACTED_IDLE: u8 = 4;
/// The same of a tree of so few bytes that it costs next to nothing to rewrite it.
const FLUSHED_FILES_COMPACTED_SMALL: u8 = 2;
/// Most bytes of such a tree.
const SMALL_TREE_BYTES: u64 = 64 * 1024 * 1024;
/// Flushed files that may wait to be compacted; with more of them, writers wait.
const FLUSHED_FILES_MAX: usize = 16;
/// Files that compaction aims at.
const TABLE_BYTES_TARGET: u64 = 32 * 1024 * 1024;

/// What all trees share.
#[derive(Clone)]
pub(crate) struct TreeResources {
    cache: Arc<Cache>,
    files: Arc<DescriptorTable>,
}

impl std::fmt::Debug for TreeResources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TreeResources").finish_non_exhaustive()
    }
}

impl TreeResources {
    /// Resources with a block cache of this size.
    pub(crate) fn new(block_cache_bytes: u64) -> Self {
        Self {
            cache: Arc::new(Cache::with_capacity_bytes(block_cache_bytes)),
            files: Arc::new(DescriptorTable::new(OPEN_FILES_MAX)),
        }
    }
}

/// Keys and values in ascending order of keys.
type SortedRows<'a> = &'a mut dyn Iterator<Item = Result<(Bytes, Bytes)>>;

/// The present of one table.
pub(crate) struct TableTree {
    id: TableId,
    directory: PathBuf,
    tree: AnyTree,
    /// Whether the directory goes with the last user of this tree.
    doomed: AtomicBool,
    memtable_bytes: AtomicU64,
    unflushed: Mutex<Unflushed>,
    /// Raised before and after it is decided what a rewrite may drop, so odd in between.
    decisions: AtomicU64,
    /// One decides at a time.
    deciding: Mutex<()>,
    /// Flushes for which it was not compacted yet.
    compactions_due: AtomicU64,
    /// Whether a compaction has decided what it may drop, and perhaps not yet what it rewrites.
    choosing: AtomicBool,
    /// Whether the last compaction left as many flushed files as there were.
    crowding_stays: AtomicBool,
}

/// The first commits that only memory holds: of the active memtable and of the sealed ones.
#[derive(Debug, Default)]
struct Unflushed {
    active: Option<Seq>,
    sealed: Option<Seq>,
    /// The commit at which the memtable that was sealed last ends.
    reaches: Seq,
}

/// How much is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// Memtables are flushed, or were just now.
    Busy,
    /// None was flushed for a second.
    Idle,
}

/// While a compaction goes on, however it ends.
struct Choosing<'a>(&'a AtomicBool);

impl<'a> Choosing<'a> {
    fn begin(choosing: &'a AtomicBool) -> Self {
        choosing.store(true, Ordering::SeqCst);
        Self(choosing)
    }
}

impl Drop for Choosing<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl std::fmt::Debug for TableTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableTree").field("id", &self.id).finish_non_exhaustive()
    }
}

impl TableTree {
    /// Opens the tree in `directory`, making an empty one, durably, where there is none.
    pub(crate) fn open(directory: &Path, id: TableId, resources: &TreeResources) -> Result<Self> {
        // What was flushed is rewritten soon: it is not compressed. And there are several such
        // files over the same keys: a filter that errs seldom keeps a read out of nearly all.
        let compression = CompressionPolicy::new([CompressionType::None, CompressionType::Lz4]);
        let structural = lsm_tree::SequenceNumberCounter::default();
        let opened = lsm_tree::Config::new(
            directory,
            structural,
            lsm_tree::SequenceNumberCounter::default(),
        )
        .use_cache(Arc::clone(&resources.cache))
        .use_descriptor_table(Some(Arc::clone(&resources.files)))
        .data_block_compression_policy(compression)
        .filter_policy(FilterPolicy::new([
            FilterPolicyEntry::Bloom(BloomConstructionPolicy::FalsePositiveRate(0.0001)),
            FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(10.0)),
        ]))
        .index_block_pinning_policy(PinningPolicy::new([true, true, false]))
        .open();
        let tree =
            opened.map_err(|source| Error::Present { table: id, action: "opened", source })?;
        Ok(Self {
            id,
            directory: directory.to_path_buf(),
            tree,
            doomed: AtomicBool::new(false),
            memtable_bytes: AtomicU64::new(0),
            unflushed: Mutex::default(),
            decisions: AtomicU64::new(0),
            deciding: Mutex::default(),
            // The last process may have ended before it compacted what it flushed.
            compactions_due: AtomicU64::new(1),
            choosing: AtomicBool::new(false),
            crowding_stays: AtomicBool::new(false),
        })
    }

    /// Has the directory removed once nobody uses this tree any more.
    pub(crate) fn doom(&self) {
        self.doomed.store(true, Ordering::Release);
    }

    /// Takes [`Self::doom`] back.
    pub(crate) fn spare(&self) {
        self.doomed.store(false, Ordering::Release);
    }

    /// Whether the table has no live key as of commit `seq`.
    pub(crate) fn is_empty(self: &Arc<Self>, seq: Seq) -> Result<bool> {
        Ok(self.range(&KeyRange::all(), seq).next().transpose()?.is_none())
    }

    /// The table's id.
    pub(crate) fn id(&self) -> TableId {
        self.id
    }

    /// The commit through which what was flushed is complete; `None` if nothing was flushed.
    pub(crate) fn position(&self) -> Result<Option<Seq>> {
        let found = self.tree.get(POSITION_KEY, u64::MAX).map_err(self.failed("read"))?;
        let Some(bytes) = found else { return Ok(None) };
        let bytes: [u8; 8] = bytes.as_ref().try_into().map_err(|_| {
            let file = format!("the tree of table {}", self.id);
            foldback_log_tier::Error::corrupt(file, 0, "its position is not eight bytes long")
        })?;
        Ok(Some(Seq(u64::from_le_bytes(bytes))))
    }

    /// Events of commits from `first` on are about to be applied, perhaps with others before them.
    pub(super) fn begin(&self, first: Seq) {
        let mut unflushed = self.unflushed.lock().unwrap_or_else(PoisonError::into_inner);
        unflushed.active = Some(unflushed.active.map_or(first, |active| active.min(first)));
    }

    /// Applies one event of commit `seq`, which [`Self::begin`] was told of. Its key is as it is
    /// stored; without a value it deletes.
    pub(super) fn apply(&self, seq: Seq, key: Bytes, value: Option<Bytes>) {
        let seqno = SEQNO_BASE + seq.0;
        let (_, bytes) = match value {
            Some(value) => self.tree.insert(key, value, seqno),
            None => self.tree.remove(key, seqno),
        };
        // Of several threads that apply, the one that saw the most has it right.
        self.memtable_bytes.fetch_max(bytes, Ordering::AcqRel);
    }

    /// Bytes of the memtable that takes writes.
    pub(crate) fn memtable_bytes(&self) -> u64 {
        self.memtable_bytes.load(Ordering::Acquire)
    }

    /// The first commit that only memory holds.
    pub(crate) fn first_unflushed(&self) -> Option<Seq> {
        let unflushed = self.unflushed.lock().unwrap_or_else(PoisonError::into_inner);
        unflushed.sealed.or(unflushed.active)
    }

    /// Whether sealed memtables wait to be flushed.
    pub(crate) fn has_sealed(&self) -> bool {
        self.tree.sealed_memtable_count() > 0
    }

    /// Seals the memtable between two commits: all up to `position` are applied, visible, and
    /// durable in the log. Nothing happens if it is empty, or if one waits to be flushed already:
    /// so whoever flushes knows how far what it flushes reaches.
    pub(crate) fn seal_memtable(&self, position: Seq) {
        let mut unflushed = self.unflushed.lock().unwrap_or_else(PoisonError::into_inner);
        if self.has_sealed() {
            return;
        }
        let Some(first) = unflushed.active.take() else { return };
        assert!(first <= position, "memtable of table {} sealed at {position}", self.id);
        self.tree.insert(POSITION_KEY, position.0.to_le_bytes(), SEQNO_BASE + position.0);
        self.tree.rotate_memtable();
        self.memtable_bytes.store(0, Ordering::Release);
        unflushed.sealed.get_or_insert(first);
        unflushed.reaches = position;
    }

    /// Writes the sealed memtable to disk, and compacts.
    pub(crate) fn flush(&self, oldest_view: impl Fn() -> Seq) -> Result<()> {
        self.flush_sealed(&oldest_view)?;
        self.compact(Load::Busy, oldest_view)
    }

    /// Writes the sealed memtable to disk. What was superseded is dropped on the way, unless a view
    /// reads below what is rewritten.
    ///
    /// lsm-tree drops an event below its threshold even if the one that supersedes it is above, as
    /// its own readers of old states read old structures. Ours read the newest. So the threshold is
    /// the end of what is rewritten if every view lies at or above that, and nothing otherwise.
    pub(crate) fn flush_sealed(&self, oldest_view: impl Fn() -> Seq) -> Result<()> {
        self.let_compaction_choose();
        {
            let lock = self.tree.get_flush_lock();
            let threshold = self.threshold(oldest_view);
            self.tree.flush(&lock, threshold).map_err(self.failed("flushed"))?;
        }
        self.forget_structures()?;
        // A memtable that was sealed meanwhile keeps the older `sealed`: too low is safe.
        let mut unflushed = self.unflushed.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.has_sealed() {
            unflushed.sealed = None;
        }
        self.crowding_stays.store(false, Ordering::Release);
        self.compactions_due.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// Has the crate forget what the tree was made of before: it keeps that for readers of old
    /// states while anything is kept for a view, memtables that were flushed included, and ours
    /// read the newest structure whatever they read.
    fn forget_structures(&self) -> Result<()> {
        let mut structures = self.tree.get_version_history_lock();
        structures.maintenance(&self.directory, SEQNO_BASE).map_err(self.failed("flushed"))
    }

    /// Returns once no compaction can choose a file that is flushed after this: what it may drop
    /// was decided by what was flushed before. It chooses at once, so the wait is short.
    fn let_compaction_choose(&self) {
        let AnyTree::Standard(tree) = &self.tree else { return };
        while self.choosing.load(Ordering::SeqCst) && !tree.is_compacting() {
            std::thread::yield_now();
        }
    }

    /// Compacts what is on disk where that is due, and drops what was superseded as a flush does.
    pub(super) fn compact(&self, load: Load, oldest_view: impl Fn() -> Seq) -> Result<()> {
        let compacted_at = self.compacted_at(load);
        let strategy = lsm_tree::compaction::Leveled::default()
            .with_table_target_size(TABLE_BYTES_TARGET)
            .with_l0_threshold(compacted_at);
        let files = self.flushed_files();
        {
            let _choosing = Choosing::begin(&self.choosing);
            let threshold = self.threshold(oldest_view);
            self.tree.compact(Arc::new(strategy), threshold).map_err(self.failed("compacted"))?;
        }
        // It may have had another level to compact, or nothing that it could.
        let was_worth_it = files < usize::from(compacted_at) || self.flushed_files() < files;
        self.crowding_stays.store(!was_worth_it, Ordering::Release);
        let less = |due: u64| due.checked_sub(1);
        let _ = self.compactions_due.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        Ok(())
    }

    /// How many flushed files are compacted together.
    fn compacted_at(&self, load: Load) -> u8 {
        match load {
            Load::Busy => FLUSHED_FILES_COMPACTED,
            Load::Idle if self.tree.disk_space() <= SMALL_TREE_BYTES => {
                FLUSHED_FILES_COMPACTED_SMALL
            }
            Load::Idle => FLUSHED_FILES_COMPACTED_IDLE,
        }
    }

    /// Whether it was flushed more often than it was compacted, or writers wait for that, or reads
    /// would be the better for it and nobody writes much.
    pub(super) fn is_compaction_due(&self, load: Load) -> bool {
        let files = self.flushed_files();
        // To see how large a tree is takes longer than to see that it is tidy.
        let is_untidy = load == Load::Idle
            && files >= usize::from(FLUSHED_FILES_COMPACTED_SMALL)
            && files >= usize::from(self.compacted_at(load))
            && !self.crowding_stays.load(Ordering::Acquire);
        self.compactions_due.load(Ordering::Acquire) > 0 || self.is_crowded() || is_untidy
    }

    /// Whether so many flushed files wait to be compacted that reads would suffer from more.
    pub(crate) fn is_crowded(&self) -> bool {
        !self.crowding_stays.load(Ordering::Acquire) && self.flushed_files() >= FLUSHED_FILES_MAX
    }

    /// Files that were flushed and not compacted: a read may look into each.
    pub(super) fn flushed_files(&self) -> usize {
        self.tree.l0_run_count()
    }

    /// Below which number what was superseded may be dropped.
    fn threshold(&self, oldest_view: impl Fn() -> Seq) -> u64 {
        let _one = self.deciding.lock().unwrap_or_else(PoisonError::into_inner);
        let reaches = self.unflushed.lock().unwrap_or_else(PoisonError::into_inner).reaches;
        self.decisions.fetch_add(1, Ordering::SeqCst);
        let drops = oldest_view() >= reaches;
        self.decisions.fetch_add(1, Ordering::SeqCst);
        if drops { SEQNO_BASE + reaches.0 } else { 0 }
    }

    /// Loads a sorted state into this tree, which is new and empty, durably. Returns the number of
    /// rows and of bytes of keys and values.
    ///
    /// The commits after `position` are the ones that the log holds for it.
    pub(crate) fn load(&self, position: Seq, rows: SortedRows<'_>) -> Result<(u64, u64)> {
        let mut ingestion = self.tree.ingestion().map_err(self.failed("loaded"))?;
        let stored = position.0.to_le_bytes().to_vec();
        ingestion.write(POSITION_KEY.to_vec(), stored).map_err(self.failed("loaded"))?;
        let (mut count, mut bytes) = (0, 0);
        let mut last: Option<Bytes> = None;
        for row in rows {
            let (key, value) = row?;
            assert!(last.as_ref().is_none_or(|last| *last < key), "rows ascend by key");
            count += 1;
            bytes += u64::try_from(key.len() + value.len()).expect("lengths fit 64 bits");
            ingestion.write(stored_key(&key), value).map_err(self.failed("loaded"))?;
            last = Some(key);
        }
        ingestion.finish().map_err(self.failed("loaded"))?;
        Ok((count, bytes))
    }

    /// The value of a key as of commit `seq`, at which a view reads.
    pub(crate) fn get(&self, key: &[u8], seq: Seq) -> Result<Option<Bytes>> {
        let found = match key.len() {
            0..=SHORT_KEY_BYTES => {
                let mut stored = [USER_KEY; 1 + SHORT_KEY_BYTES];
                stored[1..=key.len()].copy_from_slice(key);
                self.tree.get(&stored[..=key.len()], read_seqno(seq))
            }
            _ => self.tree.get(stored_key(key), read_seqno(seq)),
        };
        Ok(found.map_err(self.failed("read"))?.map(Bytes::from))
    }

    /// The value of a key as of the last commit that is `visible`, without a view; `None` if what
    /// a view would have kept may have been dropped meanwhile.
    ///
    /// What is dropped is decided by what was visible then. If that was before this read began, it
    /// was no later than what is read here. If it comes later, it is noticed: a tree that lacks
    /// what was dropped shows that after the decision.
    pub(crate) fn get_unheld(
        &self,
        key: &[u8],
        visible: impl FnOnce() -> Seq,
    ) -> Result<Option<Option<Bytes>>> {
        let before = self.decisions.load(Ordering::SeqCst);
        let found = self.get(key, visible())?;
        fence(Ordering::SeqCst);
        let is_sure = before.is_multiple_of(2) && self.decisions.load(Ordering::SeqCst) == before;
        Ok(is_sure.then_some(found))
    }

    /// The live rows of a range as of commit `seq`, from both ends.
    pub(crate) fn range(self: &Arc<Self>, keys: &KeyRange, seq: Seq) -> TreeRange {
        let from = Bound::Included(stored_key(&keys.from));
        let until = match &keys.until {
            Some(until) => Bound::Excluded(stored_key(until)),
            None => Bound::Excluded(vec![USER_KEY + 1]),
        };
        // A reversed range is empty, and must not reach the tree, which would panic.
        let rows = (!keys.is_empty())
            .then(|| self.tree.range::<Vec<u8>, _>((from, until), read_seqno(seq), None));
        TreeRange { tree: Arc::clone(self), rows }
    }

    fn failed(&self, action: &'static str) -> impl Fn(lsm_tree::Error) -> Error + use<> {
        let table = self.id;
        move |source| Error::Present { table, action, source }
    }
}

impl Drop for TableTree {
    fn drop(&mut self) {
        if self.doomed.load(Ordering::Acquire)
            && let Err(error) = std::fs::remove_dir_all(&self.directory)
        {
            // It is removed at the next open: no live table has this id.
            tracing::warn!(directory = %self.directory.display(), %error, "left behind");
        }
    }
}

/// Live rows of one tree, from both ends.
pub(crate) struct TreeRange {
    tree: Arc<TableTree>,
    rows: Option<Box<dyn DoubleEndedIterator<Item = lsm_tree::IterGuardImpl> + Send>>,
}

impl TreeRange {
    fn decode(&self, row: lsm_tree::IterGuardImpl) -> Result<(Bytes, Bytes)> {
        let (key, value) = row.into_inner().map_err(self.tree.failed("read"))?;
        Ok((Bytes::from(key).slice(1..), Bytes::from(value)))
    }
}

impl Iterator for TreeRange {
    type Item = Result<(Bytes, Bytes)>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.as_mut()?.next()?;
        Some(self.decode(row))
    }
}

impl DoubleEndedIterator for TreeRange {
    fn next_back(&mut self) -> Option<Self::Item> {
        let row = self.rows.as_mut()?.next_back()?;
        Some(self.decode(row))
    }
}

/// How a user's key is stored.
fn stored_key(key: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(1 + key.len());
    store_key(key, &mut stored);
    stored
}

/// Appends a user's key as it is stored: a byte, and then the key.
pub(super) fn store_key(key: &[u8], out: &mut impl BufMut) {
    out.put_u8(USER_KEY);
    out.put_slice(key);
}

/// The number at which a read sees every event up to commit `seq`: it sees those below it.
fn read_seqno(seq: Seq) -> u64 {
    SEQNO_BASE + seq.0 + 1
}

#[cfg(test)]
mod tests;
