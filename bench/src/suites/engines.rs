//! Which engines a suite compares, and in which releases.

use foldback_bench::{EngineKind, Error, Machine, Result};

/// What the workspace is built from, for the releases of peers.
const LOCKED: &str = include_str!("../../../Cargo.lock");

/// The engines that were asked for, or else those of the default that were compiled in.
pub(super) fn compiled_in(
    asked: &[EngineKind],
    by_default: &[EngineKind],
) -> Result<Vec<EngineKind>> {
    let missing = asked.iter().find_map(|it| Some((it.name(), it.missing_feature()?)));
    if let Some((name, feature)) = missing {
        return Err(Error::Input(format!(
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
pub(super) fn note_versions(machine: &mut Machine, engines: &[EngineKind]) {
    for engine in engines.iter().filter(|engine| !engine.is_ours()) {
        let name = format!("name = \"{}\"", engine.name());
        let mut lines = LOCKED.lines().skip_while(|line| *line != name).skip(1);
        let version = lines.next().and_then(|line| line.strip_prefix("version = \""));
        if let Some(version) = version {
            machine.note_version(engine.name(), version.trim_end_matches('"'));
        }
    }
}
