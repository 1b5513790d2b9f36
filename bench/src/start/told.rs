//! What the start suite's runs come to: rows and the verdict of its report.

use super::{StartEnd, StartOutcome, StartRow};
use crate::{EngineKind, Figure, Report, Row, as_f64};

/// How long an opening takes.
const OPEN: &str = "open";
/// Events a second of an opening that replays.
const RATE: &str = "events/s";

/// Adds what was measured to a report.
pub fn tell_starts(report: &mut Report, rows: &[StartRow]) {
    report.rows.extend(rows.iter().map(told));
    let ours = rows.iter().filter(|row| row.run.engine == EngineKind::Foldback);
    let said: Vec<_> = ours.map(|row| verdict(report, rows, row)).collect();
    report.verdicts.push(format!("start: {}; results correct", said.join("; ")));
}

fn told(row: &StartRow) -> Row {
    let of = |name: &str, unit: &str, pick: &dyn Fn(&StartOutcome) -> f64| {
        Figure::new(name, unit, row.outcomes.iter().map(pick).collect())
    };
    let events = row.run.events();
    let told = Row::new(row.run.engine.name(), row.run.case())
        .figure(Figure::one("state", "bytes", as_f64(row.run.bytes())))
        .figure(of(OPEN, "ms", &|it| as_f64(it.wall_micros) / 1e3))
        .figure(of("cpu", "ms", &|it| as_f64(it.cpu_micros) / 1e3))
        .figure(of("peak", "bytes", &|it| as_f64(it.peak_kib * 1024)));
    let told = match row.outcomes.iter().all(|it| it.replayed.is_some()) {
        true => told.figure(of("replayed", "", &|it| as_f64(it.replayed.unwrap_or_default()))),
        false => told,
    };
    match row.run.end {
        StartEnd::Closed | StartEnd::ClosedCold => told,
        // All of the opening counts, not the replay alone.
        StartEnd::Killed => told.figure(of(RATE, "", &|it| {
            as_f64(it.replayed.unwrap_or(events)) * 1e6 / as_f64(it.wall_micros.max(1))
        })),
    }
}

fn verdict(report: &Report, rows: &[StartRow], row: &StartRow) -> String {
    let (ours, case) = (row.run.engine.name(), row.run.case());
    let median = |engine, name| report.median_of(engine, &case, name).unwrap_or_default();
    let millis = median(ours, OPEN);
    let gib = as_f64(row.run.bytes()) / f64::from(1 << 30);
    match row.run.end {
        StartEnd::Closed => format!("open {gib:.1} GiB in {millis:.0} ms"),
        StartEnd::ClosedCold => format!("cold in {millis:.0} ms"),
        StartEnd::Killed => {
            let rate = median(ours, RATE);
            let peers = rows.iter().filter(|it| it.run.case() == case && !it.run.engine.is_ours());
            let beside: String = peers
                .map(|peer| {
                    let name = peer.run.engine.name();
                    format!(", {:.2} of {name}", rate / median(name, RATE).max(1.0))
                })
                .collect();
            let replayed = row.outcomes.first().and_then(|it| it.replayed).unwrap_or_default();
            format!("replay of {replayed} events at {:.2} M events/s{beside}", rate / 1e6)
        }
    }
}
