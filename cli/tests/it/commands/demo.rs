//! `demo`: what the README begins with, on a repository and without one.

use crate::repository::Repository;
use crate::workplace::{Answer, Workplace, run};

/// The instants that match, as the last line counts them.
#[track_caller]
fn matching(answer: &Answer) -> u64 {
    let last = *answer.lines().last().expect("something is printed");
    let words: Vec<_> = last.split(' ').collect();
    assert!(matches!(words[..], [_, "of", _, "instants", "match"]), "{}", answer.text());
    assert_eq!(words[0], words[2], "{}", answer.text());
    words[0].parse().expect("a number")
}

#[test]
fn the_demo_runs_on_the_repository_that_it_stands_in() {
    let place = Workplace::new();
    let repository = Repository::init(&place, "repository");
    repository.commit("first", &[("a", Some("1")), ("dir/b", Some("2"))]);
    repository.commit("overwrite", &[("a", Some("11"))]);
    repository.commit("rename", &[("dir/b", None), ("dir/c ö", Some("2"))]);
    repository.commit("delete", &[("a", None)]);
    repository.commit("again", &[("a", Some("3"))]);
    let inside = place.path("repository/dir");
    let shown = run(place.command(&["demo"]).current_dir(inside)).done();
    assert!(matching(&shown) >= 10, "{}", shown.text());
    assert!(shown.text().contains("imported 5 commits from the git history of"));
    assert!(shown.text().contains("recovered from the bucket alone"), "{}", shown.text());
    assert!(!shown.text().contains("DIFFERS"), "{}", shown.text());
    // What the demo makes is in a temporary directory, and gone with it.
    assert_eq!(repository.git(&["status", "--porcelain"]), "");

    let json = ["--format", "json", "demo", "--repository", "repository"];
    let records = place.foldback(&json).done().records();
    let last = records.last().expect("there are records");
    assert_eq!(last["instants"], last["matching"]);
}

#[test]
fn the_demo_makes_up_a_history_where_there_is_none() {
    let place = Workplace::new();
    // A directory above may be a repository, which is not the one that is meant.
    let mut command = place.command(&["demo"]);
    let shown = run(command.env("GIT_CEILING_DIRECTORIES", place.path("").parent().expect("/")));
    let shown = shown.done();
    assert!(matching(&shown) >= 10, "{}", shown.text());
    assert!(shown.text().starts_with("no git history"), "{}", shown.text());
    assert!(shown.text().contains("this demo runs on a generated history instead"));
}
