use super::{Exception, banned_words, check_with};
use crate::tidy::workspace::Workspace;

#[test]
fn a_banned_word_is_found_in_every_form() {
    for (line, expected) in [
        ("let wal = open();", "wal"),
        ("struct WalWriter;", "wal"),
        ("fn roll_wal_file() {}", "wal"),
        ("// The WAL is synced.", "wal"),
        ("const LSN_MAX: u64 = 1;", "lsn"),
        ("two LSNs", "lsns"),
        ("DbSnapshot", "snapshot"),
        ("SNAPSHOTS_MAX", "snapshot"),
        ("it is checkpointed", "checkpoint"),
        ("journaling", "journal"),
        ("an archived file, an archive", "archiv"),
        ("Vacuum", "vacuum"),
        ("after purging", "purg"),
    ] {
        let found: Vec<_> = banned_words(line).into_iter().map(|(word, _)| word).collect();
        assert!(found.contains(&expected), "{line}: {found:?}");
    }
}

#[test]
fn a_word_that_only_contains_one_is_left_alone() {
    for line in ["wall clock", "firewalls", "walk the tree", "rocksdb", "walDo", "spurge", ""] {
        let line = line.replace("walDo", "waldo");
        assert_eq!(banned_words(&line), [], "{line}");
    }
}

#[test]
fn only_the_paragraph_that_bans_the_words_may_list_them() {
    let text = "Not in the vocabulary: snapshot,\njournal, vacuum.\n\nA snapshot is taken.\n";
    let findings = check_with(&Workspace::of(&[("ARCHITECTURE.md", text)]), &[]);
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("ARCHITECTURE.md:4: "), "{lines:?}");
}

#[test]
fn an_exception_excuses_its_word_in_its_file_and_must_be_needed() {
    let workspace = Workspace::of(&[("engine/src/a.rs", "iceberg.snapshot()\nwal\n")]);
    let exception = [Exception { file: "engine/src/a.rs", word: "snapshot" }];
    let findings = check_with(&workspace, &exception);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].to_string().starts_with("engine/src/a.rs:2: "), "{findings:?}");

    let idle = [Exception { file: "engine/src/a.rs", word: "purg" }];
    let findings = check_with(&Workspace::of(&[("engine/src/a.rs", "fn main() {}\n")]), &idle);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].to_string().contains("excuses nothing"), "{findings:?}");
}
