//! A process that dies in each of its calls to the object store in turn.

use super::*;

/// A short life with everything in it: merges, folds, expiries, sweeps.
fn script() -> Vec<Step> {
    let rows = |from: u8| (from..from + 8).map(|key| (key % 20, Some(key))).collect::<Vec<_>>();
    let mut steps = Vec::new();
    for round in 0..8_u8 {
        steps.push(Step::Write { table: 1, rows: rows(round * 3) });
        steps.push(Step::Write { table: 2, rows: rows(round)[..2].to_vec() });
        if round == 2 {
            steps.push(Step::Protect { table: 3, secs: Some(400) });
        }
        match round {
            1 | 4 => steps.extend([Step::Pin { table: 1, back: 1 }, Step::FinishBackups]),
            3 => steps.push(Step::DeleteBackup { which: 0 }),
            6 => steps.push(Step::Drop { table: 1 }),
            _ => {}
        }
        steps.push(Step::Seal);
        steps.push(Step::Pass { secs: 120 });
        steps.push(Step::KeepUp);
    }
    steps
}

/// Runs the script, with a death in call `call` if the process makes so many; says whether it did.
fn run(call: u64, takes_effect: bool) -> bool {
    let (mut world, mut process) = inhabited();
    let first = process.store.calls();
    process.store.crash_after(call, takes_effect);
    let mut has_died = false;
    for step in script() {
        let of_old = Arc::clone(&process.store);
        take(&mut world, &mut process, &step);
        let died = of_old.calls() - first > call;
        if died && !has_died {
            has_died = true;
            world.check();
        }
    }
    let mut process = world.start(true, EAGER);
    world.seal(&process).expect("the store is fine");
    world.keep_up(&mut process).expect("the store is fine");
    world.check();
    has_died
}

#[test]
fn a_death_in_any_call_loses_nothing() {
    let every = if is_long() { 1 } else { 7 };
    let mut call = 0;
    loop {
        let died = run(call, call % 2 == 0);
        if every == 1 {
            run(call, call % 2 == 1);
        }
        if !died {
            break;
        }
        call += every;
    }
    assert!(call > 100, "the script makes only {call} calls");
}
