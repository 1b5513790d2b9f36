use super::*;
use crate::{Axis, Machine, Plot, Row};

fn report() -> Report {
    let mut report = Report::new("restore", Machine::of(std::path::Path::new(".")));
    report = report.setting("seed", 1).setting("bucket", "<local>");
    report.limits.push(Figure::one("memcpy", "bytes/s", 9.5e9));
    for (contender, wall) in
        [("foldback", [140.0, 150.0, 145.0]), ("duckdb <late>", [400.0, 390.0, 410.0])]
    {
        let wall = Figure::new("wall", "ms", wall.to_vec()).of_least(100.0);
        let bytes = Figure::one("read", "bytes", 23_456_789.0);
        report.rows.push(Row::new(contender, "50 %").figure(wall).figure(bytes));
    }
    let plot = Plot::new("Time over length", Axis::log("events"), Axis::linear("ms"));
    report.plots.push(plot.line("foldback", vec![(1e4, 1.0), (1e6, 1.1)]));
    report.verdicts = vec!["something".to_owned(), "restore w1: results correct".to_owned()];
    report
}

#[test]
fn a_page_holds_everything_and_asks_nobody() {
    let page = report().html();
    for part in
        ["Figure 1.", "Figure 2.", "duckdb &lt;late&gt;", "145 [140, 150] (69 %)", "23.5 MB"]
    {
        assert!(page.contains(part), "{part} is missing: {page}");
    }
    assert!(page.contains("&lt;local&gt;") && !page.contains("<late>"), "{page}");
    // Both read as many bytes: no bars tell them apart.
    assert!(!page.contains("Figure 3."), "{page}");
    // The only address is the name of SVG itself.
    let addresses = page.matches("://").count();
    assert_eq!(addresses, page.matches("xmlns=\"http://www.w3.org/2000/svg\"").count());
    assert!(!page.contains("<script") && !page.contains("NaN"), "{page}");
    for tag in ["svg", "table", "figure", "tr", "text", "ul", "dl"] {
        let (opened, closed) = (format!("<{tag}"), format!("</{tag}>"));
        let opened = page
            .match_indices(&opened)
            .filter(|(at, found)| page[at + found.len()..].starts_with([' ', '>']));
        assert_eq!(opened.count(), page.matches(&closed).count(), "{tag}");
    }
}

#[test]
fn a_terminal_shows_the_same_and_the_last_verdict_last() {
    let text = report().text();
    assert_eq!(text.lines().last(), Some("restore w1: results correct"));
    for part in ["145 [140, 150] (69 %)", "23.5 MB", "9.50 GB/s", "seed 1", "wall ms"] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
}
