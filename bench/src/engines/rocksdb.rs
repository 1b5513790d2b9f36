//! RocksDB as an engine of the harness: the library that the system has, behind its C interface.

use std::path::Path;
use std::time::Duration;

use rocksdb::properties::{
    COMPACTION_PENDING, MEM_TABLE_FLUSH_PENDING, NUM_RUNNING_COMPACTIONS, NUM_RUNNING_FLUSHES,
};
use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, Direction, IteratorMode, Options, WriteBatch,
    WriteOptions,
};

use super::{CACHE_BYTES, Engine, EngineSettings, RowChange, failed};
use crate::Result;

/// Bits that the filters have for a key, as fjall and Foldback have about.
const FILTER_BITS: f64 = 10.0;
/// Threads that flush and compact: one each.
const BACKGROUND_JOBS: i32 = 2;
/// How long it is waited between two looks at what is under way.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// An open database.
pub(super) struct RocksdbEngine {
    database: DB,
    durable: bool,
}

/// Levels, by default.
const LEVELS: usize = 7;

impl RocksdbEngine {
    pub(super) fn open(directory: &Path, settings: &EngineSettings) -> Result<Self> {
        let bytes = |bytes: u64| usize::try_from(bytes).expect("it fits memory");
        let cache = Cache::new_lru_cache(bytes(CACHE_BYTES));
        let cache = cache.map_err(|error| failed("rocksdb")(&error))?;
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&cache);
        blocks.set_bloom_filter(FILTER_BITS, false);
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_block_based_table_factory(&blocks);
        let mut compression = [DBCompressionType::Lz4; LEVELS];
        compression[0] = DBCompressionType::None;
        options.set_compression_per_level(&compression);
        options.set_write_buffer_size(bytes(settings.memtable_bytes));
        options.set_max_background_jobs(BACKGROUND_JOBS);
        let database = DB::open(&options, directory).map_err(|error| failed("rocksdb")(&error))?;
        Ok(Self { database, durable: settings.durable })
    }
}

impl Engine for RocksdbEngine {
    fn commit(&self, changes: Vec<RowChange>) -> Result<()> {
        let mut batch = WriteBatch::default();
        for change in changes {
            match change.value {
                Some(value) => batch.put(change.key, value),
                None => batch.delete(change.key),
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(self.durable);
        let done = self.database.write_opt(batch, &options);
        done.map_err(|error| failed("rocksdb")(&error))?;
        Ok(())
    }

    fn get(&self, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = self.database.get_pinned(key).map_err(|error| failed("rocksdb")(&error))?;
        if let Some(value) = &found {
            show(value);
        }
        Ok(found.is_some())
    }

    fn scan(&self, from: &[u8], rows: usize, show: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let mode = IteratorMode::From(from, Direction::Forward);
        for row in self.database.iterator(mode).take(rows) {
            let (key, value) = row.map_err(|error| failed("rocksdb")(&error))?;
            show(&key, &value);
        }
        Ok(())
    }

    fn settle(&self) -> Result<()> {
        let busy = [
            MEM_TABLE_FLUSH_PENDING,
            NUM_RUNNING_FLUSHES,
            COMPACTION_PENDING,
            NUM_RUNNING_COMPACTIONS,
        ];
        let is_busy = || {
            busy.into_iter().try_fold(false, |is_busy, property| {
                let value = self.database.property_int_value(property);
                Ok(is_busy || value?.unwrap_or(0) > 0)
            })
        };
        while is_busy().map_err(|error: rocksdb::Error| failed("rocksdb")(&error))? {
            foldback::steady_wait(LOOK_AGAIN);
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
