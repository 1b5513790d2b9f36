//! How a verification goes: beside a compactor, in shares, in parts that a kill has ended.

use std::num::NonZeroU64;
use std::ops::ControlFlow;

use foldback::log_tier::Error as TierError;
use foldback::{
    Error, Share, VerifyLevel, VerifyOptions, VerifyProgress, VerifyReport, steady_now,
};

use super::{IDLE, MERGES, Place, flip, history, options, run};

const DAY_MICROS: i64 = 86_400_000_000;

fn checksummed(report: &VerifyReport) -> u64 {
    let level = report.levels.iter().find(|of| of.level == VerifyLevel::Checksum);
    level.expect("it was verified").files
}

/// Deltas are merged and deleted behind the back of a verification: none of them is lost, and those
/// in their place are verified.
#[test]
fn a_file_that_is_replaced_meanwhile_is_not_a_finding() {
    for level in [VerifyLevel::Checksum, VerifyLevel::Decode] {
        let place = history();
        let before = place.manifest("bucket");
        let mut writer = None;
        let mut watch = |progress: VerifyProgress| {
            // All is listed by now, and nothing was read.
            if progress.level == level && writer.is_none() {
                let merging = place.open(MERGES);
                merging.compact().expect("history can be read");
                delete_unlisted(&place, &merging);
                writer = Some(merging);
            }
            ControlFlow::Continue(())
        };
        let verifier = place.verifier("bucket");
        let report = verifier.run(&options(level), &mut watch).expect("the bucket can be read");
        assert_eq!(report.findings, []);
        assert!(report.replaced > 1, "{report:?}");
        assert!(report.manifest > before.number);
        assert_eq!(checksummed(&report), report.files, "those in their place were verified");
    }
}

/// A sweep that had no grace.
fn delete_unlisted(place: &Place, writer: &foldback::Database) {
    let manifest = writer.manifest();
    let directory = place.path("bucket").join("history");
    for entry in std::fs::read_dir(directory).expect("it is there") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("it is text");
        if !manifest.files.iter().any(|file| file.name.ends_with(name)) {
            std::fs::remove_file(&path).expect("it is there");
        }
    }
}

#[test]
fn what_no_manifest_lists_is_told_and_not_a_finding() {
    let place = history();
    let name = format!("history/delta-{:020}-{:020}-{:020}-00000000000000aa.parquet", 1, 1, 1);
    std::fs::write(place.path("bucket").join(name), "left").expect("it can be written");
    let report = place.verify("bucket", VerifyLevel::Checksum);
    assert_eq!(report.findings, []);
    assert_eq!((report.unlisted_files, report.unlisted_bytes), (1, 4));
}

#[test]
fn shares_of_some_days_go_through_every_file() {
    let place = history();
    let of = 4;
    let share = Some(Share::new(1, of).expect("it is possible"));
    let options = VerifyOptions { share, ..options(VerifyLevel::Replay) };
    let verifier = place.verifier("bucket");
    let (mut files, mut states) = (0, 0);
    for _ in 0..of {
        let report = run(&verifier, &options).expect("the bucket can be read");
        let listed = report.levels.first().expect("it was listed").files;
        assert_eq!(listed, report.files, "a listing is always of all");
        assert!(checksummed(&report) < report.files, "{report:?}");
        files += checksummed(&report);
        states += report.levels.last().expect("it was replayed").files;
        place.clock.advance(DAY_MICROS);
    }
    assert_eq!(files, u64::try_from(place.manifest("bucket").files.len()).expect("few"));
    assert_eq!(states, 6);
}

#[test]
fn a_run_that_was_ended_goes_on_where_it_stopped() {
    let place = history();
    let notes = place.path("notes.json");
    let options = |level| VerifyOptions { notes: Some(notes.clone()), ..options(level) };
    let verifier = place.verifier("bucket");
    let files = place.manifest("bucket").files;
    let half: u64 = files.iter().map(|file| file.bytes).sum::<u64>() / 2;
    let mut watch = |progress: VerifyProgress| {
        let is_over = progress.level == VerifyLevel::Checksum && progress.bytes > half;
        if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let ended = verifier.run(&options(VerifyLevel::Checksum), &mut watch);
    assert!(matches!(ended, Err(Error::Tier(TierError::Interrupted))), "{ended:?}");
    assert!(notes.exists());
    // What is damaged by now was sound when it was verified, and the rest is found.
    let last = files.last().expect("there are files");
    flip(&place.path("bucket").join(&last.name), 30);
    let left = std::fs::read(&notes).expect("it is there");
    let report = run(&verifier, &options(VerifyLevel::Checksum)).expect("the bucket can be read");
    assert!(report.noted_before > 2, "{report:?}");
    assert_eq!(checksummed(&report) + report.noted_before, report.files);
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    assert!(!notes.exists(), "it is removed at the end");

    // A deeper level is not done by one that is not as deep.
    std::fs::write(&notes, &left).expect("it can be written");
    let report = run(&verifier, &options(VerifyLevel::Decode)).expect("the bucket can be read");
    assert_eq!(report.noted_before, 0);
}

#[test]
fn notes_of_something_else_are_refused_and_left_alone() {
    let (place, other) = (history(), Place::new());
    let database = other.open(IDLE);
    let notes = place.path("notes.json");
    let options = VerifyOptions { notes: Some(notes.clone()), ..options(VerifyLevel::Checksum) };
    let mut end = |progress: VerifyProgress| match progress.level {
        VerifyLevel::List => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    };
    place.verifier("bucket").run(&options, &mut end).expect_err("it was ended");
    let left = std::fs::read(&notes).expect("it is there");
    let refused = run(&database.verifier(), &options);
    let Err(Error::Invalid(text)) = refused else { panic!("{refused:?}") };
    assert!(text.contains("name another file"), "{text}");
    assert_eq!(std::fs::read(&notes).expect("it is there"), left);
    std::fs::write(&notes, "not ours").expect("it can be written");
    let refused = run(&place.verifier("bucket"), &options);
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    assert_eq!(std::fs::read(&notes).expect("it is there"), b"not ours");
}

#[test]
fn it_reads_no_faster_than_it_is_told_to() {
    let place = history();
    let bytes: u64 = place.manifest("bucket").files.iter().map(|file| file.bytes).sum();
    let rate = NonZeroU64::new(bytes * 4).expect("there are bytes");
    let options = VerifyOptions { bytes_per_sec: Some(rate), ..options(VerifyLevel::Checksum) };
    let began = steady_now();
    run(&place.verifier("bucket"), &options).expect("the bucket can be read");
    assert!(began.elapsed().as_millis() >= 240, "{:?}", began.elapsed());
}
