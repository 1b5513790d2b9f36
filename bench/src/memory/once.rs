//! One stage of the memory suite, in a process of its own.

use std::collections::VecDeque;

use foldback::{
    Config, Database, KeyRange, Retention, Selection, Seq, Table, Target, WriteBatch, WriteOptions,
};

use super::{MemoryOutcome, MemoryRun, MemoryStage};
use crate::{Error, Fingerprint, Meter, Random, Result, Usage, compact_bucket};

/// The table.
const TABLE: &str = "memory";
/// The table that it is restored to.
const RESTORED: &str = "restored";
/// Batches that are under way at once.
const UNDER_WAY: usize = 8;
/// Batches of which rows of the past are read.
const PROBES: u64 = 1_000;

/// Does one stage, in this process, and checks what it reads.
///
/// # Errors
///
/// What the engine fails with; [`Error::Wrong`] if what is read is not what was written.
pub fn memory_once(run: &MemoryRun) -> Result<MemoryOutcome> {
    let meter = Meter::start();
    match run.stage {
        MemoryStage::Commit => {
            let database = Database::open(Config { compactor: false, ..config(run) })?;
            database.create_table(TABLE)?;
            database.protect(TABLE, Retention::Forever)?;
            write(run, &database, 0, &meter)
        }
        MemoryStage::Fold => fold(run, &meter),
        MemoryStage::AllAtOnce => write(run, &Database::open(config(run))?, 1, &meter),
        MemoryStage::Restore => restore(run, &meter),
        MemoryStage::Read => read(run, &meter),
    }
}

/// The default settings.
fn config(run: &MemoryRun) -> Config {
    let mut config = Config::new(&run.directory);
    run.bucket.choose_in(&mut config);
    config
}

/// Commits all rows, seals them, and does what upkeep is this process's until none is due.
fn write(run: &MemoryRun, database: &Database, pass: u64, meter: &Meter) -> Result<MemoryOutcome> {
    let (table, inserts) = (database.table(TABLE)?.id(), run.inserts(pass)?);
    let mut under_way = VecDeque::new();
    for number in 0..run.batches {
        let mut batch = WriteBatch::new();
        for row in inserts.batch(0, number) {
            batch.put(table, row.key, row.value.expect("it is an insert"));
        }
        under_way.push_back(database.write(batch, WriteOptions::default()));
        if under_way.len() == UNDER_WAY {
            under_way.pop_front().map_or(Ok(()), |handle| handle.wait().map(drop))?;
        }
    }
    under_way.into_iter().try_for_each(|handle| handle.wait().map(drop))?;
    let last = database.seal()?;
    if run.stage == MemoryStage::AllAtOnce {
        database.compact()?;
    }
    Ok(outcome(meter.read(), run.batches * run.batch_events, last.seq))
}

fn fold(run: &MemoryRun, meter: &Meter) -> Result<MemoryOutcome> {
    let cost = compact_bucket(&run.bucket())?;
    match cost.jobs {
        0 => Err(Error::Wrong("nothing was merged or folded".to_owned())),
        jobs => Ok(outcome(meter.read(), jobs, Seq(run.first_seq))),
    }
}

fn restore(run: &MemoryRun, meter: &Meter) -> Result<MemoryOutcome> {
    let database = Database::open(Config { compactor: false, ..config(run) })?;
    let plan = database.plan(TABLE, Target::Latest, &Selection::all())?;
    database.restore(&plan, RESTORED)?;
    let usage = meter.read();
    let rows = check_all(run, &database.table(RESTORED)?)?;
    let seq = database.drop_table(RESTORED)?.seq;
    Ok(outcome(usage, rows, seq))
}

/// Reads all of the present, and rows of either state by key where history lies.
fn read(run: &MemoryRun, meter: &Meter) -> Result<MemoryOutcome> {
    let database = Database::open(Config { compactor: false, ..config(run) })?;
    let table = database.table(TABLE)?;
    let rows = check_all(run, &table)?;
    let mut random = Random::new(run.seed);
    for (pass, target) in [(0, Target::Seq(Seq(run.first_seq))), (1, Target::Latest)] {
        let (inserts, view) = (run.inserts(pass)?, table.as_of(target)?);
        for _ in 0..PROBES {
            let row = inserts.batch(0, random.below(run.batches)).pop();
            let row = row.expect("a batch is not empty");
            if view.get(&row.key)?.as_deref() != row.value.as_deref() {
                let key = row.key.escape_ascii();
                return Err(Error::Wrong(format!("key \"{key}\" held something else")));
            }
        }
    }
    Ok(outcome(meter.read(), rows, Seq(run.first_seq)))
}

/// Compares a table with what was written last; returns its rows.
fn check_all(run: &MemoryRun, table: &Table) -> Result<u64> {
    let mut found = Fingerprint::default();
    for row in table.range(&KeyRange::all())? {
        let (key, value) = row?;
        found.add(&key, &value);
    }
    let expected = run.inserts(1)?.fingerprint(&[run.batches]);
    match found == expected {
        true => Ok(found.rows),
        false => Err(Error::Wrong(format!("{found:?} came back instead of {expected:?}"))),
    }
}

fn outcome(usage: Usage, count: u64, seq: Seq) -> MemoryOutcome {
    let Usage { wall_micros, cpu_micros, peak_kib } = usage;
    MemoryOutcome { wall_micros, cpu_micros, peak_kib, count, seq: seq.0 }
}
