//! `verify` and `drill`, on a database and on its bucket alone.

use std::path::PathBuf;

use serde_json::Value;

use crate::workplace::{Answer, Workplace};

/// A place with a protected table, two deltas, and the path of the second.
fn place() -> (Workplace, PathBuf) {
    let place = Workplace::new();
    place.db(&["table", "create", "main", "--protect", "forever"]).done();
    place.db(&["put", "main", "a", "1"]).done();
    place.db(&["seal"]).done();
    place.db(&["put", "main", "b", "2"]).done();
    place.db(&["put", "main", "a", "3"]).done();
    place.db(&["seal"]).done();
    let files = place.db_json(&["plan", "main", "--latest", "--files"]).done().records();
    let file = files.last().expect("there are files")["location"].as_str().expect("a path");
    let file = PathBuf::from(file);
    (place, file)
}

fn url(place: &Workplace) -> String {
    format!("file://{}", place.path("db/bucket").display())
}

fn bucket(place: &Workplace, arguments: &[&str]) -> Answer {
    place.foldback(&[&["--bucket", &url(place), "--format", "json"], arguments].concat())
}

fn levels(answer: &Answer) -> Vec<Value> {
    answer.records().into_iter().filter(|record| record.get("took_micros").is_some()).collect()
}

#[test]
fn a_sound_bucket_is_verified_by_its_database_and_alone() {
    let (place, _) = place();
    for level in ["list", "size", "checksum", "decode", "replay"] {
        for answer in [
            place.db_json(&["verify", "--level", level]),
            bucket(&place, &["verify", "--level", level]),
        ] {
            let levels = levels(&answer.done());
            assert_eq!(levels.last().expect("there are levels")["level"], level);
            assert!(levels.iter().all(|of| of["findings"] == 0), "{levels:?}");
        }
    }
    let shown = place.db(&["verify"]).done();
    assert!(shown.text().contains("checksum") && shown.text().contains("took"), "{}", shown.text());
}

#[test]
fn damage_is_told_with_what_it_costs_and_exits_with_5() {
    let (place, file) = place();
    let mut bytes = std::fs::read(&file).expect("it is there");
    bytes[40] ^= 0xff;
    std::fs::write(&file, &bytes).expect("it can be written");
    let sound = bucket(&place, &["verify", "--level", "size"]).done();
    assert_eq!(levels(&sound).len(), 2);
    for answer in [place.db_json(&["verify"]), bucket(&place, &["verify", "--level", "decode"])] {
        let answer = answer.ended(5);
        let name = file.file_name().and_then(|name| name.to_str()).expect("it is text");
        for text in
            [name, "at byte", "not restorable: ", "table \"main\" (id 1) from #", "1 finding"]
        {
            assert!(answer.err.contains(text), "no {text:?} in {}", answer.err);
        }
        let records = answer.records();
        let of_main = records.iter().find(|record| record["table"] == "main").expect("a finding");
        assert_eq!((&of_main["level"], &of_main["until_seq"]), (&"checksum".into(), &Value::Null));
        assert!(of_main["object"].as_str().expect("an object").ends_with(name));
    }
    std::fs::remove_file(&file).expect("it is there");
    let lost = bucket(&place, &["verify", "--level", "list"]).ended(5);
    assert!(lost.err.contains("it is not in the bucket"), "{}", lost.err);
}

#[test]
fn a_run_in_shares_at_a_rate_with_notes_ends_like_any_other() {
    let (place, _) = place();
    let answer = bucket(
        &place,
        &["verify", "--share", "1/1", "--rate", "20MiB", "--progress", "verified.json"],
    );
    answer.done();
    assert!(!place.path("verified.json").exists(), "it is done with");
    place.write("verified.json", "something else");
    let refused = bucket(&place, &["verify", "--progress", "verified.json"]);
    refused.refused(3, &["verified.json", "name another file", "nothing was changed"]);
    bucket(&place, &["verify", "--progress", "no/such/dir"]).refused(1, &["no/such"]);
    bucket(&place, &["verify", "--share", "31/30"]).refused(2, &["31/30", "1/30"]);
    bucket(&place, &["verify", "--rate", "fast"]).refused(2, &["as in 20MiB"]);
    bucket(&place, &["verify", "--level", "deep"]).refused(2, &["list", "replay"]);
    place.foldback(&["verify"]).refused(2, &["--data DIR"]);
}

#[test]
fn a_drill_proves_states_and_what_it_proved_is_shown() {
    let (place, _) = place();
    let describe =
        |place: &Workplace| place.db_json(&["table", "describe", "main"]).done().record();
    assert!(describe(&place)["last_verified_restorable_at"].is_null());
    assert!(place.db_json(&["status"]).done().record()["last_verified_restorable_at"].is_null());

    let drilled = bucket(&place, &["drill", "--seed", "7", "--instants", "2"]).done();
    assert!(drilled.err.contains("--seed 7"), "{}", drilled.err);
    let states = drilled.records();
    let last = states.last().expect("there are states");
    assert_eq!((&last["table"], &last["rows"]), (&"main".into(), &2.into()));
    assert!(states.iter().all(|state| state["proved"] == true), "{states:?}");
    let again = place.db_json(&["drill", "--seed", "7", "--instants", "2", "--table", "main"]);
    assert_eq!(again.done().records(), states, "a seed chooses the same");

    let at = &describe(&place)["last_verified_restorable_at"];
    assert_eq!(at, &last["instant"]);
    for status in [place.db_json(&["status"]), bucket(&place, &["status"])] {
        assert_eq!(&status.done().record()["last_verified_restorable_at"], at);
    }
    // The one that was proved least counts.
    place.db(&["table", "create", "other", "--protect", "forever"]).done();
    assert!(place.db_json(&["status"]).done().record()["last_verified_restorable_at"].is_null());
    place.db(&["drill", "--table", "mian"]).refused(3, &["did you mean main?"]);
    place.write("foldback.toml", "[engine]\nsingle_writer = true\n");
    bucket(&place, &["drill"]).refused(2, &["single_writer = true", "a second"]);
    bucket(&place, &["verify"]).done();
}

#[test]
fn a_state_that_can_not_be_proved_exits_with_5() {
    let (place, file) = place();
    std::fs::remove_file(&file).expect("it is there");
    let broken = bucket(&place, &["drill", "--instants", "0", "--seed", "1"]).ended(5);
    for text in ["table \"main\" (id 1) as of #", "not in the bucket", "nothing was published"] {
        assert!(broken.err.contains(text), "no {text:?} in {}", broken.err);
    }
    assert_eq!(broken.record()["proved"], false);
    assert!(place.db_json(&["table", "describe", "main"]).done().record()
        ["last_verified_restorable_at"].is_null());
}
