//! Inserts are what they say of themselves.

use std::collections::BTreeMap;

use super::*;

#[test]
fn no_two_writers_share_a_key_and_the_oracle_is_all_they_wrote() {
    let inserts = Inserts::new(7, 10, 200, 2.0).expect("it is possible");
    let batches = [3, 0, 5];
    let mut rows = BTreeMap::new();
    for (writer, batches) in (0..).zip(batches) {
        for row in (0..batches).flat_map(|number| inserts.batch(writer, number)) {
            let value = row.value.expect("it is an insert");
            assert_eq!((row.key.len(), value.len()), (16, 200));
            assert_eq!(rows.insert(row.key, value), None, "it is new");
        }
    }
    let mut found = Fingerprint::default();
    rows.iter().for_each(|(key, value)| found.add(key, value));
    assert_eq!(inserts.fingerprint(&batches), found);
    assert_eq!(found.rows, 80);
}

#[test]
fn another_pass_has_the_same_keys_and_other_values() {
    let inserts = Inserts::new(7, 10, 200, 2.0).expect("it is possible");
    let (first, second) = (inserts.batch(0, 3), inserts.pass(1).batch(0, 3));
    for (first, second) in first.into_iter().zip(second) {
        assert_eq!(first.key, second.key);
        assert_ne!(first.value, second.value);
    }
}
