//! Damage to synced bytes is always an error that names the file and the place, never a cut.

use super::*;

/// A synced log of two sealed segments and an active one, and its content.
fn synced_log(fs: &SimulatedFs) -> (LocalLog, Vec<CommittedBatch>) {
    let mut log = opened(fs);
    let mut commits = Vec::new();
    for (lengths, rolls) in
        [(vec![9, 50], true), (vec![70], true), (vec![3], false), (vec![40, 1], false)]
    {
        let group = group(log.tip().seq, 1, &lengths);
        log.append(&group).expect("appended");
        log.sync().expect("synced");
        if rolls {
            log.roll().expect("rolled");
        }
        commits.extend(group);
    }
    (log, commits)
}

/// Opens the log and reads all of it.
fn open_and_read(fs: &SimulatedFs) -> Result<Vec<CommittedBatch>> {
    read_all(&open(fs)?.0)
}

/// Checks that `error` names `file`, and a place at or before `flipped`.
fn check_names(error: &Error, file: &Path, flipped: u64) {
    let Error::Corrupt { file: named, offset, reason } = error else {
        panic!("byte {flipped} of {} is damaged, but: {error}", file.display())
    };
    assert_eq!(Path::new(named), file, "{error}");
    assert!(*offset <= flipped, "{error}, but byte {flipped} is wrong");
    assert!(reason.contains(crate::segment::ADVICE), "{error}");
}

#[test]
fn every_damaged_byte_is_found_in_every_segment() {
    let fs = SimulatedFs::new();
    let (log, commits) = synced_log(&fs);
    let segments = log.segments();
    assert_eq!(segments.len(), 3);
    drop(log);
    // The active one first: nothing but the mark of the last sync protects its last commits.
    for segment in segments.iter().rev() {
        let file = segment_file(segment.first);
        for at in 0..segment.bytes {
            fs.damage(&file, at, 1 << (at % 8));
            let error = open_and_read(&fs).expect_err("a byte is wrong");
            check_names(&error, &file, at);
            fs.damage(&file, at, 1 << (at % 8));
        }
    }
    assert_eq!(open_and_read(&fs).expect("nothing was changed"), commits);
}

#[test]
fn damage_before_the_last_sync_is_found_even_if_a_crash_took_the_mark() {
    let fs = SimulatedFs::new();
    let (log, _) = synced_log(&fs);
    let active = *log.segments().last().expect("an active segment");
    let reader = log.reader();
    let frames = reader.read_segment(&active).expect("opens").map(|frame| frame.expect("sound"));
    let frame_bytes: Vec<u64> =
        frames.map(|committed| frame::encoded_bytes(&committed).expect("small")).collect();
    let before_last_group = crate::segment::FRAMES_OFFSET + frame_bytes[0];
    for seed in 0..10 {
        let fs = SimulatedFs::new();
        synced_log(&fs);
        fs.crash(seed);
        let file = segment_file(active.first);
        for at in 0..before_last_group {
            fs.damage(&file, at, 0x80);
            check_names(&open_and_read(&fs).expect_err("a byte is wrong"), &file, at);
            fs.damage(&file, at, 0x80);
        }
    }
}

#[test]
fn damage_in_a_sealed_segment_is_found_when_it_is_read_and_not_before() {
    let fs = SimulatedFs::new();
    let (log, commits) = synced_log(&fs);
    let sealed = log.segments()[0];
    fs.damage(&segment_file(sealed.first), sealed.bytes - 1, 4);
    let log = opened(&fs);
    let mut frames = log.reader().read_segment(&sealed).expect("the header is sound");
    assert_eq!(frames.next().expect("a commit").expect("sound"), commits[0]);
    let error = frames.next().expect("an error").expect_err("the second commit is damaged");
    check_names(&error, &segment_file(sealed.first), sealed.bytes - 1);
    assert!(error.to_string().contains("commits up to 101 are sound"), "{error}");
    assert!(frames.next().is_none(), "nothing after damage is trusted");
}

#[test]
fn damage_in_the_space_after_the_last_commit_costs_no_commit() {
    let fs = SimulatedFs::new();
    let (log, commits) = synced_log(&fs);
    let active = *log.segments().last().expect("an active segment");
    drop(log);
    let file = segment_file(active.first);
    for at in active.bytes..SMALL.segment_bytes_max {
        fs.damage(&file, at, 0x55);
        let (log, opening) = open(&fs).expect("opens");
        assert_eq!(opening.cut_segment, Some(active.first));
        assert_eq!(opening.cut_offset, active.bytes);
        assert!(at < opening.cut_offset + opening.cut_bytes.max(20), "{opening:?}");
        assert_eq!(read_all(&log).expect("readable"), commits);
        let (_, opening) = open(&fs).expect("opens again");
        assert_eq!(opening, LogOpening::default(), "cut once");
    }
}

#[test]
fn a_missing_segment_is_an_error_that_names_it() {
    let fs = SimulatedFs::new();
    let (log, _) = synced_log(&fs);
    let segments = log.segments();
    fs.remove(&segment_file(segments[1].first)).expect("removed");
    let error = open(&fs).expect_err("a segment is missing");
    check_names(&error, &segment_file(segments[2].first), crate::segment::PREVIOUS_OFFSET);
    assert!(error.to_string().contains("follows the one of commit 103"), "{error}");
}

/// A log cannot tell by its segments alone whether the oldest ones were removed or lost, so it
/// writes down what it removes.
#[test]
fn oldest_segments_that_the_log_did_not_remove_are_missed() {
    let fs = SimulatedFs::new();
    let (mut log, _) = synced_log(&fs);
    let segments = log.segments();
    assert!(segments.len() > 2, "there are {} segments", segments.len());
    log.remove_through(segments[0].last).expect("removed");
    drop(log);
    drop(opened(&fs));
    fs.remove(&segment_file(segments[1].first)).expect("removed");
    let error = open(&fs).expect_err("a segment is missing");
    check_names(&error, &segment_file(segments[1].first), 0);
    assert!(error.to_string().contains("the segment is missing"), "{error}");
    for segment in &segments[2..] {
        fs.remove(&segment_file(segment.first)).expect("removed");
    }
    assert!(open(&fs).is_err(), "a log without segments does not begin anew");
}

#[test]
fn a_segment_that_is_gone_can_not_be_read() {
    let fs = SimulatedFs::new();
    let (mut log, _) = synced_log(&fs);
    let gone = log.segments()[0];
    log.remove_through(gone.last).expect("removed");
    let error = log.reader().read_segment(&gone).expect_err("it is gone");
    assert!(matches!(
        error,
        Error::Local { action: "open", source, .. } if source.kind() == std::io::ErrorKind::NotFound
    ));
}

#[test]
fn a_log_of_another_database_is_refused() {
    let fs = SimulatedFs::new();
    let (log, _) = synced_log(&fs);
    let first = segment_file(log.segments()[0].first);
    let other = RandomId([0xff; 16]);
    let fs: Arc<dyn Fs> = Arc::new(fs);
    let error = LocalLog::open(fs, Path::new(DIRECTORY), other, ORIGIN, SMALL);
    check_names(&error.expect_err("another database"), &first, 64);
}
