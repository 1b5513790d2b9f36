//! The rule that words of other systems, which mean several things each, are not used here.

mod tests;

use super::finding::Finding;
use super::workspace::{TidyFile, Workspace};

/// Words that are wrong in every form: the beginning is enough to know them.
const STEMS: [(&str, &str); 6] = [
    ("snapshot", "say view, base or backup"),
    ("checkpoint", "say what is made durable, and where"),
    ("journal", "say log"),
    ("archiv", "say history file or bucket"),
    ("vacuum", "say expire or sweep"),
    ("purg", "say expire or sweep"),
];
/// Words too short to be known by their beginning.
const WHOLE: [(&str, &str); 4] =
    [("wal", "say log"), ("wals", "say log"), ("lsn", "say seq"), ("lsns", "say seq")];

/// A file that must use one of the words, such as for a foreign interface.
struct Exception {
    file: &'static str,
    /// The word as it is banned above, or `*` for all of them.
    word: &'static str,
}

/// Each with its reason. An exception that excuses nothing is itself a finding.
const EXCEPTIONS: [Exception; 4] = [
    // This rule and its tests have to name the words.
    Exception { file: "cli/tests/it/tidy/vocabulary.rs", word: "*" },
    Exception { file: "cli/tests/it/tidy/vocabulary/tests.rs", word: "*" },
    // The options of PostgreSQL have its words in their names.
    Exception { file: "bench/peers/postgres_restore.py", word: "*" },
    // It syncs surrealkv's log.
    Exception { file: "bench/src/restore/surrealkv.rs", word: "wal" },
];

/// Files whose words are not ours.
const NOT_OURS: [&str; 2] = ["LICENSE", "Cargo.lock"];
/// A paragraph of a document that starts so lists the words in order to ban them.
const BAN: &str = "Not in the vocabulary";

/// Reports every use of a banned word in source, scripts and documents.
pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    check_with(workspace, &EXCEPTIONS)
}

fn check_with(workspace: &Workspace, exceptions: &[Exception]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut excused = vec![false; exceptions.len()];
    for use_of in workspace.files.iter().flat_map(uses) {
        let excuse = exceptions.iter().position(|exception| exception.excuses(&use_of));
        match excuse {
            Some(index) => excused[index] = true,
            None => findings.push(use_of.finding()),
        }
    }
    let idle = exceptions.iter().zip(excused).filter(|(_, excused)| !excused);
    findings.extend(idle.map(|(exception, _)| {
        let advice = format!("the exception for \"{}\" excuses nothing: remove it", exception.word);
        Finding::new(exception.file, 1, advice)
    }));
    findings
}

/// A banned word at its place.
struct Use<'a> {
    file: &'a str,
    line: usize,
    word: &'static str,
    instead: &'static str,
}

impl Use<'_> {
    fn finding(&self) -> Finding {
        let advice = format!("\"{}\" is not in the vocabulary: {}", self.word, self.instead);
        Finding::new(self.file, self.line, advice)
    }
}

impl Exception {
    fn excuses(&self, use_of: &Use<'_>) -> bool {
        self.file == use_of.file && ["*", use_of.word].contains(&self.word)
    }
}

fn uses(file: &TidyFile) -> Vec<Use<'_>> {
    let mut uses = Vec::new();
    if NOT_OURS.contains(&file.path.as_str()) || file.path.starts_with("testdata/") {
        return uses;
    }
    let is_document = file.path.ends_with(".md");
    let mut in_ban = false;
    for (line, content) in file.numbered_lines() {
        in_ban = is_document && (content.contains(BAN) || (in_ban && !content.trim().is_empty()));
        if !in_ban {
            let words = banned_words(content).into_iter();
            uses.extend(words.map(|(word, instead)| Use { file: &file.path, line, word, instead }));
        }
    }
    uses
}

/// The banned words in `line`, alone or as part of a name, with what to say instead.
fn banned_words(line: &str) -> Vec<(&'static str, &'static str)> {
    let mut found = Vec::new();
    for run in line.split(|character: char| !character.is_ascii_alphabetic()) {
        let mut words = words_of_name(run);
        words.push(run.to_lowercase());
        let stem = STEMS.iter().find(|(stem, _)| words.iter().any(|word| word.starts_with(stem)));
        let whole = WHOLE.iter().find(|(whole, _)| words.iter().any(|word| word == whole));
        found.extend(stem.or(whole));
    }
    found
}

/// `SegmentWriter` is "segment" and "writer"; `HTTPServer` is "http" and "server".
fn words_of_name(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = Vec::new();
    for (index, letter) in letters.iter().enumerate() {
        let after_lower = index > 0 && letters[index - 1].is_lowercase();
        let before_lower = letters.get(index + 1).is_some_and(|next| next.is_lowercase());
        let starts_word = index == 0 || (letter.is_uppercase() && (after_lower || before_lower));
        match words.last_mut() {
            Some(word) if !starts_word => word.push(letter.to_ascii_lowercase()),
            _ => words.push(letter.to_lowercase().collect()),
        }
    }
    words
}
