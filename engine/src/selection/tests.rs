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

proptest! {
    #[test]
    fn what_is_asked_of_a_selection_agrees_with_its_ranges(
        given in prop::collection::vec((0u8..12, prop::option::of(0u8..12)), 0..6),
        keys in prop::collection::vec(0u8..12, 0..4),
        (from, until) in (0u8..12, prop::option::of(0u8..12)),
        (min, more) in (0u8..12, 0u8..4),
    ) {
        let edge = |at: u8| Bytes::from(vec![at]);
        let ranges = given
            .iter()
            .map(|(from, until)| KeyRange { from: edge(*from), until: until.map(edge) });
        let keys: Vec<Vec<u8>> = keys.into_iter().map(|key| vec![key]).collect();
        let selection =
            Selection::ranges(ranges.clone()).or(Selection::keys(keys.iter().map(Vec::as_slice)));
        let within = KeyRange { from: edge(from), until: until.map(edge) };
        // Keys, and what lies between them.
        let points: Vec<Vec<u8>> = (0u8..14).flat_map(|at| [vec![at], vec![at, 5]]).collect();
        let is_selected = |point: &[u8]| {
            ranges.clone().any(|range| range.contains(point)) || keys.iter().any(|key| key == point)
        };
        let clipped = Selection::ranges(selection.within(&within));
        let (min, max) = (vec![min], vec![min + more]);
        let mut meets = false;
        for point in &points {
            prop_assert_eq!(selection.contains(point), is_selected(point), "{:?}", point);
            let inside = is_selected(point) && within.contains(point);
            prop_assert_eq!(clipped.contains(point), inside, "{:?}", point);
            let hull = selection.hull_within(&within);
            prop_assert!(!inside || hull.is_some_and(|hull| hull.contains(point)));
            meets |= inside && (&min..=&max).contains(&point);
            prop_assert!(!selection.lies_in(&within) || inside == is_selected(point));
        }
        prop_assert!(!meets || selection.meets(&within, &min, &max));
        let found = selection.within(&within).any(|range| range.intersects(&min, &max));
        prop_assert_eq!(selection.meets(&within, &min, &max), found);
        let clipped: Vec<_> = selection.within(&within).collect();
        prop_assert!(clipped.iter().all(|range| !range.is_empty()));
    }
}
