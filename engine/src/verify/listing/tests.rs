use foldback_log_tier::{Commit, DatabaseId, Seq, Timestamp};

use super::*;

fn manifest() -> Manifest {
    let sealed = Commit { seq: Seq(5), timestamp: Timestamp(50) };
    let database = DatabaseId::random();
    Manifest {
        number: 7,
        epoch: 2,
        clock: Timestamp(60),
        sealed,
        swept: 3,
        ..Manifest::empty(database)
    }
}

#[test]
fn what_only_rises_must_not_have_gone_back() {
    let before = manifest();
    assert_eq!(breaks_chain(&before, &Manifest { number: 8, ..before.clone() }), None);
    let breaks = |after: Manifest, what: &str| {
        let reason = breaks_chain(&before, &after).expect(what);
        assert!(reason.contains(what) && reason.contains("manifest 7"), "{reason}");
    };
    breaks(Manifest { database: DatabaseId::random(), ..before.clone() }, "of database");
    breaks(Manifest { epoch: 1, ..before.clone() }, "epoch");
    breaks(Manifest { clock: Timestamp(59), ..before.clone() }, "clock");
    breaks(Manifest { sealed: Commit::ORIGIN, ..before.clone() }, "sealed");
    breaks(Manifest { swept: 2, ..before.clone() }, "swept");
}
