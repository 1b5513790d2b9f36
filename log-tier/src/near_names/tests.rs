//! Tests of near names.

use proptest::prelude::*;

use super::*;

#[test]
fn a_slip_finds_the_name_that_was_meant() {
    let known = ["orders", "order_lines", "customers", "main", "Users"];
    let cases: [(&str, &[&str]); 9] = [
        ("order", &["orders"]),
        ("odrers", &["orders"]),
        ("ORDERS", &["orders"]),
        ("order-lines", &["order_lines"]),
        ("custmers", &["customers"]),
        ("man", &["main"]),
        ("user", &["Users"]),
        ("invoices", &[]),
        ("", &[]),
    ];
    for (asked, expected) in cases {
        assert_eq!(near_names(asked, known), expected, "{asked:?}");
    }
}

#[test]
fn the_nearest_comes_first_and_three_are_enough() {
    let known = ["tabled", "tables", "table5", "table", "tablets"];
    assert_eq!(near_names("tabel", known), ["table"]);
    assert_eq!(near_names("tablex", known), ["table", "table5", "tabled"]);
}

#[test]
fn the_hint_reads_as_the_end_of_a_sentence() {
    assert_eq!(did_you_mean("x", ["orders"]), "");
    assert_eq!(did_you_mean("order", ["orders"]), "; did you mean \"orders\"?");
    assert_eq!(did_you_mean("tablex", ["table1", "table2", "table3"]).matches(" or ").count(), 1);
    assert_eq!(
        did_you_mean("tablex", ["table1", "table2"]),
        "; did you mean \"table1\" or \"table2\"?"
    );
}

proptest! {
    #[test]
    fn distance_is_a_count_of_edits(a in "[a-c]{0,8}", b in "[a-c]{0,8}") {
        let (a, b) = (letters_of(&a), letters_of(&b));
        let distance = edit_distance(&a, &b);
        prop_assert_eq!(distance, edit_distance(&b, &a));
        prop_assert_eq!(distance == 0, a == b);
        prop_assert!(distance >= a.len().abs_diff(b.len()));
        prop_assert!(distance <= a.len().max(b.len()));
    }
}
