use proptest::prelude::*;

use super::*;

fn range(from: &'static str, until: Option<&'static str>) -> KeyRange {
    KeyRange { from: from.into(), until: until.map(Into::into) }
}

#[test]
fn ends_are_half_open() {
    let middle = range("b", Some("d"));
    let cases = [("a", false), ("b", true), ("c", true), ("czz", true), ("d", false)];
    for (key, inside) in cases {
        assert_eq!(middle.contains(key.as_bytes()), inside, "{key}");
    }
    assert!(KeyRange::all().contains(b"") && KeyRange::all().contains(&[0xff; 9]));
}

#[test]
fn a_prefix_of_greatest_bytes_has_no_upper_end() {
    assert_eq!(KeyRange::prefix(&[0xff, 0xff]).until, None);
    assert_eq!(KeyRange::prefix(&[7, 0xff]).until.as_deref(), Some([8].as_slice()));
    assert_eq!(KeyRange::prefix(b""), KeyRange::all());
}

proptest! {
    #[test]
    fn prefix_holds_exactly_the_keys_that_start_with_it(
        prefix in prop::collection::vec(250u8.., 0..3),
        key in prop::collection::vec(250u8.., 0..5),
    ) {
        prop_assert_eq!(KeyRange::prefix(&prefix).contains(&key), key.starts_with(&prefix));
    }

    #[test]
    fn intersection_holds_the_keys_of_both(
        bounds in prop::collection::vec(prop::option::of(0u8..6), 4),
        key in 0u8..7,
    ) {
        let make = |from: Option<u8>, until: Option<u8>| KeyRange {
            from: from.map_or_else(Bytes::new, |byte| Bytes::from(vec![byte])),
            until: until.map(|byte| Bytes::from(vec![byte])),
        };
        let (left, right) = (make(bounds[0], bounds[1]), make(bounds[2], bounds[3]));
        let both = left.intersection(&right);
        prop_assert_eq!(both.contains(&[key]), left.contains(&[key]) && right.contains(&[key]));
        prop_assert!(!(both.is_empty() && both.contains(&[key])));
    }
}
