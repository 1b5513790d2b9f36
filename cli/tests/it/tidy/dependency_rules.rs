//! Rules for the manifests: dependencies point one way, are used, and have one version.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::finding::Finding;
use super::workspace::{TidyFile, Workspace};

/// Our crates by folder and name, the lowest first. A crate may use those above it in this list.
const CRATES: [(&str, &str); 5] = [
    ("log-tier", "foldback-log-tier"),
    ("compactor", "foldback-compactor"),
    ("engine", "foldback"),
    ("bench", "foldback-bench"),
    ("cli", "foldback-cli"),
];
/// Dependencies that these crates alone may have, so that a change of them stays there.
const ONLY_IN: [(&str, &[&str]); 4] = [
    ("object_store", &["log-tier"]),
    ("parquet", &["log-tier"]),
    ("lsm-tree", &["bench", "engine"]),
    ("clap", &["bench", "cli"]),
];
const SECTIONS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// All rules of this file.
pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut used = BTreeSet::new();
    for manifest in workspace.ending("Cargo.toml").filter(|file| file.path != "Cargo.toml") {
        let folder = manifest.path.trim_end_matches("/Cargo.toml");
        let table: Table = manifest.text.parse().expect("cargo has read this manifest");
        let words = words_of_crate(workspace, folder);
        for (name, value) in dependencies(&table) {
            used.insert(name.clone());
            let advice = [
                wrong_direction(folder, &name),
                wrong_crate(folder, &name),
                own_version(&value),
                unused(&words, &name),
            ];
            let line = line_of(manifest, &name);
            let advice = advice.into_iter().flatten();
            findings.extend(advice.map(|say| Finding::new(&manifest.path, line, say)));
        }
        if table.get("lints").and_then(|lints| lints.get("workspace"))
            != Some(&Value::Boolean(true))
        {
            let advice = "add `[lints] workspace = true`: the lints hold for every crate";
            findings.push(Finding::new(&manifest.path, 1, advice));
        }
    }
    findings.extend(forgotten(workspace, &used));
    findings
}

/// The dependencies of all sections, those for one platform too.
fn dependencies(manifest: &Table) -> Vec<(String, Value)> {
    let platforms = manifest.get("target").and_then(Value::as_table);
    let platforms = platforms.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let tables = std::iter::once(manifest).chain(platforms);
    tables
        .flat_map(|table| SECTIONS.iter().filter_map(|section| table.get(*section)?.as_table()))
        .flatten()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn wrong_direction(folder: &str, dependency: &str) -> Option<String> {
    let lower = CRATES.iter().position(|(_, name)| *name == dependency)?;
    let own = CRATES.iter().position(|(own, _)| folder.split('/').next() == Some(*own));
    // A crate inside the folder of another, such as one of fuzz targets, may use that one too.
    let is_nested = folder.contains('/');
    let points_down = own.is_some_and(|own| lower < own || (is_nested && lower == own));
    let advice = "dependencies point one way: cli -> bench -> engine -> compactor -> log-tier";
    (!points_down).then(|| advice.to_string())
}

fn wrong_crate(folder: &str, dependency: &str) -> Option<String> {
    let (_, only) = ONLY_IN.iter().find(|(name, _)| *name == dependency)?;
    let is_inside = folder.split('/').next().is_some_and(|crate_| only.contains(&crate_));
    let only = only.join(" and ");
    (!is_inside).then(|| format!("only {only} may depend on {dependency}: go through it"))
}

fn own_version(value: &Value) -> Option<String> {
    let is_inherited = value.get("workspace") == Some(&Value::Boolean(true));
    let advice = "write its version into the workspace's Cargo.toml and `workspace = true` here";
    (!is_inherited).then(|| advice.to_string())
}

fn unused(words: &BTreeSet<String>, dependency: &str) -> Option<String> {
    let is_named = words.contains(&dependency.replace('-', "_"));
    (!is_named).then(|| format!("no code of this crate names {dependency}: remove it"))
}

/// Versions in the workspace's manifest that no crate uses.
fn forgotten(workspace: &Workspace, used: &BTreeSet<String>) -> Vec<Finding> {
    let Some(manifest) = workspace.find("Cargo.toml") else { return Vec::new() };
    let table: Table = manifest.text.parse().expect("cargo has read this manifest");
    let listed = table.get("workspace").and_then(|section| section.get("dependencies")?.as_table());
    let names = listed.into_iter().flat_map(Table::keys).filter(|name| !used.contains(*name));
    names
        .map(|name| {
            let advice = format!("no crate uses {name}: remove it");
            Finding::new("Cargo.toml", line_of(manifest, name), advice)
        })
        .collect()
}

/// Every name in the code of the crate in `folder`.
fn words_of_crate(workspace: &Workspace, folder: &str) -> BTreeSet<String> {
    let inside = format!("{folder}/");
    let sources = workspace.sources().into_iter().filter(|source| source.path.starts_with(&inside));
    sources.flat_map(|source| source.tokens).map(|token| token.text).collect()
}

/// The line that starts with this name, or the first.
fn line_of(manifest: &TidyFile, name: &str) -> usize {
    let starts =
        |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '.', '=']));
    manifest.numbered_lines().find(|(_, line)| starts(line)).map_or(1, |(number, _)| number)
}
