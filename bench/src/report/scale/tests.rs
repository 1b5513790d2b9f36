use super::*;

fn labels(axis: Axis, values: &[f64]) -> Vec<String> {
    let marks = AxisScale::over(&axis, values).marks();
    let labelled = marks.into_iter().filter(|mark| !mark.is_minor);
    labelled.map(|mark| crate::report::numbers::mark(mark.value)).collect()
}

#[test]
fn marks_are_round_numbers_around_all_values() {
    assert_eq!(labels(Axis::linear(""), &[3.0, 97.0]), ["0", "20", "40", "60", "80", "100"]);
    assert_eq!(labels(Axis::linear(""), &[0.0]), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
    assert_eq!(labels(Axis::linear(""), &[-4.0, 5.0]), ["-4", "-2", "0", "2", "4", "6"]);
    assert_eq!(
        labels(Axis::log(""), &[20_000.0, 2_000_000.0]),
        ["20 k", "50 k", "100 k", "200 k", "500 k", "1 M", "2 M"]
    );
    assert_eq!(
        labels(Axis::log(""), &[1.0, 100_000.0]),
        ["1", "10", "100", "1,000", "10 k", "100 k"]
    );
    assert_eq!(labels(Axis::log(""), &[1.0e-3, 1.0e12]).len(), 6, "every third power of ten");
}

#[test]
fn every_value_stands_between_the_ends() {
    let tables: [(Axis, &[f64]); 6] = [
        (Axis::linear(""), &[0.0, 0.0]),
        (Axis::linear(""), &[1e9, 1e12]),
        (Axis::linear(""), &[-5.0, -1.0]),
        (Axis::log(""), &[7.0]),
        (Axis::log(""), &[1.0, 1.2]),
        (Axis::log(""), &[1e-6, 1e9]),
    ];
    for (axis, values) in tables {
        let scale = AxisScale::over(&axis, values);
        for value in values {
            let place = scale.place(*value);
            assert!((0.0..=1.0).contains(&place), "{value} of {values:?} at {place}");
        }
        let marks = scale.marks();
        let labelled = marks.iter().filter(|mark| !mark.is_minor).count();
        assert!((2..=12).contains(&labelled), "{values:?}: {marks:?}");
        let on_axis = marks.iter().map(|mark| scale.place(mark.value));
        assert!(on_axis.is_sorted() && marks.iter().all(|it| scale.place(it.value) <= 1.000_001));
    }
}
