//! redb as an engine of the harness: a copy-on-write tree, one writer at a time.

use std::path::Path;

use redb::{Database, Durability, ReadableDatabase, Table, TableDefinition};

use super::{CACHE_BYTES, Engine, EngineSettings, RowChange, failed};
use crate::Result;

/// The table.
const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");

/// An open database.
pub(super) struct RedbEngine {
    database: Database,
    durability: Durability,
}

impl RedbEngine {
    pub(super) fn open(directory: &Path, settings: &EngineSettings) -> Result<Self> {
        std::fs::create_dir_all(directory).map_err(|error| failed("redb")(&error))?;
        // It has no memtable: pages that are not written yet are in its one cache.
        let cache = usize::try_from(CACHE_BYTES + settings.memtable_bytes).expect("it fits memory");
        let database =
            Database::builder().set_cache_size(cache).create(directory.join("rows.redb"));
        let database = database.map_err(|error| failed("redb")(&error))?;
        let durability = if settings.durable { Durability::Immediate } else { Durability::None };
        let engine = Self { database, durability };
        engine.write(Vec::new())?;
        Ok(engine)
    }

    fn write(&self, changes: Vec<RowChange>) -> Result<()> {
        let write = || -> Result<(), redb::Error> {
            let mut transaction = self.database.begin_write()?;
            transaction.set_durability(self.durability)?;
            apply(&mut transaction.open_table(ROWS)?, changes)?;
            Ok(transaction.commit()?)
        };
        write().map_err(|error| failed("redb")(&error))
    }
}

impl Engine for RedbEngine {
    fn commit(&self, changes: Vec<RowChange>) -> Result<()> {
        self.write(changes)?;
        Ok(())
    }

    fn get(&self, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let read = || -> Result<_, redb::Error> {
            Ok(self.database.begin_read()?.open_table(ROWS)?.get(key)?)
        };
        let found = read().map_err(|error| failed("redb")(&error))?;
        if let Some(value) = &found {
            show(value.value());
        }
        Ok(found.is_some())
    }

    fn scan(&self, from: &[u8], rows: usize, show: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let mut read = || -> Result<(), redb::Error> {
            let table = self.database.begin_read()?.open_table(ROWS)?;
            for row in table.range(from..)?.take(rows) {
                let (key, value) = row?;
                show(key.value(), value.value());
            }
            Ok(())
        };
        read().map_err(|error| failed("redb")(&error))
    }

    fn settle(&self) -> Result<()> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        // What was committed without durability is on disk once a durable commit follows.
        let synced = || -> Result<(), redb::Error> { Ok(self.database.begin_write()?.commit()?) };
        synced().map_err(|error| failed("redb")(&error))
    }
}

fn apply(
    table: &mut Table<'_, &'static [u8], &'static [u8]>,
    changes: Vec<RowChange>,
) -> Result<(), redb::StorageError> {
    for change in changes {
        match change.value {
            Some(value) => table.insert(change.key.as_slice(), value.as_slice())?,
            None => table.remove(change.key.as_slice())?,
        };
    }
    Ok(())
}
