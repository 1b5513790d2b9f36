use bytes::Bytes;
use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn disjoint_ranges_hold_the_same_keys_as_the_ranges_given(
        given in prop::collection::vec((0u8..12, prop::option::of(0u8..12)), 0..6),
        key in 0u8..13,
    ) {
        let ranges: Vec<_> = given
            .iter()
            .map(|(from, until)| KeyRange {
                from: Bytes::from(vec![*from]),
                until: until.map(|until| Bytes::from(vec![until])),
            })
            .collect();
        let selection = Selection::ranges(ranges.clone());
        let holds = |ranges: &[KeyRange]| ranges.iter().filter(|r| r.contains(&[key])).count();
        prop_assert_eq!(holds(selection.as_ranges()), usize::from(holds(&ranges) > 0));
        for pair in selection.as_ranges().windows(2) {
            prop_assert!(pair[0].until.as_ref().is_some_and(|until| *until < pair[1].from));
        }
    }
}

#[test]
fn a_range_without_an_end_swallows_what_follows() {
    let selection = Selection::ranges([
        KeyRange { from: "m".into(), until: Some("n".into()) },
        KeyRange { from: "c".into(), until: None },
        KeyRange { from: "a".into(), until: Some("b".into()) },
    ]);
    assert_eq!(selection.as_ranges().len(), 2);
    assert!(Selection::prefixes([b"".as_slice()]).is_all());
}
