//! Single cases: empty logs, sizes of segments, torn tails, and what callers must not do.

use super::*;
use crate::segment::FRAMES_OFFSET;

/// The sizes of the segments of `log`, in commits.
fn counts(log: &LocalLog) -> Vec<u64> {
    log.segments().iter().map(|segment| segment.last.0 + 1 - segment.first.0).collect()
}

/// The bytes of one frame of [`committed`] with a value of `value_bytes`.
fn frame_bytes(value_bytes: usize) -> u64 {
    frame::encoded_bytes(&committed(101, 1, value_bytes)).expect("small")
}

#[test]
fn an_empty_log_stands_at_its_origin() {
    let fs = SimulatedFs::new();
    for _ in 0..3 {
        let (log, opening) = open(&fs).expect("opens");
        assert_eq!((log.tip(), log.durable_tip()), (ORIGIN, ORIGIN));
        assert_eq!(opening, LogOpening::default());
        let [active] = log.segments()[..] else { panic!("one segment") };
        assert_eq!((active.first, active.last), (Seq(101), Seq(100)));
        assert_eq!((active.bytes, active.sealed), (FRAMES_OFFSET, false));
        assert!(read_all(&log).expect("readable").is_empty());
        fs.crash(1);
    }
}

#[test]
fn an_empty_active_segment_keeps_the_clock() {
    let fs = SimulatedFs::new();
    let mut log = opened(&fs);
    log.append(&group(ORIGIN.seq, 1, &[1, 1])).expect("appended");
    let tip = log.tip();
    log.roll().expect("rolled");
    log.roll().expect("an empty segment stays");
    log.remove_through(Seq::MAX).expect("removed");
    assert_eq!(counts(&log), [0]);
    assert_eq!(opened(&fs).tip(), tip);
}

#[test]
fn a_group_goes_to_the_next_segment_when_there_is_no_room_for_it() {
    // Rooms are for the frames and for one mark after them.
    let room = SMALL.segment_bytes_max - FRAMES_OFFSET - 20;
    let fill = usize::try_from(room - frame_bytes(0)).expect("small");
    let cases: [(&[&[usize]], &[u64]); 7] = [
        (&[&[fill]], &[1]),
        (&[&[fill], &[0]], &[1, 1]),
        (&[&[fill + 1]], &[1]),
        (&[&[0], &[fill]], &[1, 1]),
        (&[&[0], &[9000], &[], &[0]], &[1, 1, 1]),
        (&[&[9000], &[]], &[1]),
        (&[&[0], &[600, 600, 600, 600], &[0]], &[1, 4, 1]),
    ];
    for (groups, expected) in cases {
        let fs = SimulatedFs::new();
        let mut log = opened(&fs);
        for lengths in groups {
            log.append(&group(log.tip().seq, 1, lengths)).expect("appended");
        }
        assert_eq!(counts(&log), expected, "{groups:?}");
        log.sync().expect("synced");
        assert_eq!(counts(&opened(&fs)), expected, "{groups:?} after opening again");
    }
}

#[test]
fn a_segment_takes_little_space_until_it_is_filled() {
    let fs = SimulatedFs::new();
    let directory = Path::new(DIRECTORY);
    let options = LocalLogOptions::default();
    let shared: Arc<dyn Fs> = Arc::new(fs.clone());
    let (mut log, _) = LocalLog::open(shared, directory, DATABASE, ORIGIN, options).expect("opens");
    let file = fs.open(&segment_file(Seq(101)), false).expect("opened");
    let mut lengths = vec![file.len().expect("a length")];
    while log.segments()[0].bytes < 12 << 20 {
        log.append(&group(log.tip().seq, 1, &[100 << 10])).expect("appended");
        let length = file.len().expect("a length");
        if lengths.last() != Some(&length) {
            lengths.push(length);
        }
    }
    let kib: Vec<u64> = lengths.iter().map(|length| length >> 10).collect();
    assert_eq!(kib, [256, 512, 1024, 2048, 4096, 8192, 12288, 16384]);
    log.roll().expect("rolled");
    assert_eq!(file.len().expect("a length"), log.segments()[0].bytes, "sealed: no more than used");
}

#[test]
fn a_torn_group_is_cut_wherever_it_was_torn() {
    let whole = {
        let fs = SimulatedFs::new();
        let mut log = opened(&fs);
        log.append(&group(ORIGIN.seq, 1, &[9])).expect("appended");
        log.sync().expect("synced");
        log.segments()[0].bytes
    };
    let torn = group(Seq(101), 1, &[30, 5]);
    let torn_bytes: u64 = torn.iter().map(|it| frame::encoded_bytes(it).expect("small")).sum();
    let first_bytes = frame::encoded_bytes(&torn[0]).expect("small");
    for written in 0..torn_bytes {
        let fs = SimulatedFs::new();
        let mut log = opened(&fs);
        log.append(&group(ORIGIN.seq, 1, &[9])).expect("appended");
        log.sync().expect("synced");
        log.append(&torn).expect("appended");
        drop(log);
        let file = fs.open(&segment_file(Seq(101)), true).expect("opened");
        file.truncate(whole + written).expect("torn");
        let (log, opening) = open(&fs).expect("opens");
        let (tip, cut) = if written < first_bytes { (101, 0) } else { (102, first_bytes) };
        assert_eq!(log.tip().seq, Seq(tip), "{written} bytes were written");
        // The last bytes that were written may be zeros, which need no cut.
        assert!(opening.cut_bytes <= written - cut, "{opening:?} of {written}");
        if opening.cut_bytes > 0 {
            assert_eq!(opening.cut_offset, whole + cut);
            assert_eq!(opening.cut_segment, Some(Seq(101)));
        }
        check_segments(&log, &read_all(&log).expect("readable"));
    }
}

#[test]
fn what_a_cut_leaves_can_never_come_back() {
    // Of three commits the middle one is torn. If the third stayed in the file, it would follow
    // a new second one of the same length, and be taken for what comes after it.
    let fs = SimulatedFs::new();
    let mut log = opened(&fs);
    log.append(&group(ORIGIN.seq, 1, &[9, 9, 9])).expect("appended");
    drop(log);
    fs.damage(&segment_file(Seq(101)), FRAMES_OFFSET + frame_bytes(9) + 30, 1);
    let (mut log, opening) = open(&fs).expect("nothing was synced, so this is a torn tail");
    assert_eq!(log.tip().seq, Seq(101));
    assert!(opening.cut_bytes > frame_bytes(9), "{opening:?}");
    log.append(&group(Seq(101), 2, &[9])).expect("appended");
    drop(log);
    assert_eq!(opened(&fs).tip().seq, Seq(102));
}

#[test]
fn a_value_that_holds_a_copy_of_the_log_is_only_a_value() {
    let fs = SimulatedFs::new();
    let mut log = opened(&fs);
    log.append(&group(ORIGIN.seq, 1, &[9, 9])).expect("appended");
    log.sync().expect("synced");
    let file = fs.open(&segment_file(Seq(101)), false).expect("opened");
    let bytes_before = log.segments()[0].bytes;
    let copy = file.read_at(0, 600).expect("read");
    let mut torn = committed(103, 1, 0);
    torn.batch.events[0].change = Change::Put(copy.into());
    log.append(&[torn]).expect("appended");
    drop(log);
    fs.damage(&segment_file(Seq(101)), bytes_before + 25, 1);
    let (log, opening) = open(&fs).expect("the copies prove nothing");
    assert_eq!(log.tip().seq, Seq(102));
    assert_eq!(opening.cut_offset, bytes_before);
}

#[test]
fn a_segment_that_never_got_its_name_is_removed() {
    let fs = SimulatedFs::new();
    let mut log = opened(&fs);
    log.append(&group(ORIGIN.seq, 1, &[9])).expect("appended");
    drop(log);
    let draft = Path::new(DIRECTORY).join(crate::names::SEGMENT_DRAFT);
    fs.create(&draft).expect("created").write_at(0, &[0; 99]).expect("written");
    let mut log = opened(&fs);
    assert_eq!(counts(&log), [1]);
    log.roll().expect("rolled");
    assert_eq!(fs.list(Path::new(DIRECTORY)).expect("listed").len(), 2);
}

#[test]
fn a_reader_can_stop_early_and_reads_what_is_not_synced() {
    let fs = SimulatedFs::new();
    let mut log = opened(&fs);
    log.append(&group(ORIGIN.seq, 1, &[9, 9, 9])).expect("appended");
    let active = log.segments()[0];
    let read = |last| {
        let segment = SegmentInfo { last, ..active };
        log.reader().read_segment(&segment).expect("opens").count()
    };
    assert_eq!([100, 101, 103].map(|last| read(Seq(last))), [0, 1, 3]);
    let mut frames =
        log.reader().read_segment(&SegmentInfo { last: Seq(104), ..active }).expect("opens");
    let error = frames.nth(3).expect("an error").expect_err("there is no such commit");
    assert!(error.to_string().contains("commits up to 104 were written"), "{error}");
}

#[test]
#[should_panic(expected = "seqs are dense")]
fn a_gap_is_a_bug() {
    let _ = opened(&SimulatedFs::new()).append(&[committed(102, 1, 1)]);
}

#[test]
#[should_panic(expected = "timestamps never decrease")]
fn a_step_back_in_time_is_a_bug() {
    let mut early = committed(101, 1, 1);
    early.commit.timestamp = Timestamp(ORIGIN.timestamp.0 - 1);
    let _ = opened(&SimulatedFs::new()).append(&[early]);
}
