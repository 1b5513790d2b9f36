//! Test help: a bucket in memory, files in it, and what they hold.

use std::sync::Arc;

use foldback_log_tier::history::{CommitIndex, FileKind, HistoryIdentity};
use foldback_log_tier::manifest::HistoryEntry;
use foldback_log_tier::remote::{FaultyStore, RemoteLog};
use foldback_log_tier::{Commit, DatabaseId, EventRow, Seq, TableId, Timestamp};

use crate::merge::{Merge, RowFilter, Source};
use crate::streamed::StreamedFile;
use crate::{FeedBudget, FeedReads, HistoryReader, Making, Network, Pace, Reading};

/// A bucket in memory, and all that reading and writing history there needs.
pub(crate) struct TestBucket {
    store: Arc<FaultyStore>,
    history: Arc<HistoryReader>,
    network: Network,
    making: Making,
    pace: Pace,
}

/// An event, in the order of a history file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TestRow {
    pub(crate) table: TableId,
    pub(crate) key: Vec<u8>,
    pub(crate) commit: Commit,
    pub(crate) value: Option<Vec<u8>>,
}

impl TestRow {
    fn as_row(&self) -> EventRow<'_> {
        let Self { table, key, commit, value } = self;
        let (seq, timestamp) = (commit.seq, commit.timestamp);
        EventRow { table: *table, key, seq, timestamp, value: value.as_deref() }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test needs the machine's steady time")]
fn steady_now() -> std::time::Instant {
    std::time::Instant::now()
}

/// The commit with this number: each is ten microseconds after the one before.
pub(crate) fn commit(seq: u64) -> Commit {
    Commit { seq: Seq(seq), timestamp: Timestamp(i64::try_from(seq).expect("small") * 10) }
}

impl TestBucket {
    pub(crate) fn new() -> Self {
        let store = FaultyStore::in_memory();
        Self::on(store, "memory".to_owned())
    }

    /// One that the whole process sees at [`Self::url`].
    pub(crate) fn shared(name: &str) -> Self {
        let url = format!("memory:///{name}");
        let bucket = url.parse().expect("it is a bucket's URL");
        Self::on(FaultyStore::of_bucket(&bucket).expect("it is in memory"), url)
    }

    fn on(store: FaultyStore, name: String) -> Self {
        let (database, store) = (DatabaseId::random(), Arc::new(store));
        let remote = RemoteLog::with_store(store.clone(), name);
        Self {
            store,
            history: Arc::new(HistoryReader::new(remote, database)),
            network: Network::start().expect("there are threads"),
            making: Making { database, born: 3 },
            pace: Pace::new(steady_now),
        }
    }

    pub(crate) fn reading(&self) -> Reading<'_> {
        let Self { history, network, making, pace, .. } = self;
        Reading { history, network, making: *making, pace }
    }

    pub(crate) fn store(&self) -> &FaultyStore {
        &self.store
    }

    pub(crate) fn url(&self) -> &str {
        self.remote().name()
    }

    pub(crate) fn database(&self) -> DatabaseId {
        self.making.database
    }

    pub(crate) fn remote(&self) -> &RemoteLog {
        self.history.remote()
    }

    pub(crate) fn objects(&self) -> Vec<String> {
        let remote = self.remote().clone();
        let objects = self.network.run(async move { remote.list_objects().await });
        objects.expect("a listing").into_iter().map(|(name, _)| name).collect()
    }

    /// Puts a delta of these commits, with those of the rows that are of them.
    pub(crate) fn put_delta(&self, (first, last): (u64, u64), rows: &[TestRow]) -> HistoryEntry {
        let identity = HistoryIdentity {
            database: self.making.database,
            kind: FileKind::Delta,
            first: commit(first),
            last: commit(last),
            scope: None,
        };
        let mut file = StreamedFile::begin(self.reading(), identity).expect("it is sound");
        let mut commits = CommitIndex::new();
        (first..=last).for_each(|seq| commits.push(commit(seq)));
        for row in rows.iter().filter(|row| (first..=last).contains(&row.commit.seq.0)) {
            file.push(row.as_row()).expect("rows are in order");
        }
        file.finish(Some(&commits)).expect("it is put")
    }

    /// All rows of a file, as a merge reads them.
    pub(crate) fn rows(&self, file: &HistoryEntry) -> Vec<TestRow> {
        let groups =
            file.tables.iter().flat_map(|entry| entry.row_group_first..=entry.row_group_last);
        let reads = vec![(Arc::new(file.clone()), groups.collect())];
        let reads = FeedReads { reads, filter: RowFilter::all() };
        let feed = self.history.feed(&self.network, reads, FeedBudget::shared_by(1));
        let source = Source::history(feed);
        let mut merge = Merge::new([source]).expect("the first row group is sound");
        let copied = |row: EventRow<'_>, _| TestRow {
            table: row.table,
            key: row.key.to_vec(),
            commit: Commit { seq: row.seq, timestamp: row.timestamp },
            value: row.value.map(<[u8]>::to_vec),
        };
        std::iter::from_fn(|| merge.next_row(copied).expect("all is sound")).collect()
    }
}
