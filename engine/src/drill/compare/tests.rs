use std::collections::BTreeMap;

use super::*;

/// Keys of one letter, each with a value of one letter.
fn planned(rows: &str) -> Planned<impl Iterator<Item = Result<Row>> + use<>> {
    let pairs: Vec<_> = rows.split_whitespace().map(str::to_owned).collect();
    let row = |pair: String| {
        let (key, value) = pair.split_once('=').expect("a key and its value");
        Ok((Bytes::from(key.to_owned()), Bytes::from(value.to_owned())))
    };
    Planned::new(pairs.into_iter().map(row))
}

fn slice(rows: &str, until: Option<&'static str>) -> Slice {
    let rows: BTreeMap<_, _> = rows
        .split_whitespace()
        .map(|pair| {
            let (key, value) = pair.split_once('=').expect("a key and its value");
            let newest = Newest { seq: Seq(9), value: Some(Digest::of(value.as_bytes())) };
            (Bytes::from(key.to_owned()), newest)
        })
        .collect();
    Slice { until: until.map(|key| Bytes::from_static(key.as_bytes())), rows }
}

/// The first key that differs, and who has a value there: `r`estore, re`p`lay or both.
fn check(rows: &str, replayed: &[(&str, Option<&'static str>)], expected: Option<(&str, &str)>) {
    let mut planned = planned(rows);
    let found = replayed.iter().find_map(|(rows, until)| {
        compare(&mut planned, &slice(rows, *until)).expect("rows can be read")
    });
    let shown = found.map(|difference| {
        let has = |answer: Answer, letter: &str| match answer {
            Answer::Absent => String::new(),
            Answer::Value { .. } => letter.to_owned(),
        };
        let who = has(difference.restored, "r") + &has(difference.replayed, "p");
        (String::from_utf8(difference.key.to_vec()).expect("a letter"), who)
    });
    let shown = shown.as_ref().map(|(key, who)| (key.as_str(), who.as_str()));
    assert_eq!(shown, expected, "{rows:?} and {replayed:?}");
}

#[test]
fn the_first_difference_is_told_with_both_answers() {
    check("", &[("", None)], None);
    check("a=1 b=2 c=3", &[("a=1 b=2 c=3", None)], None);
    check("a=1 b=2 c=3", &[("a=1", Some("b")), ("b=2", Some("bb")), ("c=3", None)], None);
    check("a=1 b=2 c=3", &[("", Some("a")), ("a=1 b=2 c=3", None)], None);
    check("a=1 b=2", &[("a=1 b=3", None)], Some(("b", "rp")));
    check("a=1 c=3", &[("a=1 b=2 c=3", None)], Some(("b", "p")));
    check("a=1 b=2 c=3", &[("a=1 c=3", None)], Some(("b", "r")));
    check("a=1 b=2", &[("a=1", None)], Some(("b", "r")));
    check("a=1", &[("a=1 b=2", None)], Some(("b", "p")));
    check("", &[("a=1", None)], Some(("a", "p")));
    check("a=1", &[("", None)], Some(("a", "r")));
    // Between two slices.
    check("a=1 b=2 c=3", &[("a=1", Some("c")), ("c=3", None)], Some(("b", "r")));
    check("a=1 c=3", &[("a=1", Some("b")), ("b=2 c=3", None)], Some(("b", "p")));
}

#[test]
fn an_error_of_the_rows_is_no_difference() {
    let failing = [Err(crate::Error::Closed)].into_iter();
    let answer = compare(&mut Planned::new(failing), &slice("a=1", None));
    assert!(matches!(answer, Err(crate::Error::Closed)), "{answer:?}");
}
