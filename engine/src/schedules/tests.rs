use std::collections::BTreeMap;

use foldback_log_tier::{DatabaseId, TableId};
use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3_600 * SECOND_MICROS;
const DAY: i64 = 24 * HOUR;

fn schedule(every_secs: u64) -> ScheduleRecord {
    ScheduleRecord {
        name: "often".to_owned(),
        table: TableId(1),
        table_name: "orders".to_owned(),
        every_secs,
        keep: KeepRules::default(),
        created: Commit { seq: Seq(1), timestamp: Timestamp(10 * HOUR) },
    }
}

/// Backups that were made at these instants, in order.
fn made(at: impl IntoIterator<Item = i64>) -> Vec<BackupRecord> {
    let backup = |(seq, at): (u64, i64)| {
        let created = Commit { seq: Seq(seq), timestamp: Timestamp(at) };
        BackupRecord {
            name: format!("often-{seq}"),
            table: TableId(1),
            table_name: "orders".to_owned(),
            target: created,
            empty_since: Seq(1),
            created,
            reason: None,
            schedule: Some(Seq(1)),
            confirmed: Some(created),
            deleted: None,
        }
    };
    (2..).zip(at).map(backup).collect()
}

fn span(micros: i64) -> Option<Retention> {
    Some(Retention::Secs(u64::try_from(micros / SECOND_MICROS).expect("it is positive")))
}

#[test]
fn a_backup_is_due_once_in_each_turn_however_late_the_last_one_was() {
    let cases: [(Option<i64>, i64, bool); 9] = [
        (None, 10 * HOUR, true),
        (Some(10 * HOUR), 11 * HOUR - 1, false),
        (Some(10 * HOUR), 11 * HOUR, true),
        // The one before was late by nearly a turn: this one is not late for that.
        (Some(12 * HOUR - 1), 12 * HOUR, true),
        (Some(12 * HOUR), 12 * HOUR + 1, false),
        // What was missed for a week is made up for by one.
        (Some(10 * HOUR), 10 * HOUR + 7 * DAY, true),
        (Some(10 * HOUR + 7 * DAY), 10 * HOUR + 7 * DAY, false),
        // A clock that goes back makes nothing due twice.
        (Some(20 * HOUR), 19 * HOUR, false),
        (Some(20 * HOUR), i64::MAX, true),
    ];
    for (last, now, due) in cases {
        let backups = made(last);
        let backups: Vec<_> = backups.iter().collect();
        assert_eq!(is_due(&schedule(3_600), &backups, Timestamp(now)), due, "{last:?} at {now}");
    }
}

#[test]
fn of_a_day_and_of_a_month_the_first_backup_is_kept_and_the_newest_always() {
    let keep = KeepRules { all: span(2 * DAY), daily: span(10 * DAY), monthly: span(70 * DAY) };
    // Every six hours from 1970-01-01T10:00 to 1970-03-31T16:00.
    let backups = made((0..).map(|turn| 10 * HOUR + turn * 6 * HOUR).take(4 * 90 - 2));
    let backups: Vec<_> = backups.iter().collect();
    let now = backups.last().expect("there are some").created.timestamp;
    let gone = to_delete(&keep, &backups, now);
    let left = backups.iter().filter(|backup| !gone.contains(&backup.created.seq));
    let left: Vec<_> =
        left.map(|backup| name_at(&schedule(60), backup.created.timestamp)).collect();
    let (months, days) = (["0120T16", "0201T04", "0301T04"], 22..=29);
    // The day in which the span of days begins has the first of its backups within the span.
    let days = ["0321T16".to_owned()].into_iter().chain(days.map(|day| format!("03{day}T04")));
    let all = ["0329T16", "0329T22", "0330T04", "0330T10", "0330T16", "0330T22"];
    let today = ["0331T04", "0331T10", "0331T16"];
    let expected = months.map(str::to_owned).into_iter().chain(days);
    let expected = expected.chain(all.into_iter().chain(today).map(str::to_owned));
    let expected: Vec<_> = expected.map(|at| format!("often-1970{at}0000Z")).collect();
    assert_eq!(left, expected);
    // Long after, the newest is what is left.
    assert_eq!(to_delete(&keep, &backups, Timestamp::MAX).len(), backups.len() - 1);
}

#[test]
fn what_is_kept_for_ever_is_never_let_go() {
    let keep = KeepRules { monthly: Some(Retention::Forever), ..KeepRules::default() };
    let backups = made([0, HOUR, 40 * DAY, 41 * DAY, 42 * DAY]);
    let backups: Vec<_> = backups.iter().collect();
    assert_eq!(to_delete(&keep, &backups, Timestamp::MAX), [Seq(3), Seq(5)]);
}

#[test]
fn deletions_follow_the_clock_by_as_much_as_expiry_does() {
    let mut manifest = Manifest::empty(DatabaseId::random());
    let at = |micros: i64| Timestamp(100 * DAY + micros);
    (manifest.clock, manifest.sealed.timestamp) = (at(0), at(0));
    let cases = [
        (at(HOUR), at(HOUR)),
        (at(-HOUR), at(-HOUR)),
        (at(7 * DAY), at(7 * DAY)),
        (at(7 * DAY + 1), at(0)),
        (Timestamp::MAX, at(0)),
    ];
    for (clock, trusted) in cases {
        assert_eq!(trusted_now(&manifest, clock), trusted, "{clock:?}");
    }
    // Expiry's clock follows what others publish, and an idle database stands.
    manifest.clock = at(6 * DAY);
    assert_eq!(trusted_now(&manifest, at(12 * DAY)), at(7 * DAY));
}

#[test]
fn a_clock_that_went_back_far_is_told() {
    let backups = made([100 * DAY]);
    let backups: Vec<_> = backups.iter().collect();
    let says = |clock: i64| clock_hindrance(&schedule(3_600), &backups, Timestamp(clock));
    assert_eq!(says(100 * DAY - HOUR), None);
    let told = says(100 * DAY - HOUR - 1).expect("a backup is missed");
    assert!(told.contains("1970-04-11"), "{told}");
    assert!(says(i64::MIN).is_some());
}

/// What is left of these instants, given the rules.
fn left_of(keep: &KeepRules, at: &[i64], now: i64) -> Vec<i64> {
    let backups = made(at.iter().copied());
    let backups: Vec<_> = backups.iter().collect();
    let gone = to_delete(keep, &backups, Timestamp(now));
    let left = backups.iter().filter(|backup| !gone.contains(&backup.created.seq));
    left.map(|backup| backup.created.timestamp.0).collect()
}

/// The days since 1970, and the months by the formula of the civil calendar.
fn day_and_month(micros: i64) -> (i64, (i64, i64)) {
    let days = micros.div_euclid(DAY);
    let shifted = days + 719_468;
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    (days, (shifted.div_euclid(146_097) * 400 + year, month))
}

fn spans() -> impl Strategy<Value = Option<i64>> {
    proptest::option::of(HOUR..400 * DAY)
}

proptest! {
    /// Whatever was made when, and whenever it is looked at: each day and each month that the
    /// rules speak of keeps its first backup, nothing that no rule keeps stays but the newest, and
    /// looking again lets nothing more go.
    #[test]
    fn the_rules_keep_what_they_say_and_nothing_else(
        steps in proptest::collection::vec(1..20 * DAY, 1..80),
        (all, daily, monthly) in (spans(), spans(), spans()),
        later in 0..60 * DAY,
    ) {
        let mut at: Vec<i64> = Vec::new();
        for step in steps {
            at.push(at.last().unwrap_or(&(18_000 * DAY)) + step);
        }
        let newest = *at.last().expect("there is one");
        let now = newest + later;
        let of = |micros: Option<i64>| micros.and_then(span);
        let keep = KeepRules { all: of(all), daily: of(daily), monthly: of(monthly) };
        let since = |rule: Option<i64>| {
            rule.map_or(i64::MAX, |micros| now - micros / SECOND_MICROS * SECOND_MICROS)
        };
        let mut days = BTreeMap::new();
        let mut months = BTreeMap::new();
        for made in &at {
            let (day, month) = day_and_month(*made);
            if *made >= since(daily) { days.entry(day).or_insert(*made); }
            if *made >= since(monthly) { months.entry(month).or_insert(*made); }
        }
        let is_kept = |made: &i64| {
            let first = days.values().chain(months.values()).any(|first| first == made);
            first || *made >= since(all) || *made == newest
        };
        let expected: Vec<_> = at.iter().copied().filter(is_kept).collect();
        let left = left_of(&keep, &at, now);
        prop_assert_eq!(&left, &expected);
        prop_assert_eq!(&left_of(&keep, &left, now), &left);
        // What was looked at often comes to the same as what is looked at once.
        let mut often = Vec::new();
        for made in &at {
            often.push(*made);
            often = left_of(&keep, &often, *made);
        }
        let often = left_of(&keep, &often, now);
        let span_has = |made: i64, rule: Option<i64>| rule.is_some() && made >= since(rule);
        for made in &often {
            let is_in_a_span = [all, daily, monthly].iter().any(|rule| span_has(*made, *rule));
            prop_assert!(is_in_a_span || *made == newest, "{made} is older than all spans");
        }
        let whole = |firsts: Vec<i64>, is_whole: &dyn Fn(i64) -> bool| {
            firsts.into_iter().filter(|first| is_whole(*first)).all(|it| often.contains(&it))
        };
        let days = days.into_values().collect();
        let months = months.into_values().collect();
        let of = |made: i64| day_and_month(made);
        prop_assert!(whole(days, &|first| of(first).0 > of(since(daily)).0), "a day is missing");
        prop_assert!(whole(months, &|first| of(first).1 > of(since(monthly)).1), "a month is");
        prop_assert!(at.iter().filter(|it| **it >= since(all)).all(|it| often.contains(it)));
    }
}
