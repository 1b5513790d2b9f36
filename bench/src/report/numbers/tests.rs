use super::*;

#[test]
fn three_digits_count() {
    let table = [
        (0.0, "0"),
        (199.44, "199.4"),
        (12.0, "12"),
        (12.34, "12.3"),
        (1.0649, "1.06"),
        (0.5, "0.500"),
        (0.002, "0.00200"),
        (310_000.4, "310,000"),
        (1_234_567.0, "1,234,567"),
        (-0.25, "-0.250"),
    ];
    for (value, expected) in table {
        assert_eq!(digits(value), expected);
    }
}

#[test]
fn bytes_are_scaled_beside_their_unit_and_others_are_not() {
    let shown = |value, unit| NumberScale::of(value, unit).with_unit(value);
    assert_eq!(shown(186_200_000.0, "bytes"), "186.2 MB");
    assert_eq!(shown(999.0, "bytes"), "999 B");
    assert_eq!(shown(0.0, "bytes"), "0 B");
    assert_eq!(shown(25.84e9, "bytes/s"), "25.8 GB/s");
    assert_eq!(shown(4_321.0, "syncs/s"), "4,321 syncs/s");
    assert_eq!(shown(7.0, ""), "7");
    // A least and a greatest run are shown in the unit of the median.
    assert_eq!(NumberScale::of(2e6, "bytes").digits(900_000.0), "0.900");
}

#[test]
fn marks_of_axes_are_short() {
    let table =
        [(0.0, "0"), (0.25, "0.25"), (2_000.0, "2,000"), (20_000.0, "20 k"), (1.5e6, "1.5 M")];
    for (value, expected) in table {
        assert_eq!(mark(value), expected);
    }
    assert_eq!(mark(1e-9), "1e-9");
}
