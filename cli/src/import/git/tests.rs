//! Tests of reading a repository, on repositories made for them by `git fast-import`.

use std::io::Write;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::*;

/// 2024-05-01T10:00:05Z.
const START_SECS: i64 = 1_714_557_605;

fn git(repository: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(repository)
        .args(arguments)
        .env_remove("GIT_DIR")
        .env_remove("GIT_INDEX_FILE")
        .output()
        .expect("git is there");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("it is text").trim_end().to_owned()
}

/// A repository with the history that this stream of `git fast-import` describes.
fn repository(stream: &str) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    git(directory.path(), &["init", "--quiet", "--initial-branch=main"]);
    let mut child = Command::new("git")
        .arg("-C")
        .arg(directory.path())
        .args(["fast-import", "--quiet"])
        .env_remove("GIT_DIR")
        .stdin(Stdio::piped())
        .spawn()
        .expect("git is there");
    child.stdin.take().expect("a pipe").write_all(stream.as_bytes()).expect("git reads");
    assert!(child.wait().expect("git ends").success());
    directory
}

/// One commit of a stream.
fn commit(secs: i64, changes: &str) -> String {
    format!("commit refs/heads/main\ncommitter A <a@b.c> {secs} +0000\ndata 0\n{changes}\n")
}

fn put(path: &str, content: &str) -> String {
    format!("M 100644 inline {path}\ndata {}\n{content}\n", content.len())
}

fn batches_of(repository: &Path) -> Vec<GitBatch> {
    let history = GitHistory::open(repository).expect("it is a repository");
    history.batches().expect("git starts").collect::<Result<_>>().expect("it is read")
}

/// The state after each commit, as a fold of the events before it, sizes left out.
fn check_against_trees(repository: &Path) -> usize {
    let history = GitHistory::open(repository).expect("it is a repository");
    let mut state: BTreeMap<Vec<u8>, String> = BTreeMap::new();
    let batches = batches_of(repository);
    for GitBatch { commit_id, batch } in &batches {
        for event in &batch.events {
            match &event.value {
                None => assert!(state.remove(&event.key).is_some(), "it was there"),
                Some(value) => {
                    let value = String::from_utf8(value.clone()).expect("it is text");
                    let (mode_and_id, _size) = value.rsplit_once(' ').expect("three words");
                    state.insert(event.key.clone(), mode_and_id.to_owned());
                }
            }
        }
        assert_eq!(state, history.tree(commit_id).expect("git lists it"), "{commit_id}");
    }
    assert_eq!(batches.last().map(|last| &last.commit_id), Some(&history.head));
    assert_eq!(batches.len() as u64, history.commits());
    batches.len()
}

#[test]
fn commits_become_batches_with_strictly_increasing_times() {
    let stream = [
        commit(START_SECS, &(put("a", "one") + &put("d/b c", ""))),
        commit(START_SECS, ""),
        commit(START_SECS - 100, &(put("a", "three") + "D d/b c\n")),
        commit(START_SECS + 1, "M 160000 0123456789012345678901234567890123456789 sub\n"),
    ]
    .concat();
    let repository = repository(&stream);
    let batches = batches_of(repository.path());
    let start = START_SECS * SECOND_MICROS;
    let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).expect("it is text");
    let shown = batches.iter().map(|git| {
        let events = git.batch.events.iter().map(|e| (text(&e.key), e.value.as_ref().map(text)));
        (git.batch.timestamp_micros, git.batch.line_first, events.collect::<Vec<_>>())
    });
    let put = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
    let expected = [
        (
            start,
            1,
            vec![
                put("a", "100644 43dd47ea691c90a5fa7827892c70241913351963 3"),
                put("d/b c", "100644 e69de29bb2d1d6434b8b29ae775ad8c2e48c5391 0"),
            ],
        ),
        (start + 1, 2, vec![]),
        (
            start + 2,
            3,
            vec![
                put("a", "100644 1d19714ffbc272ba0da6eb419d66123c20527174 5"),
                ("d/b c".to_owned(), None),
            ],
        ),
        (
            start + SECOND_MICROS,
            4,
            vec![put("sub", "160000 0123456789012345678901234567890123456789 -1")],
        ),
    ];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
    check_against_trees(repository.path());
}

#[test]
fn renames_modes_links_merges_and_odd_paths_fold_to_what_git_has() {
    let merge = [
        "commit refs/heads/side\ncommitter A <a@b.c> 5 +0000\ndata 0\nfrom refs/heads/main",
        "M 100644 inline from-side\ndata 1\ns\n",
        "commit refs/heads/main\ncommitter A <a@b.c> 6 +0000\ndata 0\nmerge refs/heads/side",
        "M 100644 inline from-side\ndata 1\ns",
        "M 100644 inline by-the-merge\ndata 1\nm\n\n",
    ]
    .join("\n");
    let stream = [
        commit(1, &(put("a", "one") + &put("\"tab\\there\"", "t") + &put("é/ü", "u"))),
        commit(2, "R a b\n"),
        commit(3, "M 100755 inline b\ndata 3\none\n"),
        commit(4, "M 120000 inline b\ndata 3\né/ü\n".replace("data 3", "data 5").as_str()),
        merge,
        commit(7, "R é dir\n"),
        commit(8, "deleteall\n"),
    ]
    .concat();
    let repository = repository(&stream);
    // Settings that would change what git prints, if they were listened to.
    for (name, value) in [
        ("diff.renames", "copies"),
        ("diff.relative", "true"),
        ("diff.ignoreSubmodules", "all"),
        ("log.showSignature", "true"),
        ("log.showRoot", "false"),
        ("log.diffMerges", "off"),
        ("color.ui", "always"),
        ("core.quotePath", "true"),
        ("log.abbrevCommit", "true"),
        ("format.pretty", "full"),
    ] {
        git(repository.path(), &["config", name, value]);
    }
    assert_eq!(check_against_trees(repository.path()), 7);
}

#[test]
fn more_commits_and_paths_than_are_read_ahead_keep_their_sizes() {
    let wide: String = (0..1_500).map(|at| put(&format!("wide/{at}"), &"x".repeat(at))).collect();
    let mut stream = commit(1, &wide);
    for at in 0..600 {
        stream += &commit(2, &put("hot", &"y".repeat(at)));
    }
    let repository = repository(&stream);
    let batches = batches_of(repository.path());
    let size = |event: &ImportedEvent| {
        let value = String::from_utf8(event.value.clone().expect("a put")).expect("it is text");
        value.rsplit(' ').next().expect("three words").to_owned()
    };
    for event in &batches[0].batch.events {
        let path = String::from_utf8_lossy(&event.key).into_owned();
        assert_eq!(Some(size(event).as_str()), path.strip_prefix("wide/"));
    }
    for (at, git) in batches[1..].iter().enumerate() {
        assert_eq!(size(&git.batch.events[0]), at.to_string());
    }
    assert!(batches.is_sorted_by(|a, b| a.batch.timestamp_micros < b.batch.timestamp_micros));
}

#[test]
fn a_shallow_clone_says_so_and_is_read_from_where_it_begins() {
    let stream: String = (1..=5).map(|at| commit(at, &put(&format!("f{at}"), "x"))).collect();
    let origin = repository(&stream);
    assert!(!GitHistory::open(origin.path()).expect("a repository").is_shallow());
    let clone = tempfile::tempdir().expect("a temporary directory");
    let url = format!("file://{}", origin.path().display());
    git(clone.path(), &["clone", "--quiet", "--depth=2", "--branch=main", &url, "."]);
    let history = GitHistory::open(clone.path()).expect("a repository");
    assert!(history.is_shallow());
    assert_eq!(history.commits(), 2);
    let batches = batches_of(clone.path());
    assert_eq!(batches[0].batch.events.len(), 4, "all the files there were by then");
    check_against_trees(clone.path());
}

#[test]
fn a_subdirectory_stands_for_its_whole_repository() {
    let repository = repository(&commit(1, &(put("top", "x") + &put("sub/inner", "y"))));
    let inner = repository.path().join("sub");
    std::fs::create_dir(&inner).expect("it is made");
    assert_eq!(batches_of(&inner)[0].batch.events.len(), 2);
    check_against_trees(&inner);
}

#[test]
fn what_is_no_history_is_refused_with_what_to_do() {
    let empty = tempfile::tempdir().expect("a temporary directory");
    let refused = |path: &Path| GitHistory::open(path).expect_err("no history").to_string();
    assert!(refused(empty.path()).contains("not a git repository"), "{}", refused(empty.path()));
    assert!(refused(&empty.path().join("absent")).contains("No such file or directory"));
    let unborn = repository("");
    assert!(refused(unborn.path()).contains("has no commit at its head"));
    let absent = program::not_started(std::io::ErrorKind::NotFound.into()).to_string();
    assert!(absent.contains("git program is not installed"), "{absent}");
    let repository = repository(&commit(1, &put("a", "x")));
    let history = GitHistory::open(repository.path()).expect("a repository");
    let error = history.tree("0123456789").expect_err("no such commit").to_string();
    assert!(error.contains("Not a valid object name"), "{error}");
}
