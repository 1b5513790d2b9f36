//! Rules for the documents: what they point at exists, and the map of the code is complete.

use toml::Table;

use super::finding::Finding;
use super::workspace::{TidyFile, Workspace};

const MAP: &str = "ARCHITECTURE.md";

/// All rules of this file.
pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let mut findings = map_is_complete(workspace);
    for document in workspace.ending(".md") {
        for (number, line) in lines_of_prose(document) {
            let named = named_paths(line).into_iter().filter(|path| !is_there(workspace, path));
            let linked = links(line).into_iter().map(|link| resolve(&document.path, link));
            let broken = linked.filter(|path| !path.is_empty() && !workspace.holds(path));
            findings.extend(named.map(str::to_string).chain(broken).map(|path| {
                Finding::new(&document.path, number, format!("there is no {path}: mend the path"))
            }));
        }
    }
    findings
}

/// The map has a glossary and names the folder of every crate.
fn map_is_complete(workspace: &Workspace) -> Vec<Finding> {
    let Some(map) = workspace.find(MAP) else {
        return vec![Finding::new(MAP, 1, "write it: the map of the code and its glossary")];
    };
    let mut findings = Vec::new();
    let mut headings = map.text.lines().filter(|line| line.starts_with('#'));
    if !headings.any(|heading| heading.to_lowercase().contains("glossary")) {
        findings.push(Finding::new(MAP, 1, "add a heading \"Glossary\" with a line for each noun"));
    }
    for member in members(workspace) {
        if !map.text.contains(&format!("{member}/")) {
            let advice = format!("say what lives in {member}/: it is a crate of the workspace");
            findings.push(Finding::new(MAP, 1, advice));
        }
    }
    findings
}

fn members(workspace: &Workspace) -> Vec<String> {
    let Some(manifest) = workspace.find("Cargo.toml") else { return Vec::new() };
    let table: Table = manifest.text.parse().expect("cargo has read this manifest");
    let members = table.get("workspace").and_then(|section| section.get("members")?.as_array());
    let names = members.into_iter().flatten().filter_map(|member| member.as_str());
    names.map(str::to_string).collect()
}

/// The numbered lines outside fenced blocks.
fn lines_of_prose(document: &TidyFile) -> impl Iterator<Item = (usize, &str)> {
    let mut in_fence = false;
    document.numbered_lines().filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_fence ^= is_fence;
        !in_fence && !is_fence
    })
}

/// What stands in backticks and reads like a path: it has a slash, and only characters of a path.
fn named_paths(line: &str) -> Vec<&str> {
    let spans = line.split('`').skip(1).step_by(2);
    let is_of_path =
        |character: char| character.is_ascii_alphanumeric() || "-_./".contains(character);
    spans.filter(|span| span.contains('/') && span.chars().all(is_of_path)).collect()
}

/// A path counts as ours when the entry that it starts with is; the others are of other systems,
/// or start in the middle.
fn is_there(workspace: &Workspace, path: &str) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    first.is_empty() || !workspace.holds(first) || workspace.holds(path)
}

/// The targets of links, without those to the network and to a heading of the same document.
fn links(line: &str) -> Vec<&str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let local = targets.map(|(target, _)| target).filter(|target| !target.contains(':'));
    local.filter_map(|target| target.split('#').next()).filter(|path| !path.is_empty()).collect()
}

/// The path from the root that `link` in the document at `path` points to.
fn resolve(path: &str, link: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}
