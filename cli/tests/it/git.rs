//! `import git` of ten thousand commits, and ten restores that equal what git says was there.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::repository::Repository;
use crate::workplace::{Workplace, instant_of, run};

/// First-parent commits of the repository.
const COMMITS: u64 = 10_000;
/// Commits that are restored.
const RESTORES: usize = 10;
/// Time of the first commit, in seconds.
const START_SECS: u64 = 1_600_000_000;

/// Paths that a careless reader of git's output would take for something else, as `git
/// fast-import` quotes them.
const ODD_PATHS: [&str; 10] = [
    "a file with spaces",
    "ümläut/日本/🦀",
    "\"tab\\there\"",
    "\"line\\nend\"",
    "\"quote\\\"d\"",
    "\"back\\\\slash\"",
    "\"\\377\\376 no UTF-8\"",
    "-dash",
    ".hidden/.file",
    "deep/er/and/deep/er/still",
];

/// A stream for `git fast-import`.
struct Stream {
    bytes: Vec<u8>,
    marks: u64,
}

impl Stream {
    /// Begins a commit on a branch and gives its mark. `secs` is its time.
    fn commit(&mut self, branch: &str, secs: u64) -> u64 {
        self.marks += 1;
        let mark = self.marks;
        self.line(&format!("commit refs/heads/{branch}"));
        self.line(&format!("mark :{mark}"));
        self.line(&format!("committer Test <test@example.org> {secs} +0000"));
        self.line("data 0");
        mark
    }

    fn put(&mut self, mode: &str, path: &str, content: &str) {
        self.line(&format!("M {mode} inline {path}"));
        self.line(&format!("data {}", content.len()));
        self.line(content);
    }

    fn line(&mut self, line: &str) {
        self.bytes.extend_from_slice(line.as_bytes());
        self.bytes.push(b'\n');
    }
}

/// Adds, overwrites, deletes, renames, changes of mode, a file that becomes a directory and back,
/// submodules, merges, commits without changes, and times that stand still and go back.
fn ten_thousand_commits() -> Vec<u8> {
    let mut stream = Stream { bytes: Vec::new(), marks: 0 };
    let mut secs = START_SECS;
    for number in 0..COMMITS {
        secs = match number % 100 {
            0..10 => secs,
            10 => secs - 1_000,
            _ => secs + 37,
        };
        let side = (number % 97 == 96).then(|| {
            let side = stream.commit("side", secs);
            stream.line(&format!("from :{}", side - 1));
            stream.put("100644", &format!("side/{number}"), "from the side");
            side
        });
        let mark = stream.commit("main", secs);
        if let Some(side) = side {
            // The parent is the commit before, on the first line of history.
            stream.line(&format!("from :{}", mark - 2));
            stream.line(&format!("merge :{side}"));
            stream.put("100644", &format!("side/{number}"), "from the side");
        }
        changes(&mut stream, number);
        stream.line("");
    }
    stream.bytes
}

/// The changes of one commit.
fn changes(stream: &mut Stream, number: u64) {
    let odd = ODD_PATHS[usize::try_from(number / 10).expect("it is small") % ODD_PATHS.len()];
    let path = format!("src/{}/{}.rs", number % 13, number * number % 401);
    match number % 10 {
        0 => stream.put("100644", odd, &format!("odd {number}")),
        1 => stream.line(&format!("D {odd}")),
        2 => stream.put("100755", &path, &format!("run {number}")),
        3 => stream.put("120000", "link", &format!("../{path}")),
        4 => stream.line("D swap"),
        5 => stream.put("100644", "swap", &format!("a file {number}")),
        6 => {
            stream.line("D swap");
            stream.put("100644", "swap/inner", &format!("a directory {number}"));
            stream.line(&format!("M 160000 {number:040x} submodule"));
        }
        // A rename: the same content leaves one path and comes to another.
        7 => {
            stream.line(&format!("D moved/{}", number - 10 * u64::from(number > 10)));
            stream.put("100644", &format!("moved/{number}"), "what is moved");
        }
        8 if number % 20 == 8 => {}
        _ => stream.put("100644", &path, &format!("text {number}\n")),
    }
}

#[test]
fn ten_restores_of_ten_thousand_commits_are_what_git_says() {
    let place = Workplace::new();
    let repository = Repository::init(&place, "repository");
    repository.fast_import(&ten_thousand_commits());
    let history = repository.history();
    assert_eq!(u64::try_from(history.len()), Ok(COMMITS));

    let import = ["import", "git", "repository", "files", "--create", "--protect", "forever"];
    let summary = place.db_json(&import).done().record();
    let count = |name: &str| summary[name].as_u64().expect("a count");
    assert_eq!(count("commits") + count("batches_without_events"), COMMITS);
    assert!(count("batches_without_events") >= COMMITS / 25, "{summary}");
    assert!(count("events") > COMMITS, "{summary}");

    let mut compared = 0;
    for step in 0..RESTORES {
        let at = step * (history.len() - 1) / (RESTORES - 1);
        let name = format!("restored-{step}");
        let instant = instant_of(history[at].micros);
        place.db(&["restore", "files", &name, "--at", &instant]).done();
        let found = exported(&place, &["export", &name]);
        assert_eq!(found, expected(&repository, &history[at].id), "commit {at}, {instant}");
        compared += found.len();
        if at > 0 {
            let before = [&instant_of(history[at].micros - 1)[..]];
            let found = exported(&place, &[&["export", "files", "--as-of"], &before[..]].concat());
            let id = &history[at - 1].id;
            assert_eq!(found, expected(&repository, id), "commit {}, {before:?}", at - 1);
        }
    }
    assert!(compared > 10 * 400, "the trees that were compared had {compared} files");
}

#[test]
fn a_repository_that_is_none_or_empty_or_cut_short_is_said_to_be() {
    let place = Workplace::new();
    let import = |from: &str| place.db(&["import", "git", from, "--create", "--protect", "1d"]);
    import("nowhere").refused(1, &["nowhere"]);
    std::fs::create_dir(place.path("plain")).expect("it can be made");
    let mut command = place.command(&["--data", "db", "import", "git", "plain", "--create"]);
    // A directory above may be a repository, which is not the one that is meant.
    command.env("GIT_CEILING_DIRECTORIES", place.path(""));
    run(&mut command).refused(1, &["git repository", "plain"]);
    let repository = Repository::init(&place, "small");
    import("small").refused(1, &["has no commit at its head"]);
    assert_eq!(place.db_json(&["table", "list"]).done().text(), "");

    repository.commit("first", &[("a", Some("1"))]);
    repository.commit("second", &[("b", Some("2"))]);
    let url = format!("file://{}", place.path("small").display());
    repository.git(&["clone", "--quiet", "--depth", "1", &url, "../shallow"]);
    let shallow = import("shallow").done();
    assert!(shallow.err.contains("shallow is a shallow clone"), "{}", shallow.err);
    // A table is named after its repository where nothing else is said.
    assert_eq!(place.db_json(&["scan", "shallow"]).done().records().len(), 2);
}

fn expected(repository: &Repository<'_>, commit: &str) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let tree = repository.tree(commit).into_iter();
    tree.map(|(path, value)| (path, value.into_bytes())).collect()
}

/// Rows that an export writes, which must be in order.
fn exported(place: &Workplace, export: &[&str]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let answer = place.db(&[export, &["--base64"]].concat()).done();
    let mut rows: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for row in answer.records() {
        let bytes =
            |name: &str| STANDARD.decode(row[name].as_str().expect("text")).expect("base64");
        let key = bytes("key");
        assert!(rows.last_key_value().is_none_or(|(last, _)| *last < key), "rows are sorted");
        rows.insert(key, bytes("value"));
    }
    rows
}
