//! `protect` on a protected table, `unprotect --discard`, and what `table describe` tells of both.

use serde_json::{Value, json};

use crate::workplace::Workplace;

fn describe(place: &Workplace) -> Value {
    place.db_json(&["table", "describe", "main"]).done().record()
}

/// A place with a protected table `main` of one row.
fn protected(retention: &str) -> Workplace {
    let place = Workplace::new();
    place.db(&["table", "create", "main", "--protect", retention]).done();
    place.db(&["put", "main", "k", "v"]).done();
    place
}

#[test]
fn a_shorter_retention_waits_and_is_taken_back() {
    let place = protected("35d");
    let before = describe(&place);
    assert_eq!(
        (&before["retention"], &before["status"]),
        (&json!("35d"), &json!("live, protected"))
    );
    assert_eq!(
        (&before["pending_retention"], &before["pending_from"]),
        (&json!(null), &json!(null))
    );

    let shorter = place.db(&["protect", "main", "--retention", "7d"]).done();
    let waits = describe(&place);
    let from = waits["pending_from"].as_str().expect("it waits for an instant").to_owned();
    for text in ["a retention of 7d takes effect at ", &from, "--retention 35d` takes it back"] {
        assert!(shorter.text().contains(text), "no {text:?} in {}", shorter.text());
    }
    assert_eq!((&waits["retention"], &waits["pending_retention"]), (&json!("35d"), &json!("7d")));
    place.db(&["protect", "main", "--retention", "35d"]).done();
    let back = describe(&place);
    assert_eq!((&back["retention"], &back["pending_retention"]), (&json!("35d"), &json!(null)));
    assert_eq!(back["earliest"], before["earliest"]);
    let same = place.db(&["protect", "main", "--retention", "35d"]);
    same.refused(3, &["\"main\" is protected already", "nothing was changed"]);

    let longer = place.db(&["protect", "main", "--retention", "forever"]).done();
    assert!(!longer.text().contains("takes effect"), "it holds at once: {}", longer.text());
    let now = describe(&place);
    assert_eq!((&now["retention"], &now["pending_retention"]), (&json!("forever"), &json!(null)));
    place.db(&["protect", "main", "--retention", "0s"]).refused(2, &["from 1s up"]);
    place.db(&["protect", "mian", "--retention", "7d"]).refused(3, &["did you mean main?"]);
    assert_eq!(
        describe(&place)["pending_retention"],
        json!(null),
        "what was refused changed nothing"
    );
}

#[test]
fn a_history_that_is_discarded_is_gone_and_the_rows_are_not() {
    let place = protected("forever");
    let last = describe(&place)["latest"].as_str().expect("it has a window").to_owned();
    let said = place.db(&["unprotect", "main", "--discard"]).done();
    assert!(said.text().contains("its history is given up"), "{}", said.text());
    let told = describe(&place);
    assert_eq!(
        (&told["status"], &told["protected"]),
        (&json!("live, not protected"), &json!(false))
    );
    assert_eq!((&told["windows"], &told["earliest"]), (&json!(0), &json!(null)));
    assert_eq!((&told["retention"], &told["intervals"]), (&json!(null), &json!(null)));
    for command in [
        &["restore", "main", "new", "--at", &last] as &[&str],
        &["restore", "main", "new", "--latest"],
        &["export", "main", "--as-of", &last],
    ] {
        place.db(command).refused(3, &["\"main\" cannot be restored to ", "nothing was read or"]);
    }
    assert_eq!(place.db(&["get", "main", "k"]).done().text(), "v\n");
    place.db(&["expire"]).done();
    let again = place.db(&["unprotect", "main", "--discard"]);
    again.refused(3, &["\"main\" is not protected"]);
    place.db(&["unprotect", "main"]).refused(3, &["\"main\" is not protected"]);
    place.db(&["unprotect", "mian", "--discard"]).refused(3, &["did you mean main?"]);

    // It begins anew from what there is.
    place.db(&["protect", "main", "--retention", "1h"]).done();
    let told = describe(&place);
    assert_eq!((&told["windows"], &told["retention"]), (&json!(1), &json!("1h")));
    place.db(&["restore", "main", "new", "--latest"]).done();
    assert_eq!(place.db(&["get", "new", "k"]).done().text(), "v\n");
}

#[test]
fn a_table_is_described_with_its_gaps_and_where_it_came_from() {
    let place = Workplace::with_a_history_begun_again();
    let told = describe(&place);
    assert_eq!((&told["windows"], &told["retention"]), (&json!(2), &json!("35d")));
    let intervals = told["intervals"].as_str().expect("it has some");
    assert!(intervals.contains(", then a gap, then "), "{intervals}");
    assert!(intervals.contains(" to now (from #"), "{intervals}");
    assert_eq!(told["restored_from_table_id"], json!(null));

    place.db(&["restore", "main", "copy", "--latest"]).done();
    let copy = place.db_json(&["table", "describe", "copy"]).done().record();
    assert_eq!((&copy["status"], &copy["windows"]), (&json!("live, not protected"), &json!(0)));
    assert_eq!(copy["restored_from_table_id"], told["id"]);
    assert_eq!(copy["restored_from_database"], json!(null));
    let at = copy["restored_at_seq"].as_u64().expect("a number");
    assert!(at < copy["created_seq"].as_u64().expect("a number"));

    place.db(&["table", "drop", "main"]).done();
    let id = told["id"].to_string();
    let dropped = place.db_json(&["table", "describe", "--id", &id]).done().record();
    assert_eq!((&dropped["status"], &dropped["protected"]), (&json!("dropped"), &json!(false)));
    assert!(dropped["dropped"].is_string(), "{dropped}");
    assert_eq!((&dropped["windows"], &dropped["name"]), (&json!(2), &json!("main")));
    place.db(&["table", "describe", "main"]).refused(3, &["no table had the name \"main\""]);
}
