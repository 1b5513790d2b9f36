//! What a finding says can't be restored, held against which restores fail.

use foldback::log_tier::history::FileKind;
use foldback::log_tier::manifest::HistoryEntry;
use foldback::{
    BucketReader, Commit, Hurt, Result, Selection, Target, VerifyFinding, VerifyLevel, Window,
};

use super::{FOLDS, IDLE, Place, flip, history};
use crate::support::State;

/// The state of a table after a commit, asked for by its instant where the bucket knows all of it.
fn restore(reader: &BucketReader, table: &str, commit: Commit) -> Result<State> {
    let is_last = commit == reader.sealed();
    let target = if is_last { Target::Seq(commit.seq) } else { Target::At(commit.timestamp) };
    let plan = reader.plan(table, target, &Selection::all())?;
    let rows = reader.plan_rows(&plan)?;
    rows.map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec()))).collect()
}

fn is_hurt(finding: &VerifyFinding, table: &str, commit: Commit) -> bool {
    finding.hurts.iter().any(|hurt| hurt.name == table && hurt.contains(commit.seq))
}

fn in_windows(windows: &[Window], commit: Commit) -> bool {
    windows.iter().any(|window| window.contains(commit.seq))
}

/// Removes each file in turn: for every commit a restore fails exactly if the finding says so.
fn check_every_file(place: &Place) {
    let whole = place.reader("bucket").expect("it is sound");
    let tables = ["orders", "others"];
    let windows = tables.map(|table| whole.windows(table).expect("it is protected"));
    let (mut hurt, mut unhurt) = (0, 0);
    for (at, file) in place.manifest("bucket").files.iter().enumerate() {
        let bucket = format!("without-{at}");
        place.copy(&bucket);
        std::fs::remove_file(place.path(&bucket).join(&file.name)).expect("it is there");
        let findings = place.verify(&bucket, VerifyLevel::List).findings;
        let finding = findings.iter().find(|it| it.object.as_ref() == Some(&file.name));
        let finding = finding.unwrap_or_else(|| panic!("{}: {findings:?}", file.name));
        let sealed = whole.sealed();
        let reader = match place.reader(&bucket) {
            Ok(reader) => reader,
            Err(error) => {
                assert!(is_hurt(finding, "the catalog", sealed), "{}: {error}", file.name);
                continue;
            }
        };
        assert!(!is_hurt(finding, "the catalog", sealed), "{} was not needed", file.name);
        for (table, windows) in tables.iter().zip(&windows) {
            for commit in place.commits.iter().filter(|commit| in_windows(windows, **commit)) {
                let restored = restore(&reader, table, *commit);
                let expected = is_hurt(finding, table, *commit);
                let shown = restored.as_ref().map(State::len);
                assert_eq!(
                    restored.is_err(),
                    expected,
                    "{table} at #{}, without {}: {shown:?}, {:?}",
                    commit.seq,
                    file.name,
                    finding.hurts
                );
                let sound = restore(&whole, table, *commit).expect("it is sound");
                assert_eq!(restored.is_ok_and(|rows| rows == sound), !expected, "{table}");
                (hurt, unhurt) = match expected {
                    true => (hurt + 1, unhurt),
                    false => (hurt, unhurt + 1),
                };
            }
        }
    }
    assert!(hurt > 20 && unhurt > 20, "{hurt} restores failed, and {unhurt} did not");
}

#[test]
fn a_finding_says_exactly_what_can_not_be_restored() {
    check_every_file(&history());
}

/// Bases in pieces, folded apart from each other, several times.
#[test]
fn it_does_so_where_pieces_of_bases_were_folded_each_for_itself() {
    let mut place = Place::new();
    let database = place.open(IDLE);
    place.make_table(&database, "orders");
    place.make_table(&database, "others");
    database.seal().expect("the bucket takes it");
    drop(database);
    for _ in 0..4 {
        let database = place.open(FOLDS);
        place.write(&database, "orders", 3);
        place.write(&database, "others", 2);
        database.compact().expect("history can be read");
        drop(database);
        place.write(&place.open(IDLE), "orders", 2);
    }
    let pieces =
        place.manifest("bucket").files.iter().filter(|it| it.kind == FileKind::Base).count();
    assert!(pieces > 6, "there are {pieces} pieces of bases");
    check_every_file(&place);
}

/// A lost or damaged file in the middle: what lies before it, and after the next whole base, can be
/// restored, and what lies between can't, and is told.
#[test]
fn case_18_hole_in_the_middle() {
    let place = history();
    let manifest = place.manifest("bucket");
    let is_delta = |file: &&HistoryEntry| file.kind == FileKind::Delta;
    let orders = place.reader("bucket").expect("it is sound").table_record("orders");
    let orders = orders.expect("it is there").id;
    let base = manifest.files.iter().find(|file| file.is_base_of(orders)).expect("it was folded");
    let below = |file: &&HistoryEntry| file.last < base.last && file.table(orders).is_some();
    let mut deltas: Vec<_> = manifest.files.iter().filter(is_delta).filter(below).collect();
    deltas.sort_by_key(|delta| delta.first);
    let middle = deltas[1];

    place.copy("lost");
    std::fs::remove_file(place.path("lost").join(&middle.name)).expect("it is there");
    place.copy("flipped");
    let byte = usize::try_from(middle.tail_offset).expect("small") + 20;
    flip(&place.path("flipped").join(&middle.name), byte);
    for (bucket, level) in [("lost", VerifyLevel::List), ("flipped", VerifyLevel::Checksum)] {
        let findings = place.verify(bucket, level).findings;
        assert_eq!(findings.len(), 1, "{findings:?}");
        let hurts: Vec<&Hurt> =
            findings[0].hurts.iter().filter(|hurt| hurt.name == "orders").collect();
        let [hurt] = hurts[..] else { panic!("{hurts:?}") };
        assert_eq!((hurt.first, hurt.until), (middle.first, Some(base.last)));
        assert!(hurt.to_string().contains(&format!("from #{}", middle.first.seq)), "{hurt}");
        let reader = place.reader(bucket).expect("its catalog is sound");
        for commit in place.commits.iter().filter(|commit| commit.seq.0 > 2) {
            let restored = restore(&reader, "orders", *commit);
            let hole = middle.first <= *commit && *commit < base.last;
            assert_eq!(restored.is_err(), hole, "{bucket} at #{}", commit.seq);
        }
    }
}

/// Without the catalog no table has a name, and all files are gone through all the same.
#[test]
fn a_bucket_whose_catalog_is_damaged_is_verified_all_the_same() {
    let mut place = Place::new();
    let database = place.open(IDLE);
    place.make_table(&database, "orders");
    for _ in 0..3 {
        place.write(&database, "orders", 2);
    }
    let manifest = place.manifest("bucket");
    place.copy("damaged");
    for file in &manifest.files[..2] {
        flip(&place.path("damaged").join(&file.name), 30);
    }
    place.reader("damaged").expect_err("its catalog can't be folded");
    for level in [VerifyLevel::List, VerifyLevel::Checksum, VerifyLevel::Replay] {
        let findings = place.verify("damaged", level).findings;
        let of_catalog =
            |finding: &&VerifyFinding| is_hurt(finding, "the catalog", manifest.sealed);
        assert_eq!(findings.iter().filter(of_catalog).count(), 1, "{level:?}: {findings:?}");
        let expected = if level == VerifyLevel::List { 1 } else { 2 };
        assert_eq!(findings.len(), expected, "{level:?}: {findings:?}");
    }
}
