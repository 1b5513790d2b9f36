//! Two compactors and a writer at once, one of them stalled between each pair of its calls.

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use super::*;

/// Runs a compactor's upkeep; before its call `call`, everybody else lives through much longer
/// than the grace. Says whether it made that call.
fn run(call: u64) -> bool {
    let (mut world, writer) = inhabited();
    for round in 0..6_u8 {
        let rows: Vec<_> = (0..8).map(|at| ((round * 5 + at) % 24, Some(round + at))).collect();
        world.write(1, &rows);
        world.write(2, &rows[..2]);
        world.seal(&writer).expect("the store is fine");
        world.clock.advance(60 * SECOND);
    }
    let stalled = world.start(false, EAGER);
    let world = Arc::new(Mutex::new((world, writer)));
    let (others, count) = (Arc::clone(&world), AtomicU64::new(0));
    stalled.store.before_each(Arc::new(move |_, _| {
        if count.fetch_add(1, Ordering::SeqCst) == call {
            let (world, writer) = &mut *others.lock().expect("nobody panics");
            let mut rival = world.start(false, EAGER);
            for round in 0..4_u8 {
                world.write(1, &[(round, None), (round + 30, Some(round))]);
                world.seal(writer).expect("the store is fine");
                world.keep_up(&mut rival).expect("the store is fine");
                // Longer than the grace, and than a lease.
                world.clock.advance(700 * SECOND);
            }
            world.check();
        }
    }));
    let mut stalled = stalled;
    let first = stalled.store.calls();
    stalled.upkeep.start_over();
    loop {
        let ground = world.lock().expect("nobody panics").0.ground();
        let Some(job) = stalled.upkeep.next(&ground) else { break };
        if stalled.upkeep.run(job, &ground).is_err() {
            break;
        }
    }
    let made = stalled.store.calls() - first;
    let (world, writer) = &mut *world.lock().expect("nobody panics");
    world.check();
    world.seal(writer).expect("the store is fine");
    let mut last = world.start(false, EAGER);
    world.keep_up(&mut last).expect("the store is fine");
    world.check();
    made > call
}

#[test]
fn whoever_stalls_between_two_calls_deletes_nothing_that_is_needed() {
    let every = if is_long() { 1 } else { 3 };
    let mut call = 0;
    while run(call) {
        call += every;
    }
    assert!(call > 30, "a compactor makes only {call} calls");
}

/// A process that has not published for long goes on from what others did: what it made was born
/// too early, and thrown away once it was whole.
#[test]
fn what_is_made_after_a_long_rest_is_not_in_vain() {
    let (mut world, writer) = inhabited();
    for round in 0..2_u8 {
        world.write(1, &[(round, Some(round))]);
        world.seal(&writer).expect("the store is fine");
    }
    let mut rested = world.start(false, EAGER);
    let ground = world.ground();
    let still = Policy {
        merge_fanout: 1_000,
        fold_bytes_min: u64::MAX,
        fold_files_max: usize::MAX,
        ..EAGER
    };
    let mut rival = world.start(false, still);
    for _ in 0..3 {
        world.clock.advance(80 * SECOND);
        world.write(2, &[(1, Some(1))]);
        world.seal(&writer).expect("the store is fine");
        world.keep_up(&mut rival).expect("the store is fine");
    }
    assert!(world.manifest().swept >= ground.manifest.number, "{}", outline(&world.manifest()));
    let deltas = ground.manifest.files[..2].to_vec();
    let first = deltas[0].clone();
    rested.upkeep.run(Job::Merge(deltas), &ground).expect("the store is fine");
    assert!(!world.manifest().files.contains(&first), "they are one file now");
    world.check();
}
