//! The instruction gate: how many instructions each hot path takes, which two builds can be
//! compared by where the time that they take is noise.
//!
//! Callgrind counts them, in a process of their own for each hot path. What is counted is the work
//! alone: [`crate::hot_paths::run_hot_work`] and what it calls, and, where other threads do part of
//! the work, all that those do.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::hot_paths::HotPath;
use crate::{Error, Result, as_f64};

/// The program that counts.
const VALGRIND: &str = "valgrind";
/// Where counting begins and ends on the thread of the caller.
const WORK: &str = "--toggle-collect=*hot_paths*run_hot_work*";
/// Where every other thread of ours begins and ends.
const THREADS: &str = "--toggle-collect=*thread*thread_start*";
/// Times that a hot path is counted. The least counts: what a thread does while it waits for
/// another, and what the allocator tidies on such an occasion, is not the work.
const RUNS: usize = 3;

/// Instructions by the names of hot paths.
pub type InstructionCounts = BTreeMap<String, u64>;

/// How a hot path compares with the same in another build.
#[derive(Clone, Debug, PartialEq)]
pub struct InstructionChange {
    /// The hot path's name.
    pub name: String,
    /// What it takes.
    pub instructions: u64,
    /// What it takes in the other build; `None` if that does not know it.
    pub against: Option<u64>,
}

impl InstructionChange {
    /// How much more it takes than in the other build, in hundredths; below zero if less.
    #[must_use]
    pub fn percent(&self) -> Option<f64> {
        let against = self.against.filter(|against| *against > 0)?;
        Some((as_f64(self.instructions) / as_f64(against) - 1.0) * 100.0)
    }

    /// Whether it takes more than it may.
    #[must_use]
    pub fn is_over(&self, percent_max: f64) -> bool {
        self.percent().is_some_and(|percent| percent > percent_max)
    }
}

/// Each of `counts` beside the same of `against`.
#[must_use]
pub fn instruction_changes(
    counts: &InstructionCounts,
    against: &InstructionCounts,
) -> Vec<InstructionChange> {
    let change = |(name, instructions): (&String, &u64)| InstructionChange {
        name: name.clone(),
        instructions: *instructions,
        against: against.get(name).copied(),
    };
    counts.iter().map(change).collect()
}

/// What counts on this machine, as it calls itself; `None` if it is not installed.
#[must_use]
pub fn valgrind() -> Option<String> {
    let output = Command::new(VALGRIND).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(said)
}

/// Counts the instructions of a hot path in `program`, which is a build of the harness, in an empty
/// directory.
///
/// # Errors
///
/// [`Error::Peer`] if it can't be run or counted.
pub fn count_instructions(program: &Path, path: HotPath, directory: &Path) -> Result<u64> {
    let mut least = u64::MAX;
    for run in 0..RUNS {
        let place = directory.join(format!("{}-{run}", path.name()));
        std::fs::create_dir_all(&place).map_err(Error::io("create", &place))?;
        finish(Command::new(program).args(["hot-path", path.name(), "--prepare"]).arg(&place))?;
        least = least.min(count_once(program, path, &place)?);
        std::fs::remove_dir_all(&place).map_err(Error::io("remove", &place))?;
    }
    Ok(least)
}

fn count_once(program: &Path, path: HotPath, directory: &Path) -> Result<u64> {
    let counted = directory.with_extension("callgrind");
    let mut command = Command::new(VALGRIND);
    command.args(["--quiet", "--tool=callgrind", WORK]);
    if path.is_on_all_threads() {
        command.arg(THREADS);
    }
    let mut file = std::ffi::OsString::from("--callgrind-out-file=");
    file.push(&counted);
    finish(command.arg(file).arg(program).args(["hot-path", path.name()]).arg(directory))?;
    let text = std::fs::read_to_string(&counted).map_err(Error::io("read", &counted))?;
    let missing = || {
        let (name, program) = (path.name(), program.display());
        Error::Peer(format!("callgrind has counted nothing of {name} in {program}"))
    };
    total_of(&text).filter(|total| *total > 0).ok_or_else(missing)
}

/// The total of what callgrind has counted.
fn total_of(text: &str) -> Option<u64> {
    let is_of_instructions = text.lines().any(|line| line.trim_end() == "events: Ir");
    let total = text.lines().rev().find_map(|line| line.strip_prefix("totals:"));
    total.filter(|_| is_of_instructions)?.trim().parse().ok()
}

/// Runs a program to its end.
fn finish(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_owned();
    let refused = |source| Error::Peer(format!("{} can't be run: {source}", program.display()));
    let output = command.output().map_err(refused)?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Error::Peer(format!(
            "{} failed: {}",
            program.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        ))),
    }
}

#[cfg(test)]
mod tests;
