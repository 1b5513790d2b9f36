//! The restore suite: W1 brought back at two targets, by Foldback and by its peers.
//!
//! All contenders start from the same events, in a process of their own for each measurement, turn
//! by turn, so that whatever else the machine does strikes them alike. Every result is compared
//! with the generator's own oracle.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use foldback::{
    Config, Database, Durability, KeyRange, Retention, Selection, Seq, Target, WriteBatch,
    WriteOptions,
};
use serde::{Deserialize, Serialize};

use crate::w1::{W1, W1_BATCH_EVENTS};
use crate::{BucketChoice, Error, Fingerprint, Meter, Result, Usage};

mod contender;
mod peers;
#[cfg(feature = "peers")]
mod surrealkv;

pub use contender::Contender;
pub use peers::PostgresPeer;
use peers::{answer, duckdb, postgres};
#[cfg(feature = "peers")]
pub use surrealkv::surrealkv_once;

/// The table that is restored.
pub const RESTORE_TABLE: &str = "w1";
/// What a restore of it is called.
const RESTORED: &str = "restored";
/// Batches that are under way at once while the history is written.
const BATCHES_UNDER_WAY: usize = 256;

/// What to measure.
#[derive(Clone, Debug)]
pub struct RestoreOptions {
    /// An empty directory for databases, events and results.
    pub directory: PathBuf,
    /// The bucket, in which each of our databases has a place.
    pub bucket: BucketChoice,
    /// Events in the history.
    pub events: u64,
    /// Keys that they are about.
    pub keys: u64,
    /// Times that each contender is measured at each target.
    pub runs: u64,
    /// Determines all events.
    pub seed: u64,
    /// A Python that has the module `duckdb`; without it, DuckDB is left out.
    pub duckdb_python: Option<PathBuf>,
    /// The PostgreSQL to measure; without it, it is left out.
    pub postgres: Option<PostgresPeer>,
}

/// A state that is brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoreTarget {
    /// How many hundredths of the history it takes.
    pub percent: u64,
    /// It takes every event up to this one.
    pub event: u64,
    /// The commit of that event in our databases.
    pub seq: Seq,
    /// What the state is.
    pub expected: Fingerprint,
}

/// One restore by one contender, as its process tells it in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Wall clock, in microseconds.
    pub wall_micros: u64,
    /// CPU of all threads, in microseconds.
    pub cpu_micros: u64,
    /// The most memory of the process, in KiB.
    pub peak_kib: u64,
    /// Rows that came back.
    pub rows: u64,
    /// The sum of their hashes.
    pub sum: u64,
}

/// What was measured of one contender at one target, run by run.
#[derive(Clone, Debug)]
pub struct RestoreRow {
    /// Who.
    pub contender: Contender,
    /// Which state.
    pub target: RestoreTarget,
    /// Its runs.
    pub outcomes: Vec<Outcome>,
}

/// The histories that restores read, and the states that they are to bring back.
#[derive(Debug)]
pub struct PreparedRestores {
    options: RestoreOptions,
    targets: Vec<RestoreTarget>,
}

impl PreparedRestores {
    /// Writes W1 into a database by default settings, into one that nobody folds, and into a file
    /// of events for the peers.
    ///
    /// # Errors
    ///
    /// What the engine, the file system or DuckDB fails with.
    pub fn write(options: RestoreOptions, watch: &mut dyn FnMut(u64)) -> Result<Self> {
        let begin = |name, folds| {
            Writing::begin(&options.directory.join(name), &options.bucket.below(name), folds)
        };
        let (folded, unfolded) = (begin("folded", true)?, begin("unfolded", false)?);
        let events = options.directory.join("events.csv");
        let file = std::fs::File::create(&events).map_err(Error::io("create", &events))?;
        let mut file = BufWriter::new(file);
        let mut writers = [folded, unfolded];
        let mut w1 = W1::new(options.seed, options.keys);
        let mut targets = Vec::new();
        let batches = options.events.div_ceil(W1_BATCH_EVENTS);
        for number in 1..=batches {
            let batch = w1.batch();
            for event in &batch {
                let value = event.value.as_deref().unwrap_or_default();
                let is_put = u8::from(event.value.is_some());
                let text = |bytes| String::from_utf8_lossy(bytes).replace('"', "\"\"");
                let (key, value) = (text(&event.key), text(value));
                writeln!(file, "{},{key},{is_put},\"{value}\"", event.number)
                    .map_err(Error::io("write", &events))?;
            }
            let mut seq = Seq::ZERO;
            for writer in &mut writers {
                seq = writer.commit(&batch)?;
            }
            let due = [50, 99].into_iter().find(|percent| number == batches * percent / 100);
            if let Some(percent) = due {
                let (event, expected) = (w1.events(), w1.fingerprint());
                targets.push(RestoreTarget { percent, event, seq, expected });
            }
            watch(number);
        }
        file.flush().map_err(Error::io("write", &events))?;
        writers.into_iter().try_for_each(Writing::end)?;
        peers::prepare(&options, &events, &targets)?;
        std::fs::remove_file(&events).map_err(Error::io("remove", &events))?;
        Ok(Self { options, targets })
    }

    /// Batches that [`Self::write`] tells of.
    #[must_use]
    pub fn steps(options: &RestoreOptions) -> u64 {
        options.events.div_ceil(W1_BATCH_EVENTS)
    }

    /// Measures every contender at every target, turn by turn.
    ///
    /// # Errors
    ///
    /// What a contender fails with; [`Error::Wrong`] if a state that came back is not what it was.
    pub fn measure(&self, watch: &mut dyn FnMut()) -> Result<Vec<RestoreRow>> {
        let contenders = Contender::ALL.into_iter().filter(|it| self.runs_of(*it) > 0);
        let mut rows: Vec<_> = contenders
            .flat_map(|contender| self.targets.iter().map(move |target| (contender, *target)))
            .map(|(contender, target)| RestoreRow { contender, target, outcomes: Vec::new() })
            .collect();
        for run in 0..self.options.runs.max(self.runs_of(Contender::Postgres)) {
            for row in rows.iter_mut().filter(|row| run < self.runs_of(row.contender)) {
                row.outcomes.push(self.run(row.contender, &row.target)?);
                watch();
            }
        }
        Ok(rows)
    }

    /// Times that a contender is measured at each target: none if it does not take part.
    fn runs_of(&self, contender: Contender) -> u64 {
        let RestoreOptions { runs, duckdb_python, postgres, .. } = &self.options;
        match contender {
            Contender::Postgres => postgres.as_ref().map_or(0, |peer| peer.runs),
            _ if contender.is_duckdb() && duckdb_python.is_none() => 0,
            Contender::Surrealkv if !cfg!(feature = "peers") => 0,
            _ => *runs,
        }
    }

    fn run(&self, contender: Contender, target: &RestoreTarget) -> Result<Outcome> {
        let (options, event) = (&self.options, target.event.to_string());
        let outcome = match contender {
            Contender::Foldback => self.ours(&["restore-once"], "folded", target.seq)?,
            Contender::FoldbackUnfolded => self.ours(&["restore-once"], "unfolded", target.seq)?,
            Contender::DuckdbLate => duckdb(options, &["late", &event])?,
            Contender::DuckdbArgMax => duckdb(options, &["arg_max", &event])?,
            Contender::Surrealkv => {
                self.ours(&["restore-once", "--surrealkv"], "surrealkv", Seq(target.event))?
            }
            Contender::Postgres => postgres(options, &["restore", &event])?,
        };
        let outcome: Outcome = serde_json::from_str(&outcome)
            .map_err(|error| Error::Wrong(format!("{}: {error}: {outcome}", contender.name())))?;
        let found = Fingerprint { rows: outcome.rows, sum: outcome.sum };
        match found == target.expected {
            true => Ok(outcome),
            false => Err(Error::Wrong(format!(
                "{} at {} %: {found:?} instead of {:?}",
                contender.name(),
                target.percent,
                target.expected
            ))),
        }
    }

    fn ours(&self, work: &[&str], database: &str, seq: Seq) -> Result<String> {
        let program = std::env::current_exe().map_err(Error::io("find", Path::new("itself")))?;
        let directory = self.options.directory.join(database);
        let mut command = Command::new(program);
        command.args(work).arg(directory).arg(seq.0.to_string());
        answer(command.args(self.options.bucket.below(database).arguments()))
    }
}

/// A database that the history is written into.
struct Writing {
    database: Database,
    under_way: std::collections::VecDeque<foldback::CommitHandle>,
    folds: bool,
    /// The commit before the first batch.
    before: Seq,
    batches: u64,
}

impl Writing {
    fn begin(directory: &Path, bucket: &BucketChoice, folds: bool) -> Result<Self> {
        let database = Database::open(config(directory, bucket, folds))?;
        database.create_table(RESTORE_TABLE)?;
        let before = database.protect(RESTORE_TABLE, Retention::Forever)?.seq;
        Ok(Self { database, under_way: Default::default(), folds, before, batches: 0 })
    }

    /// Commits a batch, and gives the seq that it gets: nobody else writes.
    fn commit(&mut self, events: &[crate::w1::W1Event]) -> Result<Seq> {
        let table = self.database.table(RESTORE_TABLE)?.id();
        let mut batch = WriteBatch::new();
        for event in events {
            match &event.value {
                Some(value) => batch.put(table, event.key.clone(), value.clone()),
                None => batch.delete(table, event.key.clone()),
            };
        }
        self.under_way.push_back(self.database.write(batch, WriteOptions::default()));
        self.batches += 1;
        let expected = Seq(self.before.0 + self.batches);
        if self.under_way.len() == BATCHES_UNDER_WAY {
            let handle = self.under_way.pop_front().expect("there are some");
            handle.wait()?;
        }
        Ok(expected)
    }

    fn end(self) -> Result<()> {
        for handle in self.under_way {
            handle.wait()?;
        }
        self.database.seal()?;
        if self.folds {
            self.database.compact()?;
        }
        Ok(())
    }
}

/// How a database of the suite is opened.
fn config(directory: &Path, bucket: &BucketChoice, folds: bool) -> Config {
    let mut config = Config::new(directory);
    bucket.choose_in(&mut config);
    Config { durability: Durability::Buffered, compactor: folds, ..config }
}

/// The same, by whoever measures it: the upkeep that is due is not what is measured.
fn reading_config(directory: &Path, bucket: &BucketChoice) -> Config {
    Config { create_if_missing: false, ..config(directory, bucket, false) }
}

/// Restores once, in this process: what each measurement of ours does.
///
/// # Errors
///
/// What the engine fails with.
pub fn restore_once(directory: &Path, bucket: &BucketChoice, seq: Seq) -> Result<Outcome> {
    let database = Database::open(reading_config(directory, bucket))?;
    let meter = Meter::start();
    let plan = database.plan(RESTORE_TABLE, Target::Seq(seq), &Selection::all())?;
    database.restore(&plan, RESTORED)?;
    let Usage { wall_micros, cpu_micros, peak_kib } = meter.read();
    let mut found = Fingerprint::default();
    for row in database.table(RESTORED)?.range(&KeyRange::all())? {
        let (key, value) = row?;
        found.add(&key, &value);
    }
    database.drop_table(RESTORED)?;
    Ok(Outcome { wall_micros, cpu_micros, peak_kib, rows: found.rows, sum: found.sum })
}
