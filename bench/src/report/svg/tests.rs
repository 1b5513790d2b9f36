use super::*;
use crate::Axis;

fn plot(x: Axis, y: Axis, points: &[(f64, f64)]) -> Plot {
    Plot::new("a < b & \"c\"", x, y).line("one", points.to_vec())
}

/// Places of the signs, which are circles.
fn places(svg: &str) -> Vec<(f64, f64)> {
    let number = |text: &str, name: &str| {
        let rest = text.split(&format!("{name}=\"")).nth(1).expect("it is there");
        rest.split('"').next().expect("it ends").parse().expect("it is a number")
    };
    let circles = svg.lines().filter(|line| line.starts_with("<circle"));
    circles.map(|circle| (number(circle, "cx"), number(circle, "cy"))).collect()
}

#[test]
fn equal_factors_lie_equally_far_apart_on_log_axes_and_differences_on_others() {
    let points = [(1.0, 10.0), (10.0, 20.0), (100.0, 30.0)];
    let (svg, left_out) = plot(Axis::log("x"), Axis::linear("y"), &points).svg();
    let at = places(&svg);
    // The fourth is the legend's.
    assert_eq!((at.len(), left_out), (4, 0));
    assert!((2.0 * at[1].0 - at[0].0 - at[2].0).abs() < 0.3, "{at:?}");
    assert!((2.0 * at[1].1 - at[0].1 - at[2].1).abs() < 0.3, "{at:?}");
    assert!(at[0].1 > at[2].1, "more is higher");
    assert!(svg.contains("<title>a &lt; b &amp; &quot;c&quot;</title>"), "{svg}");
}

#[test]
fn points_without_a_place_are_counted_and_nothing_is_no_plot() {
    let points = [(0.0, 1.0), (1.0, 1.0), (2.0, -1.0), (f64::NAN, 1.0)];
    let (svg, left_out) = plot(Axis::log("x"), Axis::linear("y"), &points).svg();
    assert_eq!((places(&svg).len(), left_out), (3, 2));
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    let (svg, left_out) = plot(Axis::log("x"), Axis::log("y"), &[(0.0, 0.0)]).svg();
    assert_eq!((svg.as_str(), left_out), ("<p>Nothing to plot.</p>", 1));
}

#[test]
fn every_curve_differs_from_all_others() {
    let mut plot = Plot::new("many", Axis::linear("x"), Axis::linear("y"));
    for number in 0..12_u8 {
        let points = vec![(0.0, f64::from(number)), (1.0, f64::from(number))];
        plot = plot.line(format!("curve {number}"), points);
    }
    let (svg, _) = plot.svg();
    let mut classes: Vec<_> = svg.lines().filter(|line| line.contains("class=\"line ")).collect();
    assert_eq!(classes.len(), 24, "a curve and a sample each");
    classes.sort_unstable();
    let names = classes
        .iter()
        .map(|line| line.split('"').nth(1))
        .collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names.len(), 12);
    // The highest curve is named first.
    let named: Vec<_> = svg.split("class=\"legend\"").skip(1).collect();
    assert!(named[0].contains("curve 11") && named[11].contains("curve 0"), "{svg}");
}
