use super::*;

#[test]
fn totals_are_read_from_what_callgrind_writes() {
    let file = |events: &str, end: &str| {
        format!(
            "# callgrind format\nversion: 1\ncmd: totals\npositions: line\nevents: {events}\n\
             summary: 12\n\nfn=(0) a\n1 12\n\n{end}"
        )
    };
    let check = |text: &str, expected| assert_eq!(total_of(text), expected, "{text}");
    check(&file("Ir", "totals: 907515\n"), Some(907_515));
    check(&file("Ir", "totals: 0\n"), Some(0));
    // A process that was killed leaves no total, and other events are counted by other settings.
    check(&file("Ir", ""), None);
    check(&file("Ir", "totals: many\n"), None);
    check(&file("Ir Dr Dw", "totals: 907515 2 3\n"), None);
    check("", None);
}

#[test]
fn a_hot_path_is_over_by_what_it_takes_more() {
    let counts = |pairs: &[(&str, u64)]| -> InstructionCounts {
        pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    };
    let ours = counts(&[("merge", 1_050), ("plan", 900), ("new", 5)]);
    let theirs = counts(&[("merge", 1_000), ("plan", 1_000), ("gone", 7)]);
    let changes = instruction_changes(&ours, &theirs);
    let over = |percent_max: f64| -> Vec<&str> {
        let over = changes.iter().filter(|change| change.is_over(percent_max));
        over.map(|change| change.name.as_str()).collect()
    };
    assert_eq!(over(3.0), ["merge"]);
    assert_eq!(over(6.0), [""; 0]);
    assert_eq!(over(-20.0), ["merge", "plan"], "what the other build does not know is never over");
}
