//! What an engine should answer: the same operations on a map in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Engine, Result, RowChange};

/// A map from keys to values.
#[derive(Default)]
pub(super) struct Model(Mutex<BTreeMap<Vec<u8>, Vec<u8>>>);

impl Model {
    fn rows(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for Model {
    fn commit(&self, changes: Vec<RowChange>) -> Result<()> {
        let mut rows = self.rows();
        for change in changes {
            match change.value {
                Some(value) => rows.insert(change.key, value),
                None => rows.remove(&change.key),
            };
        }
        Ok(())
    }

    fn get(&self, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let rows = self.rows();
        let found = rows.get(key);
        if let Some(value) = found {
            show(value);
        }
        Ok(found.is_some())
    }

    fn scan(&self, from: &[u8], rows: usize, show: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let found = self.rows();
        found.range(from.to_vec()..).take(rows).for_each(|(key, value)| show(key, value));
        Ok(())
    }

    fn settle(&self) -> Result<()> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
