//! Rules for how files become crates: none is dead text, and a crate has one integration test.

use std::collections::BTreeSet;

use toml::Table;

use super::finding::Finding;
use super::source::SourceFile;
use super::workspace::Workspace;

/// Directories of a crate in which cargo finds targets by itself, each file or `main.rs` one.
const TARGET_DIRECTORIES: [&str; 4] = ["src/bin", "tests", "benches", "examples"];
/// Sections of a manifest that may name the file of a target.
const TARGET_SECTIONS: [&str; 5] = ["lib", "bin", "test", "bench", "example"];

/// Reports integration tests beside `tests/it/main.rs`: each would be linked on its own.
pub(crate) fn check_one_integration_test(workspace: &Workspace) -> Vec<Finding> {
    let rust = workspace.ending(".rs").filter(|file| !file.path.contains("/src/"));
    let beside = rust.filter(|file| {
        file.path.split_once("/tests/").is_some_and(|(_, rest)| !rest.starts_with("it/"))
    });
    beside.map(|file| Finding::new(&file.path, 1, "make it a module of tests/it/main.rs")).collect()
}

/// Reports the files that no crate reaches.
pub(crate) fn check_dead_files(workspace: &Workspace) -> Vec<Finding> {
    let sources = workspace.sources();
    let paths: BTreeSet<&str> = sources.iter().map(|source| source.path.as_str()).collect();
    let roots = roots(workspace, &paths);
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut waiting: Vec<String> = roots.iter().cloned().collect();
    while let Some(path) = waiting.pop() {
        let Some(source) = sources.iter().find(|source| source.path == path) else { continue };
        let folder = folder_of_modules(source, roots.contains(&path));
        if reached.insert(path) {
            waiting.extend(source.declared_modules().map(|module| format!("{folder}/{module}.rs")));
        }
    }
    let dead = paths.iter().filter(|path| !reached.contains(**path));
    dead.map(|path| Finding::new(path, 1, "no `mod` names this file: name it or delete it"))
        .collect()
}

/// The files at which cargo starts to compile.
fn roots(workspace: &Workspace, paths: &BTreeSet<&str>) -> BTreeSet<String> {
    let mut roots = BTreeSet::new();
    for manifest in workspace.ending("Cargo.toml") {
        let Some(folder) = manifest.path.strip_suffix("/Cargo.toml") else { continue };
        roots.extend(
            ["src/lib.rs", "src/main.rs", "build.rs"].map(|file| format!("{folder}/{file}")),
        );
        for directory in TARGET_DIRECTORIES {
            let prefix = format!("{folder}/{directory}/");
            let below = paths.iter().filter_map(|path| Some((path, path.strip_prefix(&prefix)?)));
            let targets = below.filter(|(_, rest)| is_target(rest));
            roots.extend(targets.map(|(path, _)| (*path).to_string()));
        }
        let table: Table = manifest.text.parse().expect("cargo has read this manifest");
        roots.extend(named_targets(&table).map(|path| format!("{folder}/{path}")));
    }
    roots
}

fn is_target(path_below: &str) -> bool {
    match path_below.split_once('/') {
        None => true,
        Some((_, file)) => file == "main.rs",
    }
}

/// The files that `[[bin]]` and its like name.
fn named_targets(manifest: &Table) -> impl Iterator<Item = &str> {
    let sections = TARGET_SECTIONS.iter().filter_map(|section| manifest.get(*section));
    let targets = sections.flat_map(|section| match section.as_array() {
        Some(targets) => targets.iter().collect(),
        None => vec![section],
    });
    targets.filter_map(|target| target.get("path")?.as_str())
}

/// Where the files of the modules are that `source` declares.
fn folder_of_modules(source: &SourceFile, is_root: bool) -> &str {
    let own = source.path.trim_end_matches(".rs");
    match own.rsplit_once('/') {
        Some((folder, _)) if is_root => folder,
        _ => own,
    }
}
