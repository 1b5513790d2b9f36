//! Jobs come to an end, whatever the history, and no state is another after any of them.

use foldback_log_tier::remote::ListedObject;
use proptest::prelude::*;

use super::*;
use crate::change::{Applied, Change};

/// More than any history here takes.
const STEPS_MAX: usize = 300;

/// What a look finds: every file and manifest, all of them long there.
fn look(plane: &Plane) -> Surroundings {
    let object = |name: String| ListedObject { name, bytes: 1, modified: Timestamp(0) };
    let manifests = plane.manifest.number.saturating_sub(3).max(1)..=plane.manifest.number;
    Surroundings {
        manifests: manifests.map(|number| object(names::manifest(number))).collect(),
        history: plane.rows.keys().cloned().map(object).collect(),
        ..looked(plane, i64::MAX - 1)
    }
}

/// Does jobs until there is none, by the intervals as they were at what is sealed; says how many.
fn run(plane: &mut Plane, policy: Policy, now: i64) -> usize {
    let (all, sealed) = (plane.intervals.clone(), plane.manifest.sealed.seq);
    plane.intervals.retain(|interval| interval.first.seq <= sealed);
    for interval in &mut plane.intervals {
        interval.last = interval.last.filter(|last| last.seq <= sealed);
    }
    let steps = run_known(plane, policy, now);
    plane.intervals = all;
    steps
}

fn run_known(plane: &mut Plane, policy: Policy, now: i64) -> usize {
    let (avoid, mut around) = (BTreeSet::new(), None);
    for step in 0..STEPS_MAX {
        let next = |duty| {
            let given = JobInputs { duty, policy, now: Timestamp(now), ..inputs(plane, &avoid) };
            next_job(JobInputs { around: around.as_ref(), ..given })
        };
        match next(Duty::Sealing).or_else(|| next(Duty::Upkeep)) {
            None => return step,
            Some(Job::Look) => around = Some(look(plane)),
            Some(Job::Sweep(sweeping)) => {
                sweep(plane, sweeping, now);
                around = None;
            }
            Some(job) => do_job(plane, job, now),
        }
        plane.check();
    }
    panic!("there is no end to it");
}

fn sweep(plane: &mut Plane, sweeping: Sweeping, now: i64) {
    let Sweeping { decided_on, through, forgotten, objects, .. } = sweeping;
    plane.apply(&Change::Sweep { decided_on, through, forgotten }, now);
    for name in objects {
        assert!(plane.manifest.files.iter().all(|file| file.name != name), "{name} is listed");
        plane.rows.remove(&name);
    }
}

fn do_job(plane: &mut Plane, job: Job, now: i64) {
    let change = match job {
        Job::Base(table) => {
            let own = plane.intervals.iter().rfind(|interval| interval.table == table);
            let interval = *own.expect("it is protected");
            let at = plane.manifest.sealed.seq.0;
            Change::Add(plane.base(&interval, at, &KeyRange::all(), b"d"))
        }
        Job::Merge(deltas) => {
            let output = plane.merged(&deltas);
            Change::Replace { inputs: deltas.into_iter().map(|delta| delta.name).collect(), output }
        }
        Job::Fold(fold) => {
            let own = plane.intervals.iter().rfind(|interval| interval.table == fold.table);
            let interval = *own.expect("it is protected");
            let cuts = if fold.base.is_empty() { &b"bde"[..] } else { &b"c"[..] };
            let bytes: u64 = fold.base.iter().map(|file| file.bytes).sum();
            let cuts = if bytes > fold.file_bytes_target { cuts } else { b"" };
            Change::Add(plane.base(&interval, fold.at.seq.0, &fold.keys, cuts))
        }
        Job::Expire(expiry) => Change::Expire(expiry),
        Job::Seal(_) | Job::Look | Job::Sweep(_) => unreachable!("it is done elsewhere"),
    };
    let Applied::Next(next) = change.apply(&plane.manifest, plane.publishing(now)) else {
        panic!("what was decided on this manifest cannot be done to it: {change:?}");
    };
    plane.manifest = *next;
}

fn check_endings(mut plane: Plane) {
    let small = plane.dice.one_in(2);
    let policy = Policy {
        fold_bytes_min: plane.dice.between(1, 3_000),
        fold_files_max: usize::try_from(plane.dice.between(1, 8)).expect("it is small"),
        merge_fanout: usize::try_from(plane.dice.between(2, 4)).expect("it is small"),
        file_bytes_target: if small { 1_000 } else { 1 << 27 },
        ..POLICY
    };
    let mut now = 1_000;
    while plane.manifest.sealed.seq.0 < plane.tip() {
        let first = plane.manifest.sealed.seq.0 + 1;
        let last = plane.dice.between(first, plane.tip().min(first + 2));
        plane.seal(last);
        if plane.dice.one_in(4) {
            let horizon = plane.manifest.sealed.timestamp.0;
            run(&mut plane, policy, horizon);
            plane.pin_at_random();
        }
    }
    for _ in 0..8 {
        plane.pin_at_random();
        run(&mut plane, policy, now);
        assert_eq!(run(&mut plane, policy, now), 0, "what has come to an end stays so");
        now += 40;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn jobs_come_to_an_end_and_change_no_state(seed in any::<u64>()) {
        check_endings(Plane::random(seed));
    }

    #[test]
    fn rows_of_kilobytes_come_to_an_end_too(seed in any::<u64>()) {
        let mut plane = Plane::random(seed);
        plane.row_bytes = 40 * 1024;
        check_endings(plane);
    }
}

#[test]
fn twenty_tables_come_to_an_end() {
    let mut plane = Plane::new(7);
    plane.times = (1..=40).map(|seq| seq * 10).collect();
    for table in 0..20 {
        let (first, last) = (plane.commit(0), None);
        let (starts_empty, retention_micros) = (true, Some(60));
        let table = TableId(table);
        let shortens = None;
        plane.intervals.push(Interval {
            table,
            first,
            last,
            starts_empty,
            retention_micros,
            shortens,
        });
        for seq in (1..=40).filter(|seq| seq % (table.0 + 1) == 0) {
            let key = b'a' + u8::try_from((seq + table.0) % 6).expect("it is small");
            plane.events.push(Row { table, key, seq, value: Some(seq) });
        }
    }
    plane.events.sort_by_key(|row| row.seq);
    plane.row_bytes = 5_000;
    check_endings(plane);
}
