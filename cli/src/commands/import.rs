//! `import jsonl | git`: past commits, each at its own time.

use std::collections::VecDeque;
use std::path::Path;

use foldback::{Commit, CommitHandle, Database, TableId, Timestamp, WriteBatch, WriteOptions};

use super::Session;
use crate::arguments::{ImportCommand, MakingArgs};
use crate::error::{Error, ImportLeaves, Result};
use crate::import::ImportedBatch;
use crate::import::git::GitHistory;
use crate::import::jsonl::{JsonlOptions, JsonlReader};
use crate::output::Cell;
use crate::output::progress::{Progress, ProgressUnit};

/// Batches that are on their way at once: enough to be synced in groups, few enough to be held.
const BATCHES_IN_FLIGHT_MAX: usize = 512;

pub(super) fn run(session: &mut Session, command: ImportCommand) -> Result<()> {
    match command {
        ImportCommand::Jsonl { file, table, making, options } => {
            jsonl(session, &file, &table, &making, &options)
        }
        ImportCommand::Git { repository, table, making } => {
            let table = table.map_or_else(|| name_after(&repository), Ok)?;
            git(session, &repository, &table, &making)
        }
    }
}

fn jsonl(
    session: &mut Session,
    file: &Path,
    table: &str,
    making: &MakingArgs,
    options: &JsonlOptions,
) -> Result<()> {
    let mut reader = JsonlReader::open(file, options)?;
    let bar = Progress::begin("importing", reader.bytes_total(), ProgressUnit::Bytes);
    let mut import = Import::new(&session.database, table, making);
    while let Some(batch) = reader.next() {
        import.add_next(batch)?;
        bar.set(reader.bytes_read());
    }
    let source = file.display().to_string();
    let summary = import.finish()?;
    drop(bar);
    note_nothing_made(making, table, &summary);
    show(session, &source, table, &summary)
}

fn git(session: &mut Session, repository: &Path, table: &str, making: &MakingArgs) -> Result<()> {
    let history = GitHistory::open(repository)?;
    if history.is_shallow() {
        eprintln!(
            "foldback: {} is a shallow clone: its history begins where the clone was cut",
            repository.display()
        );
    }
    let bar = Progress::begin("importing", Some(history.commits()), ProgressUnit::Items);
    let mut import = Import::new(&session.database, table, making);
    for commit in history.batches()? {
        import.add_next(commit.map(|commit| commit.batch))?;
        bar.advance(1);
    }
    let source = repository.display().to_string();
    let summary = import.finish()?;
    drop(bar);
    note_nothing_made(making, table, &summary);
    show(session, &source, table, &summary)
}

/// The name of the repository's directory.
fn name_after(repository: &Path) -> Result<String> {
    let absolute = repository.canonicalize().map_err(Error::path("find repository", repository))?;
    let name = absolute.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    name.ok_or_else(|| Error::usage("name the table: the repository's directory has no name"))
}

/// What an import did.
#[derive(Debug, Default)]
pub(super) struct ImportSummary {
    pub(super) commits: u64,
    pub(super) events: u64,
    /// Batches without events, which become no commit.
    pub(super) empty: u64,
    pub(super) first: Option<Commit>,
    pub(super) last: Option<Commit>,
    pub(super) sealed: Commit,
}

/// An import that is under way.
pub(super) struct Import<'a> {
    database: &'a Database,
    table: &'a str,
    making: &'a MakingArgs,
    id: Option<TableId>,
    /// Whether this import made the table.
    table_made: bool,
    in_flight: VecDeque<(u64, CommitHandle)>,
    summary: ImportSummary,
}

impl<'a> Import<'a> {
    /// An import into `table`, which is made at the first batch if `making` says so.
    pub(super) fn new(database: &'a Database, table: &'a str, making: &'a MakingArgs) -> Self {
        let (in_flight, summary) = (VecDeque::new(), ImportSummary::default());
        Self { database, table, making, id: None, table_made: false, in_flight, summary }
    }

    /// Adds what the source gives next; if that is an error, the import stops there.
    fn add_next(&mut self, imported: Result<ImportedBatch>) -> Result<()> {
        match imported {
            Ok(imported) => self.add(imported),
            Err(error) => Err(self.stop(None, error)),
        }
    }

    /// Sends a batch on its way; reports the failure of an earlier one. Nothing is sent after a
    /// batch that was refused, so an import that stops has no holes.
    pub(super) fn add(&mut self, imported: ImportedBatch) -> Result<()> {
        if imported.events.is_empty() {
            self.summary.empty += 1;
            return Ok(());
        }
        let timestamp = Timestamp(imported.timestamp_micros);
        let id = match self.id {
            Some(id) => id,
            None => self.make_table(timestamp).map_err(|error| match self.table_made {
                true => self.stop(Some(imported.line_first), error),
                false => error,
            })?,
        };
        self.id = Some(id);
        let events = u64::try_from(imported.events.len()).unwrap_or(u64::MAX);
        let mut batch = WriteBatch::new();
        for event in imported.events {
            match event.value {
                Some(value) => batch.put(id, event.key, value),
                None => batch.delete(id, event.key),
            }
        }
        let options = WriteOptions { timestamp: Some(timestamp), ..WriteOptions::default() };
        let line = imported.line_first;
        let handle = self
            .database
            .try_write(batch, options)
            .map_err(|error| self.stop(Some(line), Error::Engine(error)))?;
        self.summary.events += events;
        self.in_flight.push_back((line, handle));
        // The first one can still be refused, as the last commit may be later than it. Those after
        // it can't, since time never goes back within a source.
        let is_first = self.summary.commits == 0;
        match is_first || self.in_flight.len() > BATCHES_IN_FLIGHT_MAX {
            true => self.settle_one(),
            false => Ok(()),
        }
    }

    /// Waits for what is on its way, and seals it.
    pub(super) fn finish(mut self) -> Result<ImportSummary> {
        self.settle_all()?;
        if self.summary.commits == 0 {
            if !self.making.create {
                self.database.table(self.table)?;
            }
            self.summary.sealed = self.database.status().sealed;
            return Ok(self.summary);
        }
        self.summary.sealed = self.database.seal().map_err(unsealed)?;
        // The command ends with the import, and there may be much to fold.
        if self.database.does_upkeep() {
            self.database.compact().map_err(unsealed)?;
        }
        Ok(self.summary)
    }

    /// The table's id; it is made just before the first event if it is to be made.
    fn make_table(&mut self, first_event: Timestamp) -> Result<TableId> {
        if !self.making.create {
            return Ok(self.database.table(self.table)?.id());
        }
        let before = first_event.saturating_add_micros(-1);
        let table = self.database.create_table_at(self.table, before)?;
        self.table_made = true;
        if let Some(retention) = self.making.protect {
            self.database.protect_at(self.table, retention.into(), before)?;
        }
        Ok(table.id())
    }

    fn settle_one(&mut self) -> Result<()> {
        let Some((line, handle)) = self.in_flight.pop_front() else { return Ok(()) };
        let commit =
            handle.wait().map_err(|error| self.stopped(Some(line), Error::Engine(error)))?;
        self.summary.first.get_or_insert(commit);
        self.summary.last = Some(commit);
        self.summary.commits += 1;
        Ok(())
    }

    fn settle_all(&mut self) -> Result<()> {
        while !self.in_flight.is_empty() {
            self.settle_one()?;
        }
        Ok(())
    }

    /// The error of an import that stops here, once all that is on its way has settled: what it
    /// says stays is there. If an earlier batch turns out to have failed, that one is told.
    fn stop(&mut self, line: Option<u64>, error: Error) -> Error {
        self.settle_all().err().unwrap_or_else(|| self.stopped(line, error))
    }

    fn stopped(&self, line: Option<u64>, error: Error) -> Error {
        let table_made = self.table_made.then(|| self.table.to_owned());
        let leaves = ImportLeaves { commits: self.summary.commits, table_made };
        Error::Import { line, leaves, source: Box::new(error) }
    }
}

/// What went wrong after everything was imported.
fn unsealed(error: foldback::Error) -> Error {
    use foldback::log_tier::Error::Store;
    match error {
        foldback::Error::Tier(Store { .. }) => Error::Unsealed(error),
        _ => Error::Engine(error),
    }
}

/// Says that a table which was to be made was not, as nothing would tell when it began.
fn note_nothing_made(making: &MakingArgs, table: &str, summary: &ImportSummary) {
    if making.create && summary.commits == 0 {
        eprintln!("foldback: there was nothing to import, so no table {table} was made");
    }
}

fn show(session: &mut Session, source: &str, table: &str, summary: &ImportSummary) -> Result<()> {
    let seq = |commit: Option<Commit>| commit.map_or(Cell::Empty, |commit| Cell::Seq(commit.seq));
    let time = |commit: Option<Commit>| {
        commit.map_or(Cell::Empty, |commit| Cell::Instant(commit.timestamp))
    };
    session.screen.record(&[
        ("imported", Cell::text(Some(source))),
        ("table", Cell::text(Some(table))),
        ("commits", Cell::Count(summary.commits)),
        ("events", Cell::Count(summary.events)),
        ("batches_without_events", Cell::Count(summary.empty)),
        ("first_seq", seq(summary.first)),
        ("first_timestamp", time(summary.first)),
        ("last_seq", seq(summary.last)),
        ("last_timestamp", time(summary.last)),
        ("sealed_seq", Cell::Seq(summary.sealed.seq)),
    ])
}
