//! A writer that is killed at random moments, over and over, on one directory.
//!
//! The test binary runs itself as the writer and reads from a pipe which commits it was told are
//! done; then it kills the writer, opens the directory itself, and compares. What a batch holds
//! follows from its name, so a batch that was kept without having been acknowledged can be told
//! too, by the row that only it wrote.

mod history;
mod writer;

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use foldback::log_tier::WriterId;
use foldback::{Config, Database, Durability, Retention, steady_now};
use tempfile::TempDir;

use self::history::History;
use self::writer::{Acknowledged, TABLES};
use crate::support::{Numbers, fast_directory};

/// Names the directory that a writer process works in.
const DIRECTORY: &str = "FOLDBACK_TEST_KILL_DIRECTORY";
/// The seed of a writer process, and the number of its run.
const RUN: &str = "FOLDBACK_TEST_KILL_RUN";
/// Kills of a default run.
const KILLS: u64 = 40;
/// Kills of a long one.
const KILLS_LONG: u64 = 200;

/// The settings that writer and reader share: small limits, so that a kill may hit a roll, a
/// flush, a seal or the removal of a segment.
fn config(directory: &std::path::Path) -> Config {
    let bucket = format!("file://{}", directory.join("bucket").display());
    let mut config = Config::new(directory.join("data")).bucket(bucket);
    config.durability = Durability::Synced;
    config.segment_bytes_max = 16 * 1024;
    config.segment_age_max = Duration::from_millis(200);
    config.memtable_bytes_max = 64 * 1024;
    config
}

/// Not a test by itself: the process that is killed.
#[test]
fn writer_process() {
    let (Ok(directory), Ok(run)) = (std::env::var(DIRECTORY), std::env::var(RUN)) else { return };
    let run = run.parse().expect("the parent wrote it");
    writer::write_until_killed(config(directory.as_ref()), run);
}

/// A writer process and the pipe it speaks through.
struct WriterProcess {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl WriterProcess {
    fn start(directory: &std::path::Path, run: u64) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this test has a file"))
            .args(["--exact", "kill::writer_process", "--nocapture", "--test-threads=1"])
            .env(DIRECTORY, directory)
            .env(RUN, run.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the writer starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { child, lines }
    }

    /// The next acknowledged commit; `None` when the process has ended.
    fn next(&mut self) -> Option<Acknowledged> {
        loop {
            // The line at which the process was killed may be cut in two.
            let line = self.lines.next()?.ok()?;
            if let Some(acknowledged) = Acknowledged::parse(&line) {
                return Some(acknowledged);
            }
        }
    }

    /// Kills it, and returns what it had been told up to then.
    fn kill(mut self) -> Vec<Acknowledged> {
        self.child.kill().expect("it can be killed");
        let mut rest = Vec::new();
        while let Some(acknowledged) = self.next() {
            rest.push(acknowledged);
        }
        let status = self.child.wait().expect("it can be waited for");
        assert!(!status.success(), "the writer ended by itself");
        rest
    }
}

/// Runs the writer, kills it after a random number of commits, and returns those.
fn run_and_kill(directory: &TempDir, run: u64, numbers: &mut Numbers) -> Vec<Acknowledged> {
    let mut writer = WriterProcess::start(directory.path(), run);
    // One run in four is killed early: while it opens, or at its first commits.
    let enough = match numbers.below(4) {
        0 => numbers.below(3),
        _ => numbers.below(160),
    };
    let mut acknowledged = Vec::new();
    for _ in 0..enough {
        acknowledged.push(writer.next().expect("the writer goes on until it is killed"));
    }
    let (started, pause) = (steady_now(), Duration::from_micros(numbers.below(3_000)));
    while started.elapsed() < pause {
        std::hint::spin_loop();
    }
    acknowledged.extend(writer.kill());
    acknowledged
}

#[test]
fn what_was_acknowledged_survives_every_kill() {
    let random = u64::from_le_bytes(WriterId::random().0);
    let asked = std::env::var("FOLDBACK_SEED").ok();
    let seed = asked.map_or(random, |seed| seed.parse().expect("FOLDBACK_SEED is a number"));
    println!("FOLDBACK_SEED={seed}");
    let kills = if std::env::var_os("FOLDBACK_LONG").is_some() { KILLS_LONG } else { KILLS };
    let mut numbers = Numbers(seed);
    let directory = fast_directory();
    let mut history = History::default();
    {
        let database = Database::open(config(directory.path())).expect("it opens");
        for table in TABLES {
            database.create_table(table).expect("the name is free");
            database.protect(table, Retention::Forever).expect("it is not protected");
        }
        history.note_commits_without_batch(&database);
    }
    let mut acknowledged_in_all = 0;
    for run in 0..kills {
        let acknowledged = run_and_kill(&directory, run, &mut numbers);
        acknowledged_in_all += acknowledged.len();
        let database = Database::open(config(directory.path())).expect("it opens after a kill");
        history.take_over(&database, run, &acknowledged);
        history.check(&database, &acknowledged, &mut numbers);
    }
    assert!(acknowledged_in_all > 0, "every writer was killed before its first commit");
    println!("{kills} kills, {acknowledged_in_all} acknowledged commits");
}
