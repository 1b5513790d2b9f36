//! Groups end in any order, and are shown in the one of the log.

use foldback_log_tier::local_log::{LocalLog, LocalLogOptions};
use foldback_log_tier::{DatabaseId, Timestamp, fs::OsFs};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::*;
use crate::Error;
use crate::present::TreeResources;

/// What shows groups of commits of an empty log, in a directory that is kept as long.
fn showing() -> (Arc<Showing>, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (fs, options) = (Arc::new(OsFs), LocalLogOptions::default());
    let id = DatabaseId::random();
    let opened = LocalLog::open(fs, directory.path(), id, Commit::ORIGIN, options);
    let (log, _) = opened.expect("it is new");
    let view = Arc::new(LogView::new(&log, Arc::default()));
    let present = Present::new(directory.path().to_path_buf(), TreeResources::new(1 << 20));
    (Arc::new(Showing::new(view, Arc::new(present), Arc::default())), directory)
}

/// A group of one commit, and where its answer comes.
fn group(showing: &Showing, seq: u64) -> (AppliedGroup, oneshot::Receiver<crate::Result<Commit>>) {
    let commit = Commit { seq: Seq(seq), timestamp: Timestamp(0) };
    let (reply, answer) = oneshot::channel();
    let mut segments = Vec::clone(&showing.view.segments());
    segments[0].last = commit.seq;
    (AppliedGroup { last: commit.seq, segments, replies: vec![(reply, commit)] }, answer)
}

#[test]
fn a_group_that_is_applied_early_is_shown_after_those_before_it() {
    let (showing, _directory) = showing();
    let turns = [showing.turn(), showing.turn(), showing.turn()];
    let (groups, mut answers): (Vec<_>, Vec<_>) = (1..=3).map(|seq| group(&showing, seq)).unzip();
    let mut ends: Vec<_> = turns.into_iter().zip(groups).collect();
    let mut end = |at: usize| {
        let (turn, group) = ends.remove(at);
        turn.end(group).give();
        (showing.present.visible(), showing.view.tip().seq)
    };
    assert_eq!(end(1), (Seq(0), Seq(0)), "the second waits for the first");
    assert_eq!(answers[1].try_recv().expect_err("it is not shown"), TryRecvError::Empty);
    assert_eq!(end(0), (Seq(2), Seq(2)), "the first shows the second");
    assert_eq!(answers[2].try_recv().expect_err("it is not applied"), TryRecvError::Empty);
    assert_eq!(end(0), (Seq(3), Seq(3)));
    showing.catch_up();
    for (answer, seq) in answers.iter_mut().zip(1..) {
        let commit = answer.try_recv().expect("it is answered").expect("it is kept");
        assert_eq!(commit.seq, Seq(seq));
    }
}

#[test]
fn nothing_is_shown_after_a_group_that_was_given_up() {
    let (showing, _directory) = showing();
    let [first, second] = [showing.turn(), showing.turn()];
    let (group, mut answer) = group(&showing, 2);
    second.end(group).give();
    drop(first);
    showing.catch_up();
    assert_eq!((showing.present.visible(), showing.view.tip().seq), (Seq(0), Seq(0)));
    let refused = answer.try_recv().expect("it is answered").expect_err("it is not visible");
    assert!(matches!(refused, Error::Halted { .. }), "{refused}");
}
