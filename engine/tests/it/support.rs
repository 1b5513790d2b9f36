//! What the tests of whole databases share: directories, rows, and numbers that a seed decides.

use std::collections::BTreeMap;
use std::path::Path;

use foldback::{Database, KeyRange, RestorePlan, Result};
use tempfile::TempDir;

/// Keys and values of a table.
pub(crate) type State = BTreeMap<Vec<u8>, Vec<u8>>;

/// The rows of a table as of its last commit.
pub(crate) fn rows(database: &Database, table: &str) -> State {
    let table = database.table(table).expect("the table is there");
    collect(table.range(&KeyRange::all()).expect("it is live"))
}

/// The rows that a plan yields.
pub(crate) fn planned_rows(database: &Database, plan: &RestorePlan) -> State {
    collect(database.plan_rows(plan).expect("the local log can be read"))
}

/// Rows as they come, which must be in order.
pub(crate) fn collect(rows: impl Iterator<Item = Result<foldback::Row>>) -> State {
    let mut state = State::new();
    for row in rows {
        let (key, value) = row.expect("the row can be read");
        let last = state.last_key_value().map(|(key, _)| key.as_slice());
        assert!(last.is_none_or(|last| last < key.as_ref()), "{key:?} comes after {last:?}");
        state.insert(key.to_vec(), value.to_vec());
    }
    state
}

/// A directory in memory where the machine has one: for tests that are not about the disk, whose
/// syncs are most of their time.
pub(crate) fn fast_directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    made.expect("a temporary directory")
}

/// Copies a directory with all that is in it.
pub(crate) fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the directory can be made");
    for entry in std::fs::read_dir(from).expect("it can be listed") {
        let entry = entry.expect("it can be listed");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("its type is known").is_dir() {
            true => copy_directory(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("it can be copied")),
        }
    }
}

/// Numbers that only a seed decides (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// An index of a list of this length.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        let bound = u64::try_from(length).expect("lengths fit 64 bits");
        usize::try_from(self.below(bound)).expect("it is below a length")
    }
}
