//! surrealkv as an engine of the harness: its commits are asynchronous, on a runtime of its own.

use std::path::Path;

use surrealkv::{Durability, LSMIterator, Mode, Tree, TreeBuilder};
use tokio::runtime::Runtime;

use super::{CACHE_BYTES, Engine, EngineSettings, RowChange, failed};
use crate::Result;

/// A key above all that the harness uses.
const ABOVE_ALL: &[u8] = &[0xff; 64];

/// An open tree.
pub(super) struct SurrealkvEngine {
    tree: Tree,
    durability: Durability,
    runtime: Runtime,
}

impl SurrealkvEngine {
    pub(super) fn open(directory: &Path, settings: &EngineSettings) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed("surrealkv")(&error))?;
        let memtable = usize::try_from(settings.memtable_bytes).expect("it fits memory");
        let tree = {
            let _inside = runtime.enter();
            TreeBuilder::new()
                .with_path(directory.to_path_buf())
                .with_block_cache_capacity(CACHE_BYTES)
                .with_max_memtable_size(memtable)
                .with_flush_on_close(false)
                .build()
        };
        let tree = tree.map_err(|error| failed("surrealkv")(&error))?;
        let durability =
            if settings.durable { Durability::Immediate } else { Durability::Eventual };
        Ok(Self { tree, durability, runtime })
    }
}

impl Engine for SurrealkvEngine {
    fn commit(&self, changes: Vec<RowChange>) -> Result<()> {
        let write = async {
            let transaction = self.tree.begin_with_mode(Mode::WriteOnly)?;
            let mut transaction = transaction.with_durability(self.durability);
            for change in changes {
                match change.value {
                    Some(value) => transaction.set(change.key, value)?,
                    None => transaction.delete(change.key)?,
                }
            }
            transaction.commit().await
        };
        self.runtime.block_on(write).map_err(|error| failed("surrealkv")(&error))?;
        Ok(())
    }

    fn get(&self, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let read = || self.tree.begin_with_mode(Mode::ReadOnly)?.get(key);
        let found = read().map_err(|error: surrealkv::Error| failed("surrealkv")(&error))?;
        if let Some(value) = &found {
            show(value);
        }
        Ok(found.is_some())
    }

    fn scan(&self, from: &[u8], rows: usize, show: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let mut read = || -> Result<(), surrealkv::Error> {
            let transaction = self.tree.begin_with_mode(Mode::ReadOnly)?;
            let mut rows_left = rows;
            let mut cursor = transaction.range(from, ABOVE_ALL)?;
            cursor.seek_first()?;
            while rows_left > 0 && cursor.valid() {
                show(cursor.key().user_key(), &cursor.value()?);
                cursor.next()?;
                rows_left -= 1;
            }
            Ok(())
        };
        read().map_err(|error| failed("surrealkv")(&error))
    }

    fn settle(&self) -> Result<()> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.runtime.block_on(self.tree.close()).map_err(|error| failed("surrealkv")(&error))
    }
}
