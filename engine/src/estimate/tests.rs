//! Plans become time and money by a table, and money is written so that little of it can be seen.

use foldback_log_tier::{Commit, DatabaseId, Seq, TableId};

use super::*;
use crate::Selection;

fn money(nanos: u64) -> String {
    Money { nanos, currency: "USD".to_owned() }.to_string()
}

#[test]
fn small_sums_keep_two_digits_that_count() {
    for (nanos, shown) in [
        (0, "0.00 USD"),
        (1, "0.000000001 USD"),
        (400, "0.00000040 USD"),
        (1_234_567, "0.0012 USD"),
        (90_000_000, "0.090 USD"),
        (123_456_789, "0.12 USD"),
        (1_000_000_000, "1.00 USD"),
        (12_345_678_901, "12.34 USD"),
    ] {
        assert_eq!(money(nanos), shown);
    }
}

fn plan_of_nothing() -> RestorePlan {
    RestorePlan {
        database: DatabaseId::random(),
        table: TableId(1),
        table_name: "orders".to_owned(),
        target: Commit::ORIGIN,
        selection: Selection::all(),
        manifest: 1,
        pieces: Vec::new(),
        segments: Vec::new(),
        sealed: Seq::ZERO,
        backup: None,
    }
}

#[test]
fn what_reads_nothing_costs_nothing() {
    let estimate = plan_of_nothing().estimate(&Costs::s3_standard());
    assert_eq!(estimate, Estimate::default());
}

#[test]
fn a_table_of_costs_that_cannot_be_is_refused_by_name() {
    let s3 = Costs::s3_standard();
    s3.check().expect("the default can be");
    for (costs, name) in [
        (Costs { gets_per_thousand: -1.0, ..s3.clone() }, "gets_per_thousand"),
        (Costs { transfer_per_gb: f64::NAN, ..s3.clone() }, "transfer_per_gb"),
        (Costs { mib_per_sec: 0.0, ..s3.clone() }, "mib_per_sec"),
        (Costs { request_millis: f64::INFINITY, ..s3.clone() }, "request_millis"),
    ] {
        let error = costs.check().expect_err("it cannot be").to_string();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn only_s3_has_a_price_by_itself() {
    assert_eq!(Costs::of_bucket("s3://bucket/prefix"), Costs::s3_standard());
    let free = Costs::of_bucket("file:///srv/bucket");
    assert_eq!((free.gets_per_thousand, free.transfer_per_gb), (0.0, 0.0));
}
