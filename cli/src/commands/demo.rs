//! `demo`: the main job on a real history, each restored instant checked against an oracle.
//!
//! The history is that of a git repository, and git itself is the oracle: what a restore brings
//! back is compared with `git ls-tree` of the commit that was the last at that instant.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use foldback::{Commit, Config, Database, KeyRange, Selection, Seq};

use super::Screen;
use super::import::Import;
use crate::arguments::{DemoArgs, MakingArgs};
use crate::error::{Error, Result};
use crate::human::{counted, human_bytes, human_duration};
use crate::output::progress::{Progress, ProgressUnit};
use crate::output::{Cell, OutputFormat};
use crate::picture::{
    Timeline, TimelineAxis, TimelineCommit, TimelineMark, TimelineStyle, draw_timeline,
};

mod checks;
mod source;

use checks::{Check, checks};
use source::{DemoCommit, DemoSource};

/// The table that holds the imported history.
const TABLE: &str = "history";
/// Width of the picture where the output is no terminal.
const PICTURE_WIDTH: usize = 100;

/// Rows of a table, as an oracle has them.
type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// The demo as it goes on.
struct Demo {
    directory: PathBuf,
    source: DemoSource,
    commits: Vec<DemoCommit>,
    /// The last commits of the delta files.
    seals: Vec<Seq>,
    screen: Screen,
}

/// How one restore went.
struct Outcome {
    check: Check,
    /// The commit that was restored.
    seq: Seq,
    matches: bool,
}

pub(super) fn run(arguments: &DemoArgs, screen: Screen) -> Result<ExitCode> {
    let directory = tempfile::Builder::new().prefix("foldback-demo-").tempdir();
    let directory = directory.map_err(Error::io("create", "a temporary directory"))?;
    let path = match arguments.keep {
        true => directory.keep(),
        false => directory.path().to_path_buf(),
    };
    let source = DemoSource::open(arguments.repository.as_deref().unwrap_or(Path::new(".")));
    let mut demo = Demo { directory: path, source, commits: Vec::new(), seals: Vec::new(), screen };
    let outcomes = demo.run()?;
    demo.report(&outcomes, arguments.keep)
}

impl Demo {
    fn run(&mut self) -> Result<Vec<Outcome>> {
        let database = self.open()?;
        self.import(&database)?;
        let written = checks::write_on_top(&database, TABLE, &self.commits)?;
        let sealed = database.seal()?;
        self.say(&format!(
            "imported {} commits from {}, wrote {} more on top, sealed up to #{}",
            self.commits.len(),
            self.source.name(),
            written.len(),
            sealed.seq
        ))?;
        self.seals = database.manifest().files.iter().map(|file| file.last.seq).collect();
        let mut outcomes = Vec::new();
        let checks = checks(&self.commits, &written);
        for (at, check) in checks.iter().enumerate() {
            outcomes.push(self.restore(&database, check, &format!("restored-{}", at + 1))?);
        }

        drop(database);
        std::fs::remove_dir_all(self.data()).map_err(Error::path("remove", &self.data()))?;
        let recovery = Database::recover(self.config())?;
        self.say(&format!(
            "deleted the local directory, and recovered from the bucket alone up to #{} ({})",
            recovery.recovered_to.seq,
            foldback::instant::show(recovery.recovered_to.timestamp)
        ))?;
        for (at, check) in checks.iter().enumerate().rev().step_by(checks.len().div_ceil(3)) {
            let name = format!("recovered-{}", at + 1);
            let check = check.after_recovery();
            outcomes.push(self.restore(&recovery.database, &check, &name)?);
        }
        Ok(outcomes)
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn config(&self) -> Config {
        let bucket = format!("file://{}", self.directory.join("bucket").display());
        Config::new(self.data()).bucket(bucket)
    }

    fn open(&mut self) -> Result<Database> {
        if let Some(reason) = self.source.why_generated() {
            let text = format!("{reason}\nso this demo runs on a generated history instead");
            self.say(&text)?;
        }
        Ok(Database::open(self.config())?)
    }

    fn import(&mut self, database: &Database) -> Result<()> {
        let bar = Progress::begin("importing", Some(self.source.len()), ProgressUnit::Items);
        let retention = crate::span::Retention::Forever;
        let making = MakingArgs { create: true, protect: Some(retention) };
        let mut import = Import::new(database, TABLE, &making);
        for commit in self.source.batches()? {
            let (id, batch) = commit?;
            let events = u64::try_from(batch.events.len()).unwrap_or(u64::MAX);
            let timestamp = foldback::Timestamp(batch.timestamp_micros);
            self.commits.push(DemoCommit { id, timestamp, events, seq: Seq::ZERO });
            import.add(batch)?;
            bar.advance(1);
        }
        let summary = import.finish()?;
        let first = summary.first.ok_or_else(|| Error::usage("this history has no events"))?;
        source::number(&mut self.commits, first.seq);
        Ok(())
    }

    /// Restores one instant into a table, compares it, and prints how that went.
    fn restore(&mut self, database: &Database, check: &Check, name: &str) -> Result<Outcome> {
        let began = foldback::steady_now();
        let plan = database.plan(TABLE, check.target, &Selection::all())?;
        let restored = database.restore(&plan, name)?;
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut found = rows_of(database, name)?;
        found.values_mut().for_each(|value| self.source.comparable(value));
        let matches = found == self.expected(check)?;
        let files = u64::try_from(plan.files().count()).unwrap_or(u64::MAX);
        match self.screen.format() {
            OutputFormat::Json => self.screen.record(&[
                ("target", Cell::text(Some(check.target.to_string()))),
                ("about", Cell::text(Some(check.about.clone()))),
                ("seq", Cell::Seq(restored.target.seq)),
                ("rows", Cell::Count(restored.rows)),
                ("bytes_planned", Cell::Bytes(plan.bucket_bytes())),
                ("took_micros", Cell::Duration(micros)),
                ("matches", Cell::Flag(matches)),
            ])?,
            OutputFormat::Table => self.say(&format!(
                "{:<34} {:<34} #{:<6} {:>6} rows, plan: {:<7} {:>9}, {:>8}  {}",
                check.target.to_string(),
                check.about,
                restored.target.seq.0,
                restored.rows,
                counted(files, "file"),
                human_bytes(plan.bucket_bytes()),
                human_duration(micros),
                if matches { "match" } else { "DIFFERS" }
            ))?,
        }
        Ok(Outcome { check: check.clone(), seq: restored.target.seq, matches })
    }

    /// What the oracle says: the history's own state, and what the demo wrote on top.
    fn expected(&self, check: &Check) -> Result<Rows> {
        let mut rows = match check.commit {
            Some(commit) => self.source.state(&self.commits[commit].id)?,
            None => Rows::new(),
        };
        for (key, value) in &check.on_top {
            match value {
                Some(value) => drop(rows.insert(key.clone(), value.clone())),
                None => drop(rows.remove(key)),
            }
        }
        Ok(rows)
    }

    fn report(&mut self, outcomes: &[Outcome], keep: bool) -> Result<ExitCode> {
        if self.screen.format() == OutputFormat::Table {
            let picture = self.picture(outcomes);
            self.say(&format!("\n{picture}"))?;
        }
        if keep {
            self.say(&format!("the demo's files are in {}", self.directory.display()))?;
        }
        let matching = outcomes.iter().filter(|outcome| outcome.matches).count();
        let total = outcomes.len();
        let count = |number: usize| Cell::Count(u64::try_from(number).unwrap_or(u64::MAX));
        match self.screen.format() {
            OutputFormat::Json => {
                self.screen.record(&[("instants", count(total)), ("matching", count(matching))])?;
            }
            OutputFormat::Table => self.say(&format!("{matching} of {total} instants match"))?,
        }
        self.screen.flush()?;
        Ok(if matching == total { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn picture(&self, outcomes: &[Outcome]) -> String {
        let commits: Vec<_> = self
            .commits
            .iter()
            .filter(|commit| commit.events > 0)
            .map(|commit| TimelineCommit {
                commit: Commit { seq: commit.seq, timestamp: commit.timestamp },
                events: commit.events,
            })
            .collect();
        let marks: Vec<_> = outcomes
            .iter()
            .filter_map(|outcome| {
                let instant = outcome.check.position(&self.commits)?;
                let label = outcome.check.about.clone();
                Some(TimelineMark { seq: outcome.seq, instant, label })
            })
            .collect();
        let (seals, bases) = (&self.seals, &[]);
        let timeline = Timeline { table: TABLE, commits: &commits, seals, bases, marks: &marks };
        let width = crate::output::terminal_width().map_or(PICTURE_WIDTH, usize::from);
        let colour = std::io::stdout().is_terminal();
        let times = self.commits.first().zip(self.commits.last());
        let axis = match times.is_some_and(|(first, last)| first.timestamp < last.timestamp) {
            true => TimelineAxis::Time,
            false => TimelineAxis::Seq,
        };
        draw_timeline(&timeline, TimelineStyle { width, colour, axis })
    }

    fn say(&mut self, text: &str) -> Result<()> {
        self.screen.note(text)?;
        self.screen.flush()
    }
}

fn rows_of(database: &Database, table: &str) -> Result<Rows> {
    let mut rows = Rows::new();
    for row in database.table(table)?.range(&KeyRange::all())? {
        let (key, value) = row?;
        rows.insert(key.to_vec(), value.to_vec());
    }
    Ok(rows)
}
