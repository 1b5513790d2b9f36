//! The peers of the restore suite, above all those that scripts drive: DuckDB and PostgreSQL.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{RestoreOptions, RestoreTarget};
use crate::{Error, Result};

/// What DuckDB is asked to do, kept beside the harness.
const DUCKDB_SCRIPT: &str = include_str!("../../peers/duckdb_restore.py");
/// What PostgreSQL is asked to do.
const POSTGRES_SCRIPT: &str = include_str!("../../peers/postgres_restore.py");

/// A PostgreSQL that is installed, and how often it is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresPeer {
    /// The directory of its programs.
    pub programs: PathBuf,
    /// The Python that drives it.
    pub python: PathBuf,
    /// Times that it is measured at each target, which takes seconds each.
    pub runs: u64,
}

/// Gives the events to the peers that take part.
pub(super) fn prepare(
    options: &RestoreOptions,
    events: &Path,
    targets: &[RestoreTarget],
) -> Result<()> {
    let events = events.display().to_string();
    if options.duckdb_python.is_some() {
        duckdb(options, &["prepare", &events])?;
    }
    #[cfg(feature = "peers")]
    super::surrealkv::prepare(options)?;
    if options.postgres.is_some() {
        let targets: Vec<_> = targets.iter().map(|target| target.event.to_string()).collect();
        let targets = targets.iter().map(String::as_str);
        let arguments: Vec<_> = ["prepare", &events].into_iter().chain(targets).collect();
        postgres(options, &arguments)?;
    }
    Ok(())
}

/// Runs DuckDB's script.
pub(super) fn duckdb(options: &RestoreOptions, arguments: &[&str]) -> Result<String> {
    let python = options.duckdb_python.as_ref().expect("it takes part");
    let mut command = Command::new(python);
    command.args(["-c", DUCKDB_SCRIPT]).args(arguments);
    answer(command.current_dir(&options.directory))
}

/// Runs PostgreSQL's script.
pub(super) fn postgres(options: &RestoreOptions, arguments: &[&str]) -> Result<String> {
    let PostgresPeer { programs, python, .. } = options.postgres.as_ref().expect("it takes part");
    let mut command = Command::new(python);
    command.args(["-c", POSTGRES_SCRIPT]).arg(programs).args(arguments);
    answer(command.current_dir(&options.directory))
}

/// Runs a program to its end, and gives what it printed.
pub(super) fn answer(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_owned();
    let refused = |source| Error::Peer(format!("{} can't be run: {source}", program.display()));
    let output = command.output().map_err(refused)?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(Error::Peer(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}
