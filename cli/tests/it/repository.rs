//! Git repositories made by the tests, and what git itself says was in them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use crate::workplace::{Workplace, answer, run, spawn_piped};

/// A repository in a workplace.
pub(crate) struct Repository<'a> {
    place: &'a Workplace,
    name: &'a str,
}

/// A commit of the first-parent history.
#[derive(Debug)]
pub(crate) struct GitCommit {
    pub(crate) id: String,
    /// The time that it is imported at: its own in microseconds, made to increase strictly.
    pub(crate) micros: i64,
}

impl<'a> Repository<'a> {
    pub(crate) fn init(place: &'a Workplace, name: &'a str) -> Self {
        let repository = Self { place, name };
        std::fs::create_dir(place.path(name)).expect("the directory can be made");
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    /// Runs git, and gives what it printed.
    #[track_caller]
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        run(&mut self.command(arguments)).done().text().to_owned()
    }

    /// Puts and removes files, and commits that.
    pub(crate) fn commit(&self, message: &str, files: &[(&str, Option<&str>)]) {
        for (path, content) in files {
            let path = self.place.path(self.name).join(path);
            match content {
                Some(content) => {
                    let parent = path.parent().expect("it lies in the repository");
                    std::fs::create_dir_all(parent).expect("the directory can be made");
                    std::fs::write(&path, content).expect("the file can be written");
                }
                None => std::fs::remove_file(&path).expect("the file is there"),
            }
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    /// Makes the commits of a stream in the format of `git fast-import`.
    pub(crate) fn fast_import(&self, stream: &[u8]) {
        let mut command = self.command(&["fast-import", "--quiet"]);
        let mut child = spawn_piped(&mut command);
        let mut stdin = child.stdin.take().expect("it is piped");
        let written = stdin.write_all(stream);
        drop(stdin);
        answer(&command, child.wait_with_output().expect("git ends")).done();
        written.expect("git read the whole stream");
    }

    /// The first-parent history, oldest first.
    pub(crate) fn history(&self) -> Vec<GitCommit> {
        let log = self.git(&["log", "--first-parent", "--reverse", "--format=%H %ct", "main"]);
        let mut commits: Vec<GitCommit> = Vec::new();
        for line in log.lines() {
            let (id, secs) = line.split_once(' ').expect("an id and a time");
            let own = secs.parse::<i64>().expect("whole seconds") * 1_000_000;
            let micros = commits.last().map_or(own, |last| own.max(last.micros + 1));
            commits.push(GitCommit { id: id.to_owned(), micros });
        }
        commits
    }

    /// What git says was there at a commit: path to `MODE OID SIZE`, with -1 for a submodule.
    pub(crate) fn tree(&self, commit: &str) -> BTreeMap<Vec<u8>, String> {
        let listing = run(&mut self.command(&["ls-tree", "-r", "-l", "-z", commit])).done();
        let entries = listing.bytes().split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
        let entry = |entry: &[u8]| {
            let tab = entry.iter().position(|byte| *byte == b'\t').expect("a tab before the path");
            let words = std::str::from_utf8(&entry[..tab]).expect("text");
            let words: Vec<_> = words.split_whitespace().collect();
            let [mode, _kind, id, size] = words[..] else { panic!("{words:?}") };
            let size = if size == "-" { "-1" } else { size };
            (entry[tab + 1..].to_vec(), format!("{mode} {id} {size}"))
        };
        entries.map(entry).collect()
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.place.program(Path::new("git"), arguments);
        command.current_dir(self.place.path(self.name));
        // The settings of whoever runs the tests are not those of the tests.
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Test");
            command.env(format!("GIT_{who}_EMAIL"), "test@example.org");
        }
        command
    }
}
