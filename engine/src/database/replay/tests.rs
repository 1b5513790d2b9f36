//! Folding trees again while compactors go on.

use foldback_log_tier::fs::{Fs, OsFs};
use foldback_log_tier::local_log::LocalLogOptions;
use foldback_log_tier::remote::RemoteOptions;
use foldback_log_tier::{WriterId, names};

use super::*;
use crate::bucket_reader::connect_to_history;
use crate::clock::SystemClock;
use crate::present::TreeResources;
use crate::{
    BucketCompactor, CompactorConfig, Config, Database, Policy, Retention, WriteBatch, WriteOptions,
};

/// A database whose history is in small pieces.
fn write(config: Config) {
    let config = Config { compactor: false, ..config };
    let database = Database::open(config).expect("it opens");
    let table = database.create_table("rows").expect("the name is free").id();
    database.protect("rows", Retention::Forever).expect("it is not protected");
    for at in 0..8 {
        let mut batch = WriteBatch::new();
        batch.put(table, format!("key/{at}").into_bytes(), b"1".to_vec());
        database.write(batch, WriteOptions::default()).wait().expect("it commits");
        database.seal().expect("the bucket takes it");
    }
}

/// A recovery that lasts goes on from what compactors have made of history meanwhile; it failed,
/// each time anew.
#[test]
fn a_recovery_goes_on_beside_a_compactor() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = format!("file://{}", directory.path().join("bucket").display());
    write(Config::new(directory.path().join("old")).bucket(bucket.clone()));
    let (network, remote, known) =
        connect_to_history(&bucket, &RemoteOptions::default()).expect("there is history");

    let policy = Policy { merge_fanout: 2, ..Policy::default() };
    let clock = Arc::new(SystemClock);
    let config = CompactorConfig { bucket, remote: RemoteOptions::default(), policy, clock };
    let mut compactor = BucketCompactor::open(&config).expect("it opens");
    assert!(compactor.run(&mut |_| {}).expect("the bucket is fine") > 0, "deltas are merged");

    let (fs, database): (Arc<dyn Fs>, _) = (Arc::new(OsFs), known.database);
    let place = directory.path().join("new");
    let log_place = place.join(names::LOG_DIRECTORY);
    std::fs::create_dir_all(&log_place).expect("there is room");
    let options = LocalLogOptions { segment_bytes_max: 1 << 20 };
    let (log, _) =
        LocalLog::open(fs, &log_place, database, known.sealed, options).expect("it is empty");
    let history = Arc::new(HistoryReader::new(remote.clone(), database));
    let publisher = Arc::new(Publisher::joining(remote, known, WriterId::random()));
    let present_place = place.join(names::PRESENT_DIRECTORY);
    std::fs::create_dir_all(&present_place).expect("there is room");
    let present = Present::new(present_place, TreeResources::new(1 << 20));
    let rebuild = Rebuild {
        present: &present,
        publisher: &publisher,
        history: &history,
        network: &network,
        memtable_bytes_max: 1 << 20,
    };
    let replayed = replay(&rebuild, &log, DirectoryState::Recovering).expect("it goes on");
    assert!(replayed.lost_tables.is_empty(), "{:?}", replayed.lost_tables);
    assert_eq!(replayed.rebuilt_tables, ["the catalog", "rows"]);
}
