//! Foldback as an engine of the harness: one table, by default settings but for its memory.

use std::path::Path;
use std::time::Duration;

use foldback::{
    Config, Database, Durability, KeyRange, Retention, Table, WriteBatch, WriteOptions,
};

use super::{CACHE_BYTES, Committing, Engine, EngineKind, EngineSettings, RowChange};
use crate::Result;

/// The table.
const TABLE: &str = "rows";
/// Bytes of a segment that is sealed while others are written.
const SEALING_SEGMENT_BYTES: u64 = 4 * 1024 * 1024;
/// How old a segment gets that is sealed while others are written.
const SEALING_SEGMENT_AGE: Duration = Duration::from_millis(250);
/// How long it is waited between two looks at what is sealed.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// An open database.
pub(super) struct FoldbackEngine {
    database: Database,
    table: Table,
}

impl FoldbackEngine {
    pub(super) fn open(
        kind: EngineKind,
        directory: &Path,
        settings: &EngineSettings,
    ) -> Result<Self> {
        let durability = if settings.durable { Durability::Synced } else { Durability::Buffered };
        let mut config = Config {
            durability,
            block_cache_bytes: CACHE_BYTES,
            memtable_bytes_max: settings.memtable_bytes,
            ..Config::new(directory)
        };
        settings.bucket.choose_in(&mut config);
        if kind == EngineKind::FoldbackSealing {
            config.segment_bytes_max = SEALING_SEGMENT_BYTES;
            config.segment_age_max = SEALING_SEGMENT_AGE;
        }
        let database = Database::open(config)?;
        let table = match database.table(TABLE) {
            Ok(table) => table,
            Err(foldback::Error::TableNotFound { .. }) => {
                let table = database.create_table(TABLE)?;
                if kind != EngineKind::FoldbackUnprotected {
                    database.protect(TABLE, Retention::default())?;
                }
                table
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { database, table })
    }

    fn batch(&self, changes: Vec<RowChange>) -> WriteBatch {
        let table = self.table.id();
        let mut batch = WriteBatch::new();
        for change in changes {
            match change.value {
                Some(value) => batch.put(table, change.key, value),
                None => batch.delete(table, change.key),
            }
        }
        batch
    }
}

impl Engine for FoldbackEngine {
    fn commit(&self, changes: Vec<RowChange>) -> Result<()> {
        Ok(self.database.commit(self.batch(changes), WriteOptions::default()).map(drop)?)
    }

    fn hand_over(&self, changes: Vec<RowChange>) -> Result<Committing> {
        let handle = self.database.try_write(self.batch(changes), WriteOptions::default())?;
        Ok(Committing::Later(Box::new(move || Ok(handle.wait().map(drop)?))))
    }

    fn get(&self, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = self.table.get(key)?;
        if let Some(value) = &found {
            show(value);
        }
        Ok(found.is_some())
    }

    fn scan(&self, from: &[u8], rows: usize, show: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let range = KeyRange { from: from.to_vec().into(), until: None };
        for row in self.table.range(&range)?.take(rows) {
            let (key, value) = row?;
            show(&key, &value);
        }
        Ok(())
    }

    fn settle(&self) -> Result<()> {
        loop {
            let (segments, sealed) = (self.database.segments(), self.database.status().sealed);
            let (_, full) = segments.split_last().expect("there is always an active segment");
            let is_sealed = full.iter().all(|segment| segment.last <= sealed.seq);
            if is_sealed && !self.database.is_flushing() {
                return Ok(());
            }
            foldback::steady_wait(LOOK_AGAIN);
        }
    }

    fn rest(&self) -> Result<()> {
        self.settle()?;
        while self.database.is_untidy() {
            foldback::steady_wait(LOOK_AGAIN);
        }
        self.settle()
    }

    fn replayed_commits(&self) -> Option<u64> {
        Some(self.database.opening().replayed_commits)
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
