//! The command line of Foldback: arguments in, engine calls, tables or JSON out.

mod arguments;
mod commands;
mod config;
mod door;
mod error;
mod export;
mod human;
mod import;
mod instant;
mod interrupt;
mod map;
mod output;
mod picture;
mod session;
mod span;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::arguments::Arguments;

/// Environment variable that says which of the engine's log lines are shown; none are without it,
/// as every command says itself what went wrong.
const LOG_VARIABLE: &str = "FOLDBACK_LOG";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match commands::run(arguments) {
        Ok(code) => code,
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            let advice = error.advice().map(|advice| format!("foldback: {advice}\n"));
            let message = format!("foldback: {error}\n{}", advice.unwrap_or_default());
            // One write, so that no other process's words come between. If nobody can be told, the
            // exit code still says it.
            let _ = std::io::stderr().write_all(message.as_bytes());
            ExitCode::from(error.exit_code())
        }
    }
}
