//! What folding must not change: every restore gives the same rows before it and after it.

use serde_json::Value;

use crate::workplace::Workplace;

/// Puts that make a table's history large enough to be folded.
const PUTS: u64 = 40;
/// Characters of the value of each.
const VALUE_CHARACTERS: usize = 16 * 1024;

/// Text that hardly compresses (splitmix64, in hex).
fn noise(seed: u64) -> String {
    let mut text = String::with_capacity(VALUE_CHARACTERS);
    let mut state = seed;
    while text.len() < VALUE_CHARACTERS {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        text.push_str(&format!("{:016x}", mixed ^ (mixed >> 31)));
    }
    text
}

/// Puts enough for a fold, seals it, has it folded, and gives the commit at which the base stands
/// then.
fn fold(place: &Workplace) -> u64 {
    for number in 0..PUTS {
        place.db(&["put", "main", &format!("key/{}", number % 20), &noise(number)]).done();
    }
    place.db(&["seal"]).done();
    place.db(&["compact"]).done();
    let files = place.db_json(&["plan", "main", "--latest", "--files"]).done().records();
    let base = files.iter().find(|file| file["kind"] == "base").expect("it was folded");
    base["last_seq"].as_u64().expect("a seq")
}

fn rows(place: &Workplace, export: &[&str]) -> Vec<Value> {
    place.db(&[&["export", "main"], export].concat()).done().records()
}

#[test]
fn a_fold_changes_no_restore() {
    let place = Workplace::new();
    place.db(&["table", "create", "main", "--protect", "forever"]).done();
    place.db(&["put", "main", "first", "1"]).done();
    place.db(&["put", "main", "deleted", "2"]).done();
    place.db(&["delete", "main", "deleted"]).done();
    let seqs = ["#3", "#4", "#5"];
    let before: Vec<_> = seqs.iter().map(|seq| rows(&place, &["--as-of", seq])).collect();
    assert_eq!(before.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 1]);
    let base = fold(&place);
    assert!(base >= PUTS, "the base stands at {base}");
    let after: Vec<_> = seqs.iter().map(|seq| rows(&place, &["--as-of", seq])).collect();
    assert!(before == after, "a fold changed what was before it");
    place.db(&["delete", "main", "first"]).done();
    assert_eq!(rows(&place, &["--as-of", "now"]).len(), 20);
    assert!(rows(&place, &["--as-of", "now"]) == rows(&place, &[]));
}

/// A table that was empty when it was protected again has no base to begin with, and a fold of its
/// new history must not take what the old one had put.
#[test]
fn a_fold_takes_nothing_from_a_history_that_has_ended() {
    let place = Workplace::with_a_history_begun_again();
    fold(&place);
    let keys: Vec<_> = rows(&place, &["--as-of", "now"]);
    assert!(keys.iter().all(|row| row["key"] != "old"), "what was deleted has come back");
    assert!(keys == rows(&place, &[]));
}
