use super::*;

#[test]
fn a_figure_has_its_middle_run_and_both_ends() {
    let figure = Figure::new("wall", "ms", vec![3.0, 1.0, 2.0]);
    assert_eq!((figure.min(), figure.median(), figure.max()), (1.0, 2.0, 3.0));
    let even = Figure::new("wall", "ms", vec![4.0, 1.0, 2.0, 3.0]);
    assert_eq!(even.median(), 2.5);
    assert_eq!(Figure::one("wall", "ms", 8.0).of_least(2.0).share, Some(0.25));
    assert_eq!(Figure::one("rate", "events/s", 8.0).of_greatest(10.0).share, Some(0.8));
}

#[test]
fn a_report_is_the_same_after_json() {
    let machine = Machine::of(std::path::Path::new("."));
    let mut report = Report::new("restore", machine).setting("seed", 1);
    report.limits.push(Figure::one("memcpy", "bytes/s", 1e10));
    let wall = Figure::new("wall", "ms", vec![0.1, 0.2]);
    report.rows.push(Row::new("foldback", "50 %").figure(wall));
    let points = vec![(1.0, 2.0), (10.0, 2.5)];
    report
        .plots
        .push(Plot::new("growth", Axis::log("events"), Axis::linear("ms")).line("restore", points));
    report.verdicts.push("results correct".to_owned());
    let text = serde_json::to_string(&report).expect("a report is JSON");
    assert_eq!(serde_json::from_str::<Report>(&text).expect("it is a report"), report);
    assert_eq!(report.limit("memcpy"), Some(1e10));
    assert_eq!(report.median_of("foldback", "50 %", "wall"), Some(0.150_000_000_000_000_02));
    assert_eq!(report.median_of("foldback", "99 %", "wall"), None);
}
