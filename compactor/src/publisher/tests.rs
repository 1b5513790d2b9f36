//! Publishing while the bucket fails.

use foldback_log_tier::history::{CommitIndex, FileKind, HistoryIdentity, HistoryWriter};
use foldback_log_tier::remote::{Fault, FaultyStore, StoreCall};
use foldback_log_tier::{DatabaseId, Seq};

use super::*;

fn delta(database: DatabaseId, seq: u64) -> HistoryObject {
    let commit = Commit { seq: Seq(seq), timestamp: Timestamp(5) };
    let mut commits = CommitIndex::default();
    commits.push(commit);
    let (kind, first, last, scope) = (FileKind::Delta, commit, commit, None);
    let identity = HistoryIdentity { database, kind, first, last, scope };
    let writer = HistoryWriter::new(identity, 0).expect("it begins");
    writer.finish(Some(&commits)).expect("it ends")
}

/// A manifest whose fate is unknown may be in the bucket: another one in its place would be taken
/// for a rival's, and the process would fence itself.
#[test]
fn what_the_bucket_gave_no_clear_answer_to_is_published_again_as_it_was() {
    let cases = [
        vec![(StoreCall::List, Fault::Busy)],
        vec![(StoreCall::Create, Fault::AnswerLost), (StoreCall::Get, Fault::Busy)],
    ];
    for faults in cases {
        let store = Arc::new(FaultyStore::in_memory());
        let remote = RemoteLog::with_store(store.clone(), "memory".into());
        let (database, writer) = (DatabaseId::random(), WriterId::random());
        let publisher = crate::wait_for(Publisher::open_epoch(
            remote,
            Manifest::empty(database),
            writer,
            Timestamp(1),
        ));
        let publisher = publisher.expect("the bucket is there");
        for (call, fault) in &faults {
            store.script(*call, &[*fault]);
        }
        let first = delta(database, 1);
        let failed = crate::wait_for(publisher.publish_delta(&first, Timestamp(2)));
        assert!(matches!(failed, Err(Error::Store { .. })), "{faults:?}: {failed:?}");
        assert_eq!(publisher.sealed().seq, Seq::ZERO);
        assert!(crate::wait_for(publisher.settle()).expect("the bucket is back"), "{faults:?}");
        assert_eq!(publisher.newest().files, [first.entry]);
        assert!(!crate::wait_for(publisher.settle()).expect("nothing is left"), "{faults:?}");
        let second = delta(database, 2);
        let published = crate::wait_for(publisher.publish_delta(&second, Timestamp(3)));
        published.expect("it is still the only publisher");
        assert_eq!(publisher.sealed().seq, Seq(2));
    }
}
