//! Runs of this program by itself: each measurement has a process of its own, so that its CPU and
//! its peak memory are its own too.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What a process says that is to be killed.
const READY: &str = "ready";

/// Has this program run again with a hidden command and what it is to do, and reads what it took.
pub(crate) fn in_a_process<R: Serialize, O: for<'a> Deserialize<'a>>(
    command: &str,
    run: &R,
) -> Result<O> {
    let run = serde_json::to_string(run).expect("a run is JSON");
    let output = this_program()?.args([command, &run]).output();
    let output = output.map_err(|error| Error::Peer(format!("{command} {run}: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Peer(format!("{command} {run} fails: {}", said.trim())));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Error::Peer(format!("{command} {run} answers no JSON: {error}")))
}

/// Has this program run again with a hidden command, and kills it, as a crash would end it, once it
/// has called [`wait_to_be_killed`].
pub(crate) fn kill_a_process<R: Serialize>(command: &str, run: &R) -> Result<()> {
    let run = serde_json::to_string(run).expect("a run is JSON");
    let failed = |error: std::io::Error| Error::Peer(format!("{command} {run}: {error}"));
    let mut process = this_program()?;
    process.args([command, &run]).stdin(Stdio::piped());
    let mut process =
        process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let mut said = String::new();
    let output = process.stdout.take().expect("it is piped");
    BufReader::new(output).read_line(&mut said).map_err(failed)?;
    process.kill().map_err(failed)?;
    let mut complaint = String::new();
    let mut errors = process.stderr.take().expect("it is piped");
    errors.read_to_string(&mut complaint).map_err(failed)?;
    process.wait().map_err(failed)?;
    match said.trim() {
        READY => Ok(()),
        _ => Err(Error::Peer(format!("{command} {run} fails: {}", complaint.trim()))),
    }
}

/// Says that all is done, and waits for the end, which whoever started this process brings.
pub(crate) fn wait_to_be_killed() -> Result<()> {
    println!("{READY}");
    let mut never = Vec::new();
    std::io::stdin()
        .read_to_end(&mut never)
        .map_err(|error| Error::Peer(format!("it can't be waited for the end: {error}")))?;
    Err(Error::Peer("whoever was to kill this process has gone".to_owned()))
}

fn this_program() -> Result<Command> {
    let program = std::env::current_exe();
    let program =
        program.map_err(|error| Error::Peer(format!("this program is not found: {error}")))?;
    Ok(Command::new(program))
}
