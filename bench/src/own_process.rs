//! Runs of this program by itself: each measurement has a process of its own, so that its CPU and
//! its peak memory are its own too.

use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Has this program run again with a hidden command and what it is to do, and reads what it took.
pub(crate) fn in_a_process<R: Serialize, O: for<'a> Deserialize<'a>>(
    command: &str,
    run: &R,
) -> Result<O> {
    let program = std::env::current_exe()
        .map_err(|error| Error::Peer(format!("this program is not found: {error}")))?;
    let run = serde_json::to_string(run).expect("a run is JSON");
    let output = Command::new(program).args([command, &run]).output();
    let output = output.map_err(|error| Error::Peer(format!("{command} {run}: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Peer(format!("{command} {run} fails: {}", said.trim())));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| Error::Peer(format!("{command} {run} answers no JSON: {error}")))
}
