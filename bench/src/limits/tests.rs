use super::*;

#[test]
fn every_limit_is_measured_as_often_as_was_asked_for_and_nothing_is_left() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let group = SyncGroup { writers: 8, batch_events: 8, event_bytes: 200 };
    let options = LimitOptions {
        groups: vec![group],
        file_bytes: 3 * 1024 * 1024 + 1,
        runs: 2,
        ..LimitOptions::new(directory.path())
    };
    let figures = limits(&options).expect("the disk is fine");
    let names: Vec<_> = figures.iter().map(|figure| figure.name.as_str()).collect();
    let (growing, preallocated) = (group.growing(), group.preallocated());
    assert_eq!(
        names,
        [
            &growing,
            &preallocated,
            &group.group_commit(),
            LIMIT_WRITE,
            LIMIT_READ,
            LIMIT_READ_CACHED,
            LIMIT_COMPRESS,
            LIMIT_DECOMPRESS,
            LIMIT_COPY
        ]
    );
    assert_eq!(group.group_commit(), "bare group commit, 8 threads of 8 × 200 B");
    assert_eq!(growing, "fdatasync, 64 × 200 B, growing file");
    assert!(figures.iter().all(|figure| figure.runs.len() == 2 && figure.min() > 0.0));
    let rate = |name| figures.iter().find(|it| it.name == name).map(Figure::median);
    assert!(rate(LIMIT_DECOMPRESS) > rate(LIMIT_COMPRESS), "{figures:?}");
    assert_eq!(std::fs::read_dir(directory.path()).expect("it is there").count(), 0);
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let error = limits(&LimitOptions::new(directory.path().join("none"))).expect_err("no place");
    assert!(error.to_string().contains("could not create"), "{error}");
}

#[test]
fn large_groups_are_synced_less_often() {
    let syncs =
        |batch_events, event_bytes| SyncGroup { writers: 1, batch_events, event_bytes }.syncs();
    assert_eq!((syncs(1, 200), syncs(6_400, 200), syncs(1, 1 << 30)), (100, 52, 8));
}
