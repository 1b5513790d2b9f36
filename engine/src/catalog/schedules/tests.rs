use foldback_log_tier::Timestamp;

use super::super::CatalogChange;
use super::*;

const TABLE: TableId = TableId(1);
const DAY_SECS: u64 = 86_400;

fn commit(seq: u64) -> Commit {
    Commit { seq: Seq(seq), timestamp: Timestamp(1_000 * i64::try_from(seq).expect("small")) }
}

fn hourly(name: &str) -> NewSchedule {
    let keep = KeepRules { all: Some(Retention::Secs(DAY_SECS)), ..KeepRules::default() };
    NewSchedule { name: name.to_owned(), table: TABLE, every_secs: 3_600, keep }
}

fn with_table(is_protected: bool) -> Catalog {
    let mut catalog = Catalog::default();
    let create = CatalogChange::Create { id: TABLE, name: "orders".to_owned() };
    catalog.apply(create, commit(1)).expect("the name is free");
    if is_protected {
        let (id, retention, starts_empty) = (TABLE, Retention::default(), true);
        let protect = CatalogChange::Protect { id, retention, starts_empty };
        catalog.apply(protect, commit(2)).expect("it is not protected");
    }
    catalog
}

#[test]
fn schedules_are_read_back_as_they_were_written_and_deleted() {
    let mut catalog = with_table(true);
    let mut events = Vec::new();
    let rules = KeepRules { daily: Some(Retention::Forever), ..KeepRules::default() };
    let daily = NewSchedule { every_secs: DAY_SECS, keep: rules, ..hourly("daily") };
    for (seq, new) in [(3, hourly("hourly")), (4, daily)] {
        let create = ScheduleChange::Create(new);
        events.extend(catalog.change_schedules(create, commit(seq)).expect("the name is free"));
    }
    let delete = ScheduleChange::Delete { created: Seq(3) };
    events.extend(catalog.change_schedules(delete, commit(5)).expect("it is there"));
    let mut folded = with_table(true);
    for event in &events {
        folded.absorb(&event.key, &event.change).expect("what was written can be read");
    }
    assert_eq!(folded.schedules, catalog.schedules);
    let left: Vec<_> = folded.schedules().map(|it| (it.name.as_str(), it.keep)).collect();
    assert_eq!(left, [("daily", rules)]);
}

#[test]
fn a_record_under_the_key_of_another_is_corrupt() {
    let mut catalog = with_table(true);
    let create = ScheduleChange::Create(hourly("hourly"));
    let events = catalog.change_schedules(create, commit(3)).expect("the name is free");
    let wrong = catalog.absorb(b"schedule/00000000000000000009", &events[0].change);
    assert!(wrong.is_err(), "{wrong:?}");
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut catalog = with_table(true);
    let create = ScheduleChange::Create(hourly("hourly"));
    catalog.change_schedules(create, commit(3)).expect("the name is free");
    let before = catalog.schedules.clone();
    let never = KeepRules { all: Some(Retention::Secs(0)), ..KeepRules::default() };
    let cases = [
        (hourly("hourly"), "exists already"),
        (hourly("a/b"), "can't name a schedule"),
        (hourly(&"a".repeat(239)), "has 239 bytes, 238 is the most"),
        (NewSchedule { every_secs: 59, ..hourly("a") }, "from 60 to"),
        (NewSchedule { every_secs: SCHEDULE_SECS_MAX + 1, ..hourly("a") }, "from 60 to"),
        (NewSchedule { keep: KeepRules::default(), ..hourly("a") }, "for how long"),
        (NewSchedule { keep: never, ..hourly("a") }, "a second at least"),
        (NewSchedule { table: TableId(9), ..hourly("a") }, "no table"),
    ];
    for (new, says) in cases {
        let refused = catalog.change_schedules(ScheduleChange::Create(new), commit(4));
        let error = refused.expect_err(says).to_string();
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(catalog.schedules, before);
    let create = ScheduleChange::Create(hourly("hourly"));
    let open = with_table(false).change_schedules(create, commit(3));
    assert!(matches!(open, Err(Error::NotProtected { .. })), "{open:?}");
}
