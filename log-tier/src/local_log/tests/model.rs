//! Random operations on a log agree with a list of commits.

use proptest::prelude::*;

use super::*;
use crate::fs::OsFs;

#[derive(Clone, Debug)]
enum Operation {
    Append(Vec<usize>),
    Sync,
    Roll,
    Reopen,
    RemoveHalf,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => prop::collection::vec(0_usize..400, 0..5).prop_map(Operation::Append),
        1 => Just(Operation::Append(vec![5000])),
        3 => Just(Operation::Sync),
        1 => Just(Operation::Roll),
        1 => Just(Operation::Reopen),
        1 => Just(Operation::RemoveHalf),
    ]
}

/// Does `operations` and compares the log with a list after each.
fn check(fs: &Arc<dyn Fs>, directory: &Path, operations: Vec<Operation>) {
    let open = || LocalLog::open(Arc::clone(fs), directory, DATABASE, ORIGIN, SMALL);
    let mut log = open().expect("an empty log").0;
    let mut commits: Vec<CommittedBatch> = Vec::new();
    let mut tip = ORIGIN;
    let mut durable_tip = ORIGIN;
    for operation in operations {
        match operation {
            Operation::Append(lengths) => {
                let segments_before = log.segments().len();
                let group = group(tip.seq, 1, &lengths);
                log.append(&group).expect("appended");
                tip = group.last().map_or(tip, |last| last.commit);
                commits.extend(group);
                durable_tip = durable_tip.max(log.durable_tip());
                assert!(log.segments().len() <= segments_before + 1);
            }
            Operation::Sync => {
                log.sync().expect("synced");
                durable_tip = tip;
            }
            Operation::Roll => {
                log.roll().expect("rolled");
                assert_eq!(log.segments().last().map(|active| active.first), Some(tip.seq.next()));
                durable_tip = tip;
            }
            Operation::Reopen => {
                drop(log);
                let (reopened, opening) = open().expect("opens again");
                assert_eq!(opening, LogOpening::default(), "nothing was torn");
                log = reopened;
                durable_tip = tip;
            }
            Operation::RemoveHalf => {
                let middle = commits.get(commits.len() / 2).map_or(tip, |it| it.commit).seq;
                let expected =
                    log.segments().iter().filter(|it| it.sealed && it.last <= middle).count();
                let removed = log.remove_through(middle).expect("removed");
                assert_eq!(usize::try_from(removed), Ok(expected));
                let first = log.segments()[0].first;
                commits.retain(|committed| committed.commit.seq >= first);
            }
        }
        assert_eq!((log.tip(), log.durable_tip()), (tip, durable_tip));
        assert_eq!(read_all(&log).expect("readable"), commits);
        check_segments(&log, &commits);
    }
}

proptest! {
    #[test]
    fn a_simulated_log_holds_what_was_appended(
        operations in prop::collection::vec(operation(), 0..40),
    ) {
        let fs: Arc<dyn Fs> = Arc::new(SimulatedFs::new());
        check(&fs, Path::new(DIRECTORY), operations);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn a_log_on_a_disk_holds_what_was_appended(
        operations in prop::collection::vec(operation(), 0..30),
    ) {
        let fs: Arc<dyn Fs> = Arc::new(OsFs);
        let directory = tempfile::tempdir().expect("a directory for the test");
        check(&fs, &directory.path().join("log"), operations);
    }
}
