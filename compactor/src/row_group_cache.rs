//! Decoded row groups of history that point reads used last, up to a bound of memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldback_log_tier::history::RowGroupRows;

/// The row groups that were used last. History files never change, so what is kept is never stale.
#[derive(Debug)]
pub(crate) struct RowGroupCache {
    kept: Mutex<KeptRowGroups>,
}

/// What is kept, with `bytes <= bytes_max`.
#[derive(Debug, Default)]
struct KeptRowGroups {
    /// By file and position in it.
    files: BTreeMap<Arc<str>, BTreeMap<u32, KeptRowGroup>>,
    /// Each row group once, by when it was used last: the first is the one to forget.
    by_use: BTreeMap<u64, (Arc<str>, u32)>,
    next_use: u64,
    bytes: u64,
    bytes_max: u64,
}

#[derive(Debug)]
struct KeptRowGroup {
    rows: RowGroupRows,
    bytes: u64,
    last_use: u64,
}

impl RowGroupCache {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self { kept: Mutex::new(KeptRowGroups { bytes_max, ..KeptRowGroups::default() }) }
    }

    /// Sets the bound, and forgets what is over it.
    pub(crate) fn set_bytes_max(&self, bytes_max: u64) {
        let mut kept = self.lock();
        kept.bytes_max = bytes_max;
        kept.forget_what_is_over();
    }

    pub(crate) fn get(&self, file: &str, index: u32) -> Option<RowGroupRows> {
        self.lock().get(file, index)
    }

    /// Keeps a row group, unless it alone is over the bound.
    pub(crate) fn keep(&self, file: &str, index: u32, rows: &RowGroupRows) {
        self.lock().keep(file, index, rows);
    }

    fn lock(&self) -> MutexGuard<'_, KeptRowGroups> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeptRowGroups {
    fn get(&mut self, file: &str, index: u32) -> Option<RowGroupRows> {
        let found = self.files.get_mut(file)?.get_mut(&index)?;
        let place = self.by_use.remove(&found.last_use).expect("each row group has a last use");
        found.last_use = self.next_use;
        self.by_use.insert(self.next_use, place);
        self.next_use += 1;
        Some(found.rows.clone())
    }

    fn keep(&mut self, file: &str, index: u32, rows: &RowGroupRows) {
        let bytes = rows.memory_bytes();
        // Two threads may have read the same one at once.
        if bytes > self.bytes_max || self.get(file, index).is_some() {
            return;
        }
        let name = match self.files.get_key_value(file) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(file),
        };
        let group = KeptRowGroup { rows: rows.clone(), bytes, last_use: self.next_use };
        self.files.entry(Arc::clone(&name)).or_default().insert(index, group);
        self.by_use.insert(self.next_use, (name, index));
        self.next_use += 1;
        self.bytes += bytes;
        self.forget_what_is_over();
    }

    fn forget_what_is_over(&mut self) {
        while self.bytes > self.bytes_max {
            let (_, (file, index)) = self.by_use.pop_first().expect("what has bytes is kept");
            let of_file = self.files.get_mut(&file).expect("what has a last use is kept");
            let group = of_file.remove(&index).expect("what has a last use is kept");
            self.bytes -= group.bytes;
            if of_file.is_empty() {
                self.files.remove(&file);
            }
        }
    }
}

#[cfg(test)]
mod tests;
