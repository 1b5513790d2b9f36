//! W1 is what it says of itself: its mix, its compressibility, and its own oracle.

use std::collections::BTreeMap;

use super::*;

const KEYS: u64 = 5_000;

#[test]
fn the_oracle_is_the_fold_of_the_events() {
    let mut w1 = W1::new(3, KEYS);
    let mut state = BTreeMap::new();
    for _ in 0..200 {
        for event in w1.batch() {
            match event.value {
                Some(value) => drop(state.insert(event.key, value)),
                None => drop(state.remove(&event.key).expect("what is deleted was there")),
            }
        }
        let mut folded = Fingerprint::default();
        state.iter().for_each(|(key, value)| folded.add(key, value));
        assert_eq!(w1.fingerprint(), folded, "after {} events", w1.events());
    }
}

#[test]
fn a_batch_has_each_key_once_and_numbers_go_on() {
    let mut w1 = W1::new(5, KEYS);
    for number in 0..50 {
        let batch = w1.batch();
        assert!(batch.is_sorted_by(|left, right| left.key < right.key));
        let mut numbers: Vec<_> = batch.iter().map(|event| event.number).collect();
        numbers.sort_unstable();
        let first = number * W1_BATCH_EVENTS + 1;
        assert_eq!(numbers, (first..first + W1_BATCH_EVENTS).collect::<Vec<_>>());
    }
}

#[test]
fn about_a_tenth_are_deletes() {
    let mut w1 = W1::new(7, KEYS);
    let events: Vec<_> = (0..2_000).flat_map(|_| w1.batch()).collect();
    let deletes = events.iter().filter(|event| event.value.is_none()).count();
    let percent = deletes * 100 / events.len();
    assert!((8..=10).contains(&percent), "{percent} %");
}

#[test]
fn zstd_shrinks_values_by_about_two_and_a_tenth() {
    let w1 = W1::new(9, KEYS);
    let values: Vec<u8> = (1..5_000).flat_map(|event| w1.value(event)).collect();
    let shrunk = zstd::bulk::compress(&values, 1).expect("it compresses");
    let hundredths = values.len() * 100 / shrunk.len();
    assert!((200..=220).contains(&hundredths), "{hundredths} hundredths");
}
