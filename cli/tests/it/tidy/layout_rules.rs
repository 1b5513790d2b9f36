//! Rules for what lies at the top level and how large the test data may be.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::workspace::Workspace;

/// What the root may hold beside dotfiles. A new entry is a decision, not an accident.
const TOP_LEVEL: [&str; 13] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "bench",
    "cli",
    "compactor",
    "engine",
    "log-tier",
    "test",
    "testdata",
];

/// Data larger than this belongs to the machine that makes it, not to every clone.
pub(crate) const TESTDATA_BYTES_MAX: u64 = 5 * 1024 * 1024;

/// Reports entries of the root that should not be there.
pub(crate) fn check_top_level(workspace: &Workspace) -> Vec<Finding> {
    let entries: BTreeSet<&str> =
        workspace.files.iter().filter_map(|file| file.path.split('/').next()).collect();
    entries
        .into_iter()
        .filter(|entry| !entry.starts_with('.') && !TOP_LEVEL.contains(entry))
        .map(|entry| Finding::new(entry, 1, "move it below a crate, or out of the repository"))
        .collect()
}

/// Reports test data that has grown too large, by its largest file.
pub(crate) fn check_testdata(workspace: &Workspace) -> Vec<Finding> {
    let data = workspace.files.iter().filter(|file| file.path.starts_with("testdata/"));
    let total: u64 = data.clone().map(|file| file.bytes).sum();
    let largest = data.max_by_key(|file| file.bytes);
    match largest {
        Some(file) if total > TESTDATA_BYTES_MAX => {
            let advice = format!(
                "testdata/ has {total} bytes, at most {TESTDATA_BYTES_MAX}: make this, the largest \
                 file, smaller, or make it in the test"
            );
            vec![Finding::new(&file.path, 1, advice)]
        }
        _ => Vec::new(),
    }
}
