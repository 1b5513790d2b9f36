//! The rules of the code base that no compiler knows, each held by a test over the source itself.
//!
//! A rule is a function from files to findings, so that it can be tried on small inputs: see
//! `tests`. The rules for length have no exceptions, and there is no way to add one.

mod dependency_rules;
mod document_rules;
mod finding;
mod layout_rules;
mod module_rules;
mod seam_rules;
mod source;
mod source_rules;
mod tests;
mod vocabulary;
mod workspace;

use finding::Finding;
use workspace::Workspace;

#[test]
fn every_rust_file_keeps_the_style() {
    expect_none(Workspace::read().sources().iter().flat_map(source_rules::check).collect());
}

#[test]
fn every_rust_file_is_compiled() {
    expect_none(module_rules::check_dead_files(&Workspace::read()));
}

#[test]
fn every_crate_has_one_integration_test() {
    expect_none(module_rules::check_one_integration_test(&Workspace::read()));
}

#[test]
fn time_randomness_and_files_are_reached_through_their_seams() {
    let workspace = Workspace::read();
    expect_none(workspace.sources().iter().flat_map(seam_rules::check).collect());
    expect_none(seam_rules::check_allowed(&workspace));
}

#[test]
fn dependencies_point_one_way() {
    expect_none(dependency_rules::check(&Workspace::read()));
}

#[test]
fn the_top_level_holds_only_what_belongs_there() {
    expect_none(layout_rules::check_top_level(&Workspace::read()));
}

#[test]
fn test_data_stays_small() {
    expect_none(layout_rules::check_testdata(&Workspace::read()));
}

#[test]
fn words_outside_the_vocabulary_are_not_used() {
    expect_none(vocabulary::check(&Workspace::read()));
}

#[test]
fn documents_point_at_what_is_there() {
    expect_none(document_rules::check(&Workspace::read()));
}

/// Fails with every finding on a line of its own.
#[track_caller]
fn expect_none(findings: Vec<Finding>) {
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{} places to mend:\n{}", lines.len(), lines.join("\n"));
}
