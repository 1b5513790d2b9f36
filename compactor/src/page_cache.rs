//! Decoded pages of history that point reads used last, up to a bound of memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldback_log_tier::history::{KeyPage, ValuePage};

/// The pages that were used last. History files never change, so what is kept is never stale.
#[derive(Debug)]
pub(crate) struct PageCache {
    kept: Mutex<KeptPages>,
}

/// Which page of a history file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PageId {
    pub(crate) row_group: u32,
    pub(crate) column: PageColumn,
    /// Its position in the column of the row group.
    pub(crate) page: usize,
}

/// Of which column a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PageColumn {
    Keys,
    Values,
}

/// A page, decoded.
#[derive(Clone, Debug)]
pub(crate) enum HistoryPage {
    Keys(KeyPage),
    Values(ValuePage),
}

/// What is kept, with `bytes <= bytes_max`.
#[derive(Debug, Default)]
struct KeptPages {
    /// By file and place in it.
    files: BTreeMap<Arc<str>, BTreeMap<PageId, KeptPage>>,
    /// Each page once, by when it was used last: the first is the one to forget.
    by_use: BTreeMap<u64, (Arc<str>, PageId)>,
    next_use: u64,
    bytes: u64,
    bytes_max: u64,
}

#[derive(Debug)]
struct KeptPage {
    page: HistoryPage,
    bytes: u64,
    last_use: u64,
}

impl HistoryPage {
    fn memory_bytes(&self) -> u64 {
        match self {
            Self::Keys(keys) => keys.memory_bytes(),
            Self::Values(values) => values.memory_bytes(),
        }
    }
}

impl PageCache {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self { kept: Mutex::new(KeptPages { bytes_max, ..KeptPages::default() }) }
    }

    /// Sets the bound, and forgets what is over it.
    pub(crate) fn set_bytes_max(&self, bytes_max: u64) {
        let mut kept = self.lock();
        kept.bytes_max = bytes_max;
        kept.forget_what_is_over();
    }

    pub(crate) fn get(&self, file: &str, id: PageId) -> Option<HistoryPage> {
        self.lock().get(file, id)
    }

    /// Keeps a page, unless it alone is over the bound.
    pub(crate) fn keep(&self, file: &str, id: PageId, page: HistoryPage) {
        self.lock().keep(file, id, page);
    }

    fn lock(&self) -> MutexGuard<'_, KeptPages> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeptPages {
    fn get(&mut self, file: &str, id: PageId) -> Option<HistoryPage> {
        let found = self.files.get_mut(file)?.get_mut(&id)?;
        let place = self.by_use.remove(&found.last_use).expect("each page has a last use");
        found.last_use = self.next_use;
        self.by_use.insert(self.next_use, place);
        self.next_use += 1;
        Some(found.page.clone())
    }

    fn keep(&mut self, file: &str, id: PageId, page: HistoryPage) {
        let bytes = page.memory_bytes();
        // Two threads may have read the same one at once.
        if bytes > self.bytes_max || self.get(file, id).is_some() {
            return;
        }
        let name = match self.files.get_key_value(file) {
            Some((name, _)) => Arc::clone(name),
            None => Arc::from(file),
        };
        let kept = KeptPage { page, bytes, last_use: self.next_use };
        self.files.entry(Arc::clone(&name)).or_default().insert(id, kept);
        self.by_use.insert(self.next_use, (name, id));
        self.next_use += 1;
        self.bytes += bytes;
        self.forget_what_is_over();
    }

    fn forget_what_is_over(&mut self) {
        while self.bytes > self.bytes_max {
            let (_, (file, id)) = self.by_use.pop_first().expect("what has bytes is kept");
            let of_file = self.files.get_mut(&file).expect("what has a last use is kept");
            let kept = of_file.remove(&id).expect("what has a last use is kept");
            self.bytes -= kept.bytes;
            if of_file.is_empty() {
                self.files.remove(&file);
            }
        }
    }
}

#[cfg(test)]
mod tests;
