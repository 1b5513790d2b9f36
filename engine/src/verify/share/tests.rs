use super::*;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("history/delta-{at:020}-{at:020}-{at:020}-aa.parquet")).collect()
}

#[test]
fn the_shares_of_some_days_cover_every_object() {
    let names = names(3_000);
    for (parts, of) in [(1, 1), (1, 2), (1, 30), (7, 30), (30, 30), (2, 7)] {
        let share = Share::new(parts, of).expect("it is possible");
        let days = i64::try_from(of.div_ceil(parts)).expect("it is small");
        for first_day in [-3, 0, 20_779] {
            let has = |name: &String, day: i64| share.has(name, Timestamp(day * DAY_MICROS + 5));
            let all_days = first_day..first_day + days;
            let turns = |name: &String| all_days.clone().filter(|day| has(name, *day)).count();
            let turns: Vec<_> = names.iter().map(turns).collect();
            assert!(turns.iter().all(|turns| *turns >= 1), "{parts}/{of}: {turns:?}");
            if of % parts == 0 {
                assert!(turns.iter().all(|turns| *turns == 1), "{parts}/{of} reads some twice");
            }
            let one_day = names.iter().filter(|name| has(name, first_day)).count();
            let fair = names.len() * usize::try_from(parts).expect("small")
                / usize::try_from(of).expect("small");
            assert!(one_day.abs_diff(fair) <= fair / 2, "{parts}/{of}: {one_day} for {fair}");
        }
    }
}

#[test]
fn a_day_has_one_share_from_its_beginning_to_its_end() {
    let share = Share::new(1, 3).expect("it is possible");
    for name in names(50) {
        let at = |instant| share.has(&name, Timestamp(instant));
        assert_eq!(at(20_000 * DAY_MICROS), at(20_001 * DAY_MICROS - 1));
        let turns = [0, 1, 2].map(|day| at((20_000 + day) * DAY_MICROS));
        assert_eq!(turns.iter().filter(|turn| **turn).count(), 1, "{name}");
    }
}

#[test]
fn a_share_of_nothing_or_of_more_than_all_is_refused() {
    for (parts, of) in [(0, 30), (31, 30), (0, 0), (1, 1_001)] {
        let refused = Share::new(parts, of);
        assert!(matches!(refused, Err(Error::Invalid(_))), "{parts}/{of}: {refused:?}");
    }
}
