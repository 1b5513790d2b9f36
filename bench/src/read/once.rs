//! One run of the read suite, in a process of its own.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use rustix::fs::{Advice, fadvise};

use super::model::Model;
use super::{READ_MEMTABLE_BYTES, ReadOutcome, ReadRun, ReadWorkload};
use crate::{
    BucketChoice, Engine, EngineSettings, Error, Fingerprint, Latencies, Meter, Operation, Result,
    RowChange, Trace, Usage, Ycsb,
};

/// Rows of a batch while a table is loaded.
const LOAD_ROWS: usize = 1_000;

/// Loads the table of a run, in this process.
///
/// # Errors
///
/// What the engine fails with.
pub fn load_once(run: &ReadRun) -> Result<()> {
    let engine = open(run)?;
    load(engine.as_ref(), run)?;
    engine.rest()?;
    engine.close()
}

/// Reads and writes as `run` says, in this process, and then checks what was returned.
///
/// # Errors
///
/// What the engine fails with; [`Error::Wrong`] if it answers anything else than it should.
pub fn read_once(run: &ReadRun) -> Result<ReadOutcome> {
    let engine = open(run)?;
    match run.cold {
        true => {
            // What it does when it is opened would bring pages back.
            engine.settle()?;
            forget_pages(&run.directory)?;
        }
        false => drop(contents(engine.as_ref())?),
    }
    let mut client = Client::default();
    let meter = Meter::start();
    client.run(engine.as_ref(), run)?;
    let Usage { wall_micros, cpu_micros, peak_kib } = meter.read();
    let found = contents(engine.as_ref())?;
    engine.close()?;
    check(run, &client, found)?;
    Ok(ReadOutcome {
        wall_micros,
        cpu_micros,
        peak_kib,
        gets: client.gets.figures(),
        ranges: client.ranges.figures(),
        writes: client.writes.figures(),
    })
}

fn open(run: &ReadRun) -> Result<Box<dyn Engine>> {
    let settings = EngineSettings {
        durable: false,
        memtable_bytes: READ_MEMTABLE_BYTES,
        bucket: BucketChoice::default(),
    };
    run.engine.open(&run.directory, &settings)
}

fn load(engine: &dyn Engine, run: &ReadRun) -> Result<()> {
    let ReadWorkload::Ycsb(options) = run.workload else { return Ok(()) };
    let client = Ycsb::new(options, 0, 1)?;
    let mut rows = client.load().peekable();
    while rows.peek().is_some() {
        let batch = rows.by_ref().take(LOAD_ROWS);
        let batch = batch.map(|(key, value)| RowChange { key, value: Some(value) }).collect();
        engine.commit(batch)?;
    }
    Ok(())
}

fn contents(engine: &dyn Engine) -> Result<Fingerprint> {
    let mut found = Fingerprint::default();
    engine.scan(&[], usize::MAX, &mut |key, value| found.add(key, value))?;
    Ok(found)
}

/// Does the same to a map in memory, and compares.
fn check(run: &ReadRun, client: &Client, found: Fingerprint) -> Result<()> {
    let model = Model::default();
    load(&model, run)?;
    let mut expected = Client::default();
    expected.run(&model, run)?;
    let name = run.engine.name();
    if client.answers != expected.answers {
        return Err(Error::Wrong(format!("{name} has answered a read otherwise than it should")));
    }
    let held = contents(&model)?;
    match found == held {
        true => Ok(()),
        false => Err(Error::Wrong(format!("{name} holds {found:?} instead of {held:?}"))),
    }
}

/// Has the kernel drop all pages of the files of a directory, which are synced first. Files that
/// the engine removes meanwhile have none.
pub(crate) fn forget_pages(directory: &Path) -> Result<()> {
    for entry in std::fs::read_dir(directory).map_err(Error::io("list", directory))? {
        let path = entry.map_err(Error::io("list", directory))?.path();
        if path.is_dir() {
            forget_pages(&path)?;
            continue;
        }
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            opened => opened.map_err(Error::io("open", &path))?,
        };
        file.sync_all().map_err(Error::io("sync", &path))?;
        fadvise(&file, 0, None, Advice::DontNeed)
            .map_err(|error| Error::io("drop from memory", &path)(error.into()))?;
    }
    Ok(())
}

/// Who asks, and what was answered.
#[derive(Default)]
struct Client {
    gets: Latencies,
    ranges: Latencies,
    writes: Latencies,
    answers: Answers,
}

impl Client {
    fn run(&mut self, engine: &dyn Engine, run: &ReadRun) -> Result<()> {
        let batches = usize::try_from(run.operations).unwrap_or(usize::MAX);
        match &run.workload {
            ReadWorkload::Ycsb(options) => {
                let mut client = Ycsb::new(*options, 0, 1)?;
                (0..batches).try_for_each(|_| self.batch(engine, vec![client.operation()]))
            }
            ReadWorkload::Trace(path) => {
                let mut trace = Trace::open(path)?.take(batches);
                trace.try_for_each(|batch| self.batch(engine, batch?))
            }
        }
    }

    /// Does what goes together.
    fn batch(&mut self, engine: &dyn Engine, mut operations: Vec<Operation>) -> Result<()> {
        let begun = foldback::steady_now();
        if operations.len() > 1 {
            write(engine, operations)?;
            self.writes.add(begun.elapsed());
            return Ok(());
        }
        match operations.pop() {
            Some(Operation::Get { key }) => {
                self.answers.get(engine, &key)?;
                self.gets.add(begun.elapsed());
            }
            Some(Operation::Range { first, rows }) => {
                self.answers.range(engine, &first, rows)?;
                self.ranges.add(begun.elapsed());
            }
            Some(Operation::ReadThenPut { key, value }) => {
                self.answers.get(engine, &key)?;
                write(engine, vec![Operation::Put { key, value }])?;
                self.writes.add(begun.elapsed());
            }
            Some(operation) => {
                write(engine, vec![operation])?;
                self.writes.add(begun.elapsed());
            }
            None => {}
        }
        Ok(())
    }
}

/// Commits writes together; of those of one key the last one holds.
fn write(engine: &dyn Engine, operations: Vec<Operation>) -> Result<()> {
    let changes = operations.into_iter().filter_map(|operation| match operation {
        Operation::Put { key, value } | Operation::ReadThenPut { key, value } => {
            Some((key, Some(value)))
        }
        Operation::Delete { key } => Some((key, None)),
        Operation::Get { .. } | Operation::Range { .. } => None,
    });
    let changes: BTreeMap<_, _> = changes.collect();
    let changes = changes.into_iter().map(|(key, value)| RowChange { key, value });
    engine.commit(changes.collect())
}

/// Everything that reads returned, in order, as one number: cheap, as it is within what is timed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answers {
    count: u64,
    sum: u64,
}

impl Answers {
    fn get(&mut self, engine: &dyn Engine, key: &[u8]) -> Result<()> {
        let is_there = engine.get(key, &mut |value| self.add(value))?;
        if !is_there {
            self.add(&[]);
        }
        Ok(())
    }

    fn range(&mut self, engine: &dyn Engine, first: &[u8], rows: u64) -> Result<()> {
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        engine.scan(first, rows, &mut |key, value| {
            self.add(key);
            self.add(value);
        })
    }

    fn add(&mut self, bytes: &[u8]) {
        self.count += 1;
        self.mix(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        rest.iter().for_each(|byte| self.mix(u64::from(*byte)));
    }

    /// A step that no two words leave in the same place.
    fn mix(&mut self, word: u64) {
        self.sum = (self.sum.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}
