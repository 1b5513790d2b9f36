use super::*;

#[test]
fn figures_are_of_all_that_was_added() {
    let (mut all, mut some) = (Latencies::new(), Latencies::default());
    (1..=900).for_each(|micros| all.add(Duration::from_micros(micros)));
    (901..=1_000).for_each(|micros| some.add(Duration::from_micros(micros)));
    all.add_all(&some);
    let figures = all.figures();
    let near = |nanos: u64, micros: u64| nanos.abs_diff(micros * 1_000) <= micros;
    assert_eq!(figures.count, 1_000);
    assert!(near(figures.p50, 500) && near(figures.p99, 990), "{figures:?}");
    assert!(near(figures.p999, 999) && near(figures.max, 1_000), "{figures:?}");
}

#[test]
fn what_is_too_long_counts_as_the_longest() {
    let mut latencies = Latencies::new();
    latencies.add(Duration::from_hours(1));
    assert!(latencies.figures().max >= LONGEST_NANOS);
    assert_eq!(Latencies::new().figures(), LatencyFigures::default());
}
