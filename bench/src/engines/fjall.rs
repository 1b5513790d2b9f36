//! fjall as an engine of the harness: one keyspace; an unsynced commit is handed to the system.

use std::path::Path;
use std::time::Duration;

use fjall::config::CompressionPolicy;
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{CACHE_BYTES, Engine, EngineSettings, RowChange, failed};
use crate::Result;

/// How long it is waited between two looks at what is under way.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// An open database.
pub(super) struct FjallEngine {
    database: Database,
    rows: Keyspace,
    mode: PersistMode,
}

impl FjallEngine {
    pub(super) fn open(directory: &Path, settings: &EngineSettings) -> Result<Self> {
        let builder = Database::builder(directory).cache_size(CACHE_BYTES);
        let database = builder.open().map_err(|error| failed("fjall")(&error))?;
        let compression = CompressionPolicy::new([CompressionType::None, CompressionType::Lz4]);
        let options = || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(settings.memtable_bytes)
                .data_block_compression_policy(compression.clone())
        };
        let rows = database.keyspace("rows", options).map_err(|error| failed("fjall")(&error))?;
        let mode = if settings.durable { PersistMode::SyncData } else { PersistMode::Buffer };
        Ok(Self { database, rows, mode })
    }
}

impl Engine for FjallEngine {
    fn commit(&self, changes: Vec<RowChange>) -> Result<()> {
        let mut batch = self.database.batch().durability(Some(self.mode));
        for change in changes {
            match change.value {
                Some(value) => batch.insert(&self.rows, change.key, value),
                None => batch.remove(&self.rows, change.key),
            }
        }
        batch.commit().map_err(|error| failed("fjall")(&error))?;
        Ok(())
    }

    fn get(&self, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = self.rows.get(key).map_err(|error| failed("fjall")(&error))?;
        if let Some(value) = &found {
            show(value);
        }
        Ok(found.is_some())
    }

    fn scan(&self, from: &[u8], rows: usize, show: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        for row in self.rows.range(from..).take(rows) {
            let (key, value) = row.into_inner().map_err(|error| failed("fjall")(&error))?;
            show(&key, &value);
        }
        Ok(())
    }

    fn settle(&self) -> Result<()> {
        let is_busy = || {
            self.database.outstanding_flushes() > 0
                || self.rows.sealed_memtable_count() > 0
                || self.database.active_compactions() > 0
        };
        while is_busy() {
            foldback::steady_wait(LOOK_AGAIN);
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
