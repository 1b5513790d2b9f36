use foldback_log_tier::Timestamp;
use proptest::prelude::*;

use super::*;

/// An event of a key: whether it puts, and what.
type TestEvent = (Vec<u8>, u64, Option<u8>);

fn row<'a>(key: &'a [u8], seq: u64, value: Option<&'a [u8]>) -> EventRow<'a> {
    EventRow { table: TableId(1), key, seq: Seq(seq), timestamp: Timestamp(0), value }
}

/// All slices of these events, which are gone through once for each.
fn slices(events: &[TestEvent], bytes_max: usize) -> Vec<Slice> {
    let (mut slices, mut from) = (Vec::new(), Some(Bytes::new()));
    while let Some(begin) = &from {
        let mut filling = Filling::begin(begin.clone(), bytes_max);
        for (key, seq, value) in events {
            let value = value.map(|byte| [byte]);
            filling.take(row(key, *seq, value.as_ref().map(<[u8; 1]>::as_slice)));
        }
        filling.drop_deletes();
        let memory: usize = filling.rows.keys().map(|key| key.len() + KEY_BYTES).sum();
        assert_eq!(filling.bytes, memory);
        assert!(memory <= bytes_max || filling.rows.len() < 2, "{memory} of {bytes_max}");
        from.clone_from(&filling.keys.until);
        slices.push(Slice { until: filling.keys.until, rows: filling.rows });
    }
    slices
}

proptest! {
    #[test]
    fn slices_of_any_size_hold_the_newest_event_of_each_key(
        events in prop::collection::vec(
            (prop::collection::vec(0_u8..5, 0..4), any::<Option<u8>>()), 0..120),
        bytes_max in KEY_BYTES..20 * KEY_BYTES,
        turned in any::<bool>(),
    ) {
        // Every event has a commit of its own; in a file the newest of a key comes first.
        let mut events: Vec<TestEvent> =
            (1..).zip(events).map(|(seq, (key, value))| (key, seq, value)).collect();
        let mut newest = BTreeMap::new();
        for (key, seq, value) in &events {
            newest.insert(key.clone(), (*seq, *value));
        }
        if turned {
            events.reverse();
        }
        let expected: Vec<_> = newest
            .into_iter()
            .filter_map(|(key, (seq, value))| Some((key, Seq(seq), Digest::of(&[value?]))))
            .collect();
        let mut found = Vec::new();
        let mut end = Bytes::new();
        for slice in slices(&events, bytes_max) {
            for (key, newest) in slice.rows {
                prop_assert!(end <= key && slice.until.as_ref().is_none_or(|until| key < until));
                found.push((key.to_vec(), newest.seq, newest.value.expect("it is live")));
            }
            end = slice.until.unwrap_or(end);
        }
        prop_assert_eq!(found, expected);
    }
}
