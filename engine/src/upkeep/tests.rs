//! Upkeep under everything that can come between: writes, seals, crashes at any call to the object
//! store, other processes, stalls, and clocks.

use std::sync::Arc;

use foldback_log_tier::TableId;
use proptest::prelude::*;

use super::*;
use crate::clock::Clock;

mod crashes;
mod delays;
mod stalls;
mod world;

use world::{EAGER, Process, SECOND, World, outline};

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    Write {
        table: u64,
        rows: Vec<(u8, Option<u8>)>,
    },
    Seal,
    KeepUp,
    Pass {
        secs: i64,
    },
    Protect {
        table: u64,
        secs: Option<u64>,
    },
    Unprotect {
        table: u64,
    },
    /// A pin is recorded; it is made sure of, or taken back, by `FinishBackups`.
    Pin {
        table: u64,
        back: u64,
    },
    FinishBackups,
    DeleteBackup {
        which: usize,
    },
    Drop {
        table: u64,
    },
    /// The process dies in its call to the store with this number, while it does the next step.
    Die {
        call: u64,
        takes_effect: bool,
    },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let rows = prop::collection::vec((0..40_u8, prop::option::weighted(0.8, 0..250_u8)), 1..12);
    let retention = prop::option::weighted(0.8, 100..2_000_u64);
    prop_oneof![
        6 => (1..4_u64, rows).prop_map(|(table, rows)| Step::Write { table, rows }),
        4 => Just(Step::Seal),
        3 => Just(Step::KeepUp),
        3 => (1..1_500_i64).prop_map(|secs| Step::Pass { secs }),
        1 => (1..4_u64, retention).prop_map(|(table, secs)| Step::Protect { table, secs }),
        1 => (1..4_u64).prop_map(|table| Step::Unprotect { table }),
        2 => (1..4_u64, 0..30_u64).prop_map(|(table, back)| Step::Pin { table, back }),
        2 => Just(Step::FinishBackups),
        1 => any::<usize>().prop_map(|which| Step::DeleteBackup { which }),
        2 => (0..40_u64, any::<bool>())
            .prop_map(|(call, takes_effect)| Step::Die { call, takes_effect }),
        1 => Just(Step::Reopen),
        1 => prop::option::weighted(0.3, 1..4_u64).prop_map(|table| match table {
            Some(table) => Step::Drop { table },
            None => Step::Seal,
        }),
    ]
}

/// A world with three tables, of which two are protected.
fn inhabited() -> (World, Process) {
    let mut world = World::new();
    (1..4).for_each(|table| world.create(table));
    world.protect(1, Some(300));
    world.protect(2, Some(1_000));
    world.write(3, &[(1, Some(1)), (2, Some(2))]);
    let process = world.start(true, EAGER);
    (world, process)
}

/// Does one step. A process that has died in it is replaced by a new one.
fn take(world: &mut World, process: &mut Process, step: &Step) {
    let done = match step {
        Step::Write { table, rows } => {
            world.write(*table, rows);
            Ok(())
        }
        Step::Seal => world.seal(process),
        Step::KeepUp => world.keep_up(process),
        Step::Pass { secs } => {
            world.clock.advance(secs * SECOND);
            Ok(())
        }
        Step::Protect { table, secs } => {
            world.protect(*table, *secs);
            Ok(())
        }
        Step::Unprotect { table } => {
            world.unprotect(*table);
            Ok(())
        }
        Step::Pin { table, back } => {
            world.pin(*table, *back);
            Ok(())
        }
        Step::FinishBackups => world.finish_backups(process),
        Step::DeleteBackup { which } => {
            world.delete_backup(*which);
            Ok(())
        }
        Step::Drop { table } => {
            world.drop_table(*table);
            Ok(())
        }
        Step::Die { call, takes_effect } => {
            process.store.crash_after(*call, *takes_effect);
            Ok(())
        }
        Step::Reopen => {
            *process = reopen(world);
            Ok(())
        }
    };
    if done.is_err() {
        *process = reopen(world);
    }
}

/// A new process in the place of the writer that was.
fn reopen(world: &mut World) -> Process {
    let process = world.start(true, EAGER);
    world.delete_unfinished_backups();
    process
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// Whatever is written, sealed, merged, folded, expired and swept in whatever order, and
    /// wherever a process dies: every instant of every window restores to what the table was.
    #[test]
    fn every_instant_of_every_window_restores(steps in prop::collection::vec(step(), 5..60)) {
        let (mut world, mut process) = inhabited();
        for step in &steps {
            take(&mut world, &mut process, step);
            if matches!(step, Step::KeepUp | Step::Seal | Step::FinishBackups) {
                world.check();
            }
        }
        let mut process = world.start(true, EAGER);
        world.seal(&process).expect("the store is fine");
        world.keep_up(&mut process).expect("the store is fine");
        world.check();
    }
}

/// Few, and many in a long run.
fn cases() -> u32 {
    if is_long() { 1_500 } else { 64 }
}

/// Whether the tests may take their time.
fn is_long() -> bool {
    std::env::var_os("FOLDBACK_LONG").is_some()
}

/// Nothing that is needed goes, and what is not needed does.
#[test]
fn a_bucket_holds_no_more_than_its_windows_need() {
    let (mut world, mut process) = inhabited();
    for round in 0..200_u8 {
        let rows: Vec<_> =
            (0..10).map(|at| ((round.wrapping_mul(7) + at) % 40, Some(round))).collect();
        world.write(1, &rows);
        world.write(2, &rows[..3]);
        world.seal(&process).expect("the store is fine");
        world.keep_up(&mut process).expect("the store is fine");
        world.clock.advance(30 * SECOND);
    }
    world.check();
    let manifest = world.manifest();
    let deltas = manifest.files.iter().filter(|file| file.name.contains("/delta"));
    let oldest = deltas.map(|file| file.first.timestamp).min().expect("deltas");
    // Table 2 is kept for 1,000 seconds, and a base lies a little below that.
    assert!(world.clock.now().0 - oldest.0 < 2_500 * SECOND, "{}", outline(&manifest));
    // Of what is not listed, only what waits for its grace is there.
    let listed: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    let removed: u64 = manifest.removed.iter().map(|removed| removed.bytes).sum();
    let objects = world.objects();
    let history = objects.iter().filter(|(name, _)| name.starts_with("history/"));
    let held: u64 = history.map(|(_, bytes)| bytes).sum();
    assert!(
        held <= listed + removed,
        "{held} bytes of history, {listed} listed, {removed} removed"
    );
    let manifests = objects.iter().filter(|(name, _)| name.starts_with("manifest/")).count();
    assert!(manifests < 40, "{manifests} manifests");
}

/// A table that nobody writes to any more is restorable for ever, and does not hold on to the
/// history of others.
#[test]
fn an_idle_table_stays_and_holds_nothing_back() {
    let (mut world, mut process) = inhabited();
    world.write(1, &[(1, Some(1)), (2, Some(2)), (3, Some(3))]);
    world.write(1, &[(2, None)]);
    for round in 0..100_u8 {
        world.write(2, &[(round % 40, Some(round))]);
        world.seal(&process).expect("the store is fine");
        world.keep_up(&mut process).expect("the store is fine");
        world.clock.advance(100 * SECOND);
    }
    world.check();
    let manifest = world.manifest();
    let deltas = manifest.files.iter().filter(|file| file.name.contains("/delta"));
    let oldest = deltas.map(|file| file.first.timestamp).min().expect("deltas");
    assert!(world.clock.now().0 - oldest.0 < 4_000 * SECOND, "{}", outline(&manifest));
    let idle = world.clock.now().0 - 300 * SECOND;
    let windows = world.windows(1);
    assert!(windows.iter().any(|window| window.earliest.0 <= idle), "{windows:?}");
}

/// A backup outlives the retention and the table, and what it held goes once it was deleted.
#[test]
fn a_backup_is_exact_until_it_is_deleted_and_then_holds_nothing() {
    let (mut world, mut process) = inhabited();
    let keep_up = |world: &mut World, process: &mut Process| {
        world.seal(process).expect("the store is fine");
        world.keep_up(process).expect("the store is fine");
        world.check();
    };
    for round in 0..60_u8 {
        world.write(1, &[(round % 20, Some(round)), (round % 7, None)]);
        if round == 20 {
            world.pin(1, 2);
            world.finish_backups(&process).expect("the store is fine");
        }
        if round == 40 {
            world.drop_table(1);
        }
        world.write(2, &[(round % 40, Some(round))]);
        keep_up(&mut world, &mut process);
        world.clock.advance(60 * SECOND);
    }
    assert_eq!((world.finished_backups(), world.windows(1).len()), (1, 0));
    assert!(world.pinned_bytes() > 0);
    world.delete_backup(0);
    keep_up(&mut world, &mut process);
    let manifest = world.manifest();
    assert_eq!(world.pinned_bytes(), 0, "{}", outline(&manifest));
    let is_base = |file: &&HistoryEntry| file.is_base_of(TableId(1));
    assert_eq!(manifest.files.iter().find(is_base), None);
}

/// Keys that come, wait and go, as those of a queue do, leave no files behind.
#[test]
fn a_table_whose_keys_move_on_does_not_leave_pieces_behind() {
    let (mut world, _) = inhabited();
    // A few rows a file.
    let mut process = world.start(true, Policy { file_bytes_target: 1_500, ..EAGER });
    let mut most = 0;
    for round in 0..220_u8 {
        let next: Vec<_> = (0..3).map(|at| (round.saturating_add(at), Some(round))).collect();
        world.write(1, &next);
        world.write(1, &[(round.saturating_sub(30), None)]);
        world.seal(&process).expect("the store is fine");
        world.keep_up(&mut process).expect("the store is fine");
        world.clock.advance(100 * SECOND);
        if round > 60 {
            let manifest = world.manifest();
            let bases = manifest.files.iter().filter(|file| file.name.contains("/base"));
            most = most.max(bases.count());
        }
    }
    world.check();
    assert!(most < 28, "{most} pieces: {}", outline(&world.manifest()));
}

/// A clock that is wrong by a century deletes nothing, until an operator says that it is right.
#[test]
fn a_leap_of_a_century_deletes_nothing() {
    let (mut world, mut process) = inhabited();
    for round in 0..20_u8 {
        world.write(1, &[(round, Some(round)), (0, Some(round))]);
        world.seal(&process).expect("the store is fine");
        world.keep_up(&mut process).expect("the store is fine");
        world.clock.advance(20 * SECOND);
    }
    let before = (world.manifest().files, world.objects().len());
    let century = 100 * 365 * 24 * 3600 * SECOND;
    world.clock.advance(century);
    // No rewriting, so that whatever goes is given up or swept.
    let still = Policy {
        merge_fanout: 1_000,
        fold_bytes_min: u64::MAX,
        fold_files_max: usize::MAX,
        ..EAGER
    };
    for round in 0..5_u8 {
        world.write(1, &[(round, None)]);
        process = world.start(true, still);
        world.seal(&process).expect("the store is fine");
        world.keep_up(&mut process).expect("the store is fine");
    }
    let after = (world.manifest(), world.objects());
    let is_there = |file: &HistoryEntry| {
        after.0.files.contains(file) && after.1.iter().any(|(name, _)| *name == file.name)
    };
    assert!(before.0.iter().all(is_there), "{}", outline(&after.0));
    assert!(after.1.len() > before.1);
    assert!(held_back(&after.0, world.clock.now()).is_some_and(|why| why.contains("--confirm")));

    let mut process = world.start(true, EAGER);
    process.tools.publish(Change::Confirm).expect("the store is fine");
    world.keep_up(&mut process).expect("the store is fine");
    assert!(!before.0.iter().all(|file| world.manifest().files.contains(file)));
    world.check();
}

/// An operator is told why nothing expires, and of nothing else.
#[test]
fn what_holds_expiry_back_is_told() {
    let mut manifest = Manifest::empty(foldback_log_tier::DatabaseId::random());
    let day = 24 * 3600 * SECOND;
    let now = Timestamp(20_000 * day);
    manifest.clock = now;
    assert_eq!(held_back(&manifest, now), None, "nothing was sealed yet, and so nothing is kept");
    let at = |timestamp| foldback_log_tier::Commit { seq: Seq(1), timestamp };
    manifest.sealed = at(now);
    assert_eq!(held_back(&manifest, now), None);
    manifest.sealed = at(now.saturating_add_micros(-8 * day));
    assert!(held_back(&manifest, now).is_some_and(|why| why.contains("no commit was sealed")));
    manifest.sealed = at(now.saturating_add_micros(8 * day));
    assert!(held_back(&manifest, now).is_some_and(|why| why.contains("long after now")));
}

/// A file that can't be read is told of for as long as it is in use, and not once only.
#[test]
fn a_file_that_cannot_be_read_is_told_of_while_it_is_in_use() {
    let (mut world, mut process) = inhabited();
    for round in 0..3_u8 {
        world.write(1, &[(round, Some(round))]);
        world.seal(&process).expect("the store is fine");
    }
    let ground = world.ground();
    let lost = ground.manifest.files[0].name.clone();
    let (remote, objects) = (process.tools.publisher.remote().clone(), vec![lost.clone()]);
    process.tools.network.run(async move { remote.delete(&objects).await }).expect("it is there");
    let job = Job::Merge(ground.manifest.files[..2].to_vec());
    let failed = process.upkeep.run(job, &ground);
    assert!(matches!(failed, Err(Error::Tier(TierError::Missing { .. }))), "{failed:?}");
    let _ = process.upkeep.next(&ground);
    assert!(process.upkeep.trouble().is_some_and(|why| why.contains(&lost)));
    let gone = Ground { manifest: Arc::new(Manifest::empty(ground.manifest.database)), ..ground };
    let _ = process.upkeep.next(&gone);
    assert_eq!(process.upkeep.trouble(), None);
}
