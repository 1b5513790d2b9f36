//! Which PostgreSQL takes part in the restore suite, if any.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use foldback_bench::PostgresPeer;

/// Where Debian installs it: a directory for each major release.
const DEBIAN: &str = "/usr/lib/postgresql";

/// PostgreSQL beside the others.
#[derive(Debug, Args)]
pub(crate) struct PostgresArgs {
    /// The directory of PostgreSQL's programs; PostgreSQL is left out if they are not there.
    /// Without it, the newest one that Debian has installed.
    #[arg(long, value_name = "DIRECTORY")]
    postgres: Option<PathBuf>,
    /// Times that PostgreSQL is measured at each target, which takes several seconds each; 0 leaves
    /// it out.
    #[arg(long, value_name = "RUNS", default_value_t = 1)]
    postgres_runs: u64,
}

impl PostgresArgs {
    /// The one to measure; says why there is none.
    pub(crate) fn find(&self, quick: bool, python: &Path) -> Option<PostgresPeer> {
        let left_out = |why: &str| {
            eprintln!("PostgreSQL is left out: {why}");
            None
        };
        if quick || self.postgres_runs == 0 {
            return left_out(
                "loading its history takes too long for --quick, or no run is asked for",
            );
        }
        let Some(programs) = self.postgres.clone().or_else(newest_of_debian) else {
            return left_out(&format!("there is none in {DEBIAN}; --postgres says where it is"));
        };
        let needed = ["initdb", "pg_basebackup", "postgres", "psql"];
        if let Some(missing) = needed.iter().find(|program| !programs.join(program).is_file()) {
            return left_out(&format!("{} has no program {missing}", programs.display()));
        }
        if Command::new(python).arg("--version").output().is_err() {
            return left_out(&format!("{} cannot be run, which drives it", python.display()));
        }
        Some(PostgresPeer { programs, python: python.to_owned(), runs: self.postgres_runs })
    }
}

/// Which release it is, if it tells.
pub(crate) fn postgres_version(peer: &PostgresPeer) -> Option<String> {
    let output = Command::new(peer.programs.join("postgres")).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Some(said.strip_prefix("postgres (PostgreSQL) ").unwrap_or(&said).to_owned())
}

fn newest_of_debian() -> Option<PathBuf> {
    let releases = std::fs::read_dir(DEBIAN).ok()?.filter_map(Result::ok);
    let numbered = releases.filter_map(|release| {
        let number: u32 = release.file_name().to_str()?.parse().ok()?;
        Some((number, release.path().join("bin")))
    });
    numbered.max().map(|(_, programs)| programs)
}
