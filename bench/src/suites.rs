//! The suites as commands: their options, and how they are run and shown.

pub(crate) mod commit;
pub(crate) mod read;

use std::path::Path;

use foldback_bench::{EngineKind, Error, Machine, Report, Result};

/// What the workspace is built from, for the releases of peers.
const LOCKED: &str = include_str!("../../Cargo.lock");

/// The engines that were asked for, or else those of the default that were compiled in.
fn compiled_in(asked: &[EngineKind], by_default: &[EngineKind]) -> Result<Vec<EngineKind>> {
    let missing = asked.iter().find_map(|it| Some((it.name(), it.missing_feature()?)));
    if let Some((name, feature)) = missing {
        return Err(Error::Peer(format!(
            "{name} was not compiled in: build with --features foldback-bench/{feature}"
        )));
    }
    if !asked.is_empty() {
        return Ok(asked.to_vec());
    }
    let (there, missing): (Vec<EngineKind>, Vec<EngineKind>) = by_default
        .iter()
        .copied()
        .partition(|engine: &EngineKind| engine.missing_feature().is_none());
    for engine in missing {
        let feature = engine.missing_feature().expect("it is missing");
        eprintln!("{} is left out: it needs --features foldback-bench/{feature}", engine.name());
    }
    Ok(there)
}

/// Notes which releases of the engines are compared.
fn note_versions(machine: &mut Machine, engines: &[EngineKind]) {
    for engine in engines.iter().filter(|engine| !engine.is_ours()) {
        let name = format!("name = \"{}\"", engine.name());
        let mut lines = LOCKED.lines().skip_while(|line| *line != name).skip(1);
        let version = lines.next().and_then(|line| line.strip_prefix("version = \""));
        if let Some(version) = version {
            machine.note_version(engine.name(), version.trim_end_matches('"'));
        }
    }
}

/// Shows a report: as text or JSON, and as a page if one is asked for.
fn show(report: &Report, json: bool, html: Option<&Path>) -> Result<()> {
    if let Some(path) = html {
        std::fs::write(path, report.html()).map_err(|source| Error::File {
            action: "write",
            path: path.display().to_string(),
            source,
        })?;
    }
    match json {
        true => println!("{}", report.json()),
        false => print!("{}", report.text()),
    }
    Ok(())
}
