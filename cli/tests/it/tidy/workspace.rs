//! The files of the workspace, as the rules see them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::source::SourceFile;

/// Directories that hold nothing of ours, for the walk that is done where there is no git.
const NOT_OURS: [&str; 4] = [".git", "target", "node_modules", "__pycache__"];

/// One file. Its path is relative to the root, with `/` between the parts.
#[derive(Clone, Debug)]
pub(crate) struct TidyFile {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    /// Empty when the file is not text.
    pub(crate) text: String,
}

impl TidyFile {
    /// A text file that need not exist, so that the rules can be tried on small inputs.
    pub(crate) fn text(path: &str, text: &str) -> Self {
        Self { path: path.to_string(), bytes: text.len() as u64, text: text.to_string() }
    }

    /// The lines with their numbers, counted from 1.
    pub(crate) fn numbered_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// All files of the workspace, in the order of their paths.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) files: Vec<TidyFile>,
}

impl Workspace {
    /// Reads the workspace that this test was compiled in.
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut paths = listed_by_git(&root).unwrap_or_else(|| listed_by_walk(&root));
        paths.sort();
        paths.dedup();
        let files: Vec<_> = paths.into_iter().filter_map(|path| read_file(&root, path)).collect();
        assert!(!files.is_empty(), "there is no file under {}", root.display());
        Self { files }
    }

    /// A workspace of small inputs.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| TidyFile::text(path, text)).collect() }
    }

    /// The file at `path`.
    pub(crate) fn find(&self, path: &str) -> Option<&TidyFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether `path` is a file, or a directory with a file in it.
    pub(crate) fn holds(&self, path: &str) -> bool {
        let directory = format!("{}/", path.trim_end_matches('/'));
        self.files.iter().any(|file| file.path == path || file.path.starts_with(&directory))
    }

    /// The files whose name ends with `suffix`.
    pub(crate) fn ending(&self, suffix: &str) -> impl Iterator<Item = &TidyFile> {
        self.files.iter().filter(move |file| file.path.ends_with(suffix))
    }

    /// All Rust files, scanned.
    pub(crate) fn sources(&self) -> Vec<SourceFile> {
        self.ending(".rs").map(|file| SourceFile::scan(&file.path, &file.text)).collect()
    }
}

/// What git tracks or would add: nothing that it ignores.
fn listed_by_git(root: &Path) -> Option<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .ok()?;
    let names = String::from_utf8(output.stdout).ok()?;
    let paths: Vec<_> = names.split_terminator('\0').map(str::to_string).collect();
    (output.status.success() && !paths.is_empty()).then_some(paths)
}

fn listed_by_walk(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut directories = vec![PathBuf::new()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(root.join(&directory)).expect("a directory that was just listed")
        {
            let entry = entry.expect("an entry of a readable directory");
            let name = entry.file_name().into_string().expect("a name in UTF-8");
            let path = directory.join(&name);
            if entry.path().is_file() {
                files.push(path.to_str().expect("a path in UTF-8").replace('\\', "/"));
            } else if !NOT_OURS.contains(&name.as_str()) {
                directories.push(path);
            }
        }
    }
    files
}

/// Reads one file; None when it is gone, which git only hears of with the next commit.
fn read_file(root: &Path, path: String) -> Option<TidyFile> {
    let content = fs::read(root.join(&path)).ok()?;
    let bytes = content.len() as u64;
    let text = String::from_utf8(content).unwrap_or_default();
    Some(TidyFile { path, bytes, text })
}
