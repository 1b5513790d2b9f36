//! After a failed write or sync the log refuses to be written, and can still be read.

use super::*;

/// A log with three synced commits in two segments and one commit that is not synced.
fn half_synced(fs: &SimulatedFs) -> LocalLog {
    let mut log = opened(fs);
    log.append(&group(ORIGIN.seq, 1, &[10, 20])).expect("appended");
    log.roll().expect("rolled");
    log.append(&group(log.tip().seq, 1, &[30])).expect("appended");
    log.sync().expect("synced");
    log.append(&group(log.tip().seq, 1, &[40])).expect("appended");
    log
}

/// Checks that nothing can be written to `log` any more, and that what was durable can be read.
fn check_refuses(log: &mut LocalLog) {
    let (tip, durable_tip) = (log.tip(), log.durable_tip());
    for _ in 0..2 {
        let refusals = [log.append(&group(tip.seq, 2, &[1])), log.sync(), log.roll()];
        for refusal in refusals {
            let error = refusal.expect_err("the log has failed").to_string();
            assert!(error.contains("open the database again"), "{error}");
            assert!(error.contains(&format!("up to {}", durable_tip.seq)), "{error}");
        }
    }
    assert_eq!((log.tip(), log.durable_tip()), (tip, durable_tip));
    let read = read_all(log).expect("readable");
    assert_eq!(read.last().map(|last| last.commit), Some(tip));
}

#[test]
fn a_failed_sync_is_final() {
    let fs = SimulatedFs::new();
    let mut log = half_synced(&fs);
    let durable_tip = log.durable_tip();
    fs.fail_syncs();
    log.sync().expect_err("syncs fail");
    assert_eq!(log.durable_tip(), durable_tip);
    check_refuses(&mut log);
}

#[test]
fn a_single_failed_sync_is_final_although_the_next_would_work() {
    let fs = SimulatedFs::new();
    let mut log = half_synced(&fs);
    fs.fail_operation(1);
    log.sync().expect_err("this sync fails");
    check_refuses(&mut log);
}

#[test]
fn a_failed_write_is_final() {
    let fs = SimulatedFs::new();
    let mut log = half_synced(&fs);
    let tip = log.tip();
    fs.fail_operation(1);
    log.append(&group(tip.seq, 1, &[5, 5])).expect_err("this write fails");
    assert_eq!(log.tip(), tip);
    check_refuses(&mut log);
}

#[test]
fn a_full_disk_is_final_and_loses_nothing() {
    let fs = SimulatedFs::new();
    let mut log = half_synced(&fs);
    fs.limit_space(100);
    let error = log.append(&group(log.tip().seq, 1, &[9000])).expect_err("the disk is full");
    assert!(matches!(
        error,
        Error::Local { source, .. } if source.kind() == std::io::ErrorKind::StorageFull
    ));
    check_refuses(&mut log);
    fs.kill();
    assert!(opened(&fs).tip().seq >= Seq(104), "what was written is there");
}

#[test]
fn a_failed_roll_is_final_wherever_it_fails() {
    for fails_at in 1..100 {
        let fs = SimulatedFs::new();
        let mut log = half_synced(&fs);
        let synced = log.tip();
        fs.fail_operation(fails_at);
        if log.roll().is_ok() {
            assert!(fails_at > 7, "a roll has more operations");
            return;
        }
        check_refuses(&mut log);
        fs.kill();
        let log = opened(&fs);
        assert_eq!(log.tip(), synced);
        assert_eq!(read_all(&log).expect("readable").len(), 4);
    }
    panic!("no roll worked");
}

#[test]
fn a_batch_too_large_is_refused_and_the_log_goes_on() {
    let fs = SimulatedFs::new();
    let mut log = half_synced(&fs);
    let tip = log.tip();
    let error = log.append(&group(tip.seq, 1, &[1, 81 << 20])).expect_err("too large");
    assert!(matches!(error, Error::Unsupported(_)), "{error}");
    assert_eq!(log.tip(), tip);
    log.append(&group(tip.seq, 1, &[1])).expect("appended");
    log.sync().expect("synced");
}

#[test]
fn a_failed_removal_leaves_a_log_that_goes_on() {
    for fails_at in 1..=2 {
        let fs = SimulatedFs::new();
        let mut log = half_synced(&fs);
        fs.fail_operation(fails_at);
        log.remove_through(log.tip().seq).expect_err("the removal fails");
        log.sync().expect("synced");
        log.remove_through(log.tip().seq).expect("removed");
        assert_eq!(log.segments().len(), 1);
        assert_eq!(read_all(&log).expect("readable").len(), 2);
    }
}
