//! Every file of a manifest is read for a reason, or left out for one.

use super::*;
use crate::Reason;

/// The reasons for the files, in the manifest's order.
fn reasons(plan: &RestorePlan, manifest: &Manifest) -> Vec<Reason> {
    plan.explain(manifest).into_iter().map(|used| used.reason).collect()
}

#[test]
fn every_file_has_its_reason() {
    let mut others = delta(13, 16, &[(b'a', 14, true)]);
    others.tables[0].table = OTHER;
    let files = [
        delta(1, 4, &[(b'a', 2, true)]),
        base(4, &[(b'a', 4, true)]),
        delta(5, 8, &[(b'a', 6, true)]),
        base(8, &[(b'a', 8, true)]),
        delta(9, 12, &[(b'a', 10, true)]),
        others,
        delta(17, 20, &[(b'a', 18, true)]),
        base(20, &[(b'a', 18, true)]),
    ];
    let manifest = manifest(20, &files);
    let plan = plan_at(&manifest, &[], 17).expect("there is no gap");
    let expected = [
        Reason::HeldByBases,
        Reason::OlderBase,
        Reason::HeldByBases,
        Reason::NewestBase,
        Reason::EventsSinceBase,
        Reason::NoRowOfTable,
        Reason::AfterTarget,
        Reason::AfterTarget,
    ];
    assert_eq!(reasons(&plan, &manifest), expected);
    let read: Vec<_> = plan.explain(&manifest).into_iter().filter(|f| f.reason.is_read()).collect();
    assert_eq!(read.iter().map(|used| used.bytes).sum::<u64>(), plan.bucket_bytes());
    assert_eq!((read[0].row_groups, read[0].row_groups_of_table), (2, 2));
}

#[test]
fn what_is_not_selected_and_what_is_of_an_earlier_history_say_so() {
    let files = [
        base(2, &[(b'a', 2, true)]),
        delta(1, 4, &[(b'x', 3, true)]),
        delta(5, 8, &[(b'a', 6, true)]),
        delta(9, 12, &[(b'x', 10, true)]),
    ];
    let manifest = manifest(12, &files);
    let selection = Selection::ranges([range("x", "y")]);
    let plan = plan_of(&manifest, &[], (6, true), 12, &selection).expect("there is no gap");
    let expected = [
        Reason::OutsideSelection,
        Reason::OfEarlierHistory,
        Reason::OutsideSelection,
        Reason::EventsSinceBase,
    ];
    assert_eq!(reasons(&plan, &manifest), expected);
}

#[test]
fn a_file_without_a_row_group_that_counts_is_asked_for_none() {
    let files = [delta(1, 9, &[(b'a', 3, true), (b'f', 9, true)])];
    let manifest = manifest(9, &files);
    let mut plan = plan_at(&manifest, &[], 8).expect("there is no gap");
    plan.choose_row_groups(&files[0].name, &[]);
    assert_eq!(reasons(&plan, &manifest), [Reason::NoRowGroup]);
}
