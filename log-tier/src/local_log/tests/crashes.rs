//! Power cuts at any moment: every synced commit is there, and nothing that was not appended.

use proptest::prelude::*;

use super::*;

/// A log, what was appended to it, and how much of that must survive.
struct CrashTest {
    fs: SimulatedFs,
    appended: Vec<CommittedBatch>,
    synced: usize,
    /// Makes the commits after each crash different from those that the crash took.
    tag: u8,
}

/// What a process does between two crashes.
#[derive(Clone, Debug)]
struct Life {
    /// Lengths of the values of each group, and whether a sync, or a roll, follows it.
    groups: Vec<(Vec<usize>, bool, bool)>,
    /// The operation on the file system that fails, if the process gets to it.
    fails_at: u64,
    /// Decides what survives.
    crash_seed: u64,
    /// Whether only the process ends, with everything that it wrote still to be read.
    power_stays: bool,
}

fn life() -> impl Strategy<Value = Life> {
    let lengths = prop::collection::vec(
        prop_oneof![5 => Just(100), 4 => 0_usize..300, 1 => 0_usize..4000],
        1..4,
    );
    let group = (lengths, prop::bool::weighted(0.4), prop::bool::weighted(0.1));
    (prop::collection::vec(group, 0..12), 1..120_u64, any::<u64>(), prop::bool::weighted(0.2))
        .prop_map(|(groups, fails_at, crash_seed, power_stays)| Life {
            groups,
            fails_at,
            crash_seed,
            power_stays,
        })
}

impl CrashTest {
    fn new() -> Self {
        Self { fs: SimulatedFs::new(), appended: Vec::new(), synced: 0, tag: 0 }
    }

    /// Opens the log, works until something fails or nothing is left to do, then crashes.
    fn live(&mut self, life: &Life) {
        self.tag += 1;
        self.fs.fail_operation(life.fails_at);
        let _ = self.work(&life.groups);
        if life.power_stays {
            self.fs.kill();
        } else {
            self.fs.crash(life.crash_seed);
        }
    }

    fn work(&mut self, groups: &[(Vec<usize>, bool, bool)]) -> Result<()> {
        let (mut log, _) = open(&self.fs)?;
        self.check(&read_all(&log)?);
        for (lengths, sync, roll) in groups {
            let group = group(log.tip().seq, self.tag, lengths);
            self.appended.extend(group.iter().cloned());
            let appended = log.append(&group);
            self.note(&log);
            appended?;
            if *sync {
                let synced = log.sync();
                self.note(&log);
                synced?;
            }
            if *roll {
                let rolled = log.roll();
                self.note(&log);
                rolled?;
            }
        }
        Ok(())
    }

    /// Remembers what the log says is durable.
    fn note(&mut self, log: &LocalLog) {
        self.synced = usize::try_from(log.durable_tip().seq.0 - ORIGIN.seq.0).expect("not many");
    }

    /// Checks what an opened log holds, all of which is durable from now on.
    fn check(&mut self, found: &[CommittedBatch]) {
        assert!(found.len() >= self.synced, "{} of {} are left", found.len(), self.synced);
        assert_eq!(found, &self.appended[..found.len()], "the log holds a prefix");
        self.appended.truncate(found.len());
        self.synced = found.len();
    }

    /// Opens the log without any failure; that must work.
    fn check_opens(&mut self) {
        let log = opened(&self.fs);
        let found = read_all(&log).expect("readable");
        check_segments(&log, &found);
        assert_eq!(log.durable_tip(), log.tip());
        self.check(&found);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn a_log_survives_any_life(lives in prop::collection::vec(life(), 1..6)) {
        let mut test = CrashTest::new();
        for life in &lives {
            test.live(life);
        }
        test.check_opens();
    }
}

#[test]
fn a_log_survives_a_crash_at_every_operation() {
    let groups = vec![
        (vec![10, 200, 30], true, false),
        (vec![600], false, false),
        (vec![600, 500], true, true),
        (vec![5000], false, false),
        (vec![1], true, false),
        (vec![700, 700], true, false),
        (vec![3], false, false),
    ];
    let mut without_failure = CrashTest::new();
    without_failure.live(&Life {
        groups: groups.clone(),
        fails_at: u64::MAX / 2,
        crash_seed: 0,
        power_stays: false,
    });
    for fails_at in 1..=without_failure.fs.operations() {
        for crash_seed in 0..20 {
            let mut test = CrashTest::new();
            let life = Life { groups: groups.clone(), fails_at, crash_seed, power_stays: false };
            test.live(&life);
            test.live(&Life { fails_at: fails_at / 2 + 1, ..life });
            test.check_opens();
        }
    }
}

#[test]
fn what_an_opened_log_holds_is_durable_even_if_a_sync_had_failed_before() {
    // After a failed sync the operating system may show bytes that it will never write. A process
    // that opens the log and reads them must not take them for durable as they are.
    for crash_seed in 0..100 {
        let mut test = CrashTest::new();
        let mut log = opened(&test.fs);
        let group = group(ORIGIN.seq, 1, &[700, 700]);
        test.appended.extend(group.iter().cloned());
        log.append(&group).expect("appended");
        test.fs.fail_syncs();
        log.sync().expect_err("syncs fail");
        test.fs.kill();
        test.check_opens();
        assert_eq!(test.synced, 2, "all could be read");
        test.fs.crash(crash_seed);
        test.check_opens();
    }
}

#[test]
fn zeros_that_a_failed_sync_did_not_write_are_written_again() {
    // A torn commit is cut at open, but the sync of the zeros fails. The next process sees zeros
    // where the disk still has a sound frame, which must not follow a new one after a power cut.
    // For that the sound frame has to begin with a sector.
    const TO_SECTOR_END: usize = 868;
    let first = frame::encoded_bytes(&committed(101, 1, TO_SECTOR_END)).expect("small");
    assert_eq!(crate::segment::FRAMES_OFFSET + first, 1024);
    for (fails_at, seed) in (1..25).flat_map(|fails_at| (0..40).map(move |seed| (fails_at, seed))) {
        let mut test = CrashTest::new();
        let life = |groups, fails_at, power_stays| Life {
            groups,
            fails_at,
            crash_seed: seed,
            power_stays,
        };
        test.live(&life(vec![(vec![TO_SECTOR_END, 100], false, false)], 1000, false));
        test.live(&life(vec![], fails_at, true));
        test.live(&life(vec![(vec![TO_SECTOR_END], true, false)], 1000, false));
        test.check_opens();
    }
}

#[test]
fn the_mark_is_left_by_open_too() {
    let fs = SimulatedFs::new();
    let mut log = opened(&fs);
    log.append(&group(ORIGIN.seq, 1, &[10])).expect("appended");
    fs.kill();
    let end = opened(&fs).segments()[0].bytes;
    fs.damage(&segment_file(ORIGIN.seq.next()), end - 1, 1);
    open(&fs).expect_err("the last byte of a commit that was durable is wrong");
}
