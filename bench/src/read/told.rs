//! What the read suite's runs come to: rows, curves and verdicts of its report.

use super::{ReadOutcome, ReadRow};
use crate::{Axis, EngineKind, Figure, LatencyFigures, Plot, Report, Row, as_f64};

/// Operations a second.
const RATE: &str = "ops/s";

/// Takes the latencies of one kind of operation.
type Pick = fn(&ReadOutcome) -> LatencyFigures;

/// The kinds of operations.
const KINDS: [(&str, Pick); 3] =
    [("get", |it| it.gets), ("range", |it| it.ranges), ("write", |it| it.writes)];

/// Adds what was measured to a report.
pub fn tell_reads(report: &mut Report, rows: &[ReadRow]) {
    report.rows.extend(rows.iter().map(told));
    report.plots.push(plot(rows));
    let ours = rows.iter().filter(|row| row.run.engine == EngineKind::Foldback);
    let mut verdicts: Vec<_> = ours.map(|row| beside_peers(report, rows, row)).collect();
    verdicts.extend(at_worst(report, rows));
    report.verdicts.extend(verdicts);
}

/// The case in which reads stand worst beside those of fjall, which has the same tree.
fn at_worst(report: &Report, rows: &[ReadRow]) -> Option<String> {
    let (ours, theirs) = (EngineKind::Foldback.name(), EngineKind::Fjall.name());
    let worst = |kind: &str| {
        let name = format!("{kind} p50");
        let ratio = |row: &ReadRow| {
            let case = row.run.case();
            let own = report.median_of(ours, &case, &name)?;
            let peer = report.median_of(theirs, &case, &name).filter(|peer| *peer > 0.0)?;
            Some((own / peer, case))
        };
        let ratios = rows.iter().filter(|row| row.run.engine == EngineKind::Fjall);
        let (ratio, case) =
            ratios.filter_map(ratio).max_by(|left, right| left.0.total_cmp(&right.0))?;
        Some(format!("{kind} {ratio:.2} ({case})"))
    };
    let parts: Vec<_> = ["get", "range"].into_iter().filter_map(worst).collect();
    (!parts.is_empty())
        .then(|| format!("read: p50 at worst {} of {theirs}, results correct", parts.join(", ")))
}

fn told(row: &ReadRow) -> Row {
    let of = |name: String, unit: &str, pick: &dyn Fn(&ReadOutcome) -> f64| {
        Figure::new(name, unit, row.outcomes.iter().map(pick).collect())
    };
    let operations = |it: &ReadOutcome| as_f64(it.operations().max(1));
    let rate = |it: &ReadOutcome| operations(it) * 1e6 / as_f64(it.wall_micros.max(1));
    let mut told = Row::new(row.run.engine.name(), row.run.case())
        .figure(of(RATE.to_owned(), "", &rate))
        .figure(of("cpu/op".to_owned(), "µs", &|it| as_f64(it.cpu_micros) / operations(it)));
    for (kind, pick) in KINDS {
        if row.outcomes.iter().any(|it| pick(it).count > 0) {
            let micros = |nanos: u64| as_f64(nanos) / 1e3;
            told = told
                .figure(of(format!("{kind} p50"), "µs", &|it| micros(pick(it).p50)))
                .figure(of(format!("{kind} p99"), "µs", &|it| micros(pick(it).p99)))
                .figure(of(format!("{kind} max"), "µs", &|it| micros(pick(it).max)));
        }
    }
    told.figure(of("peak".to_owned(), "bytes", &|it| as_f64(it.peak_kib * 1024)))
}

/// Each engine's points are its cases that get keys.
fn plot(rows: &[ReadRow]) -> Plot {
    let (x, y) = (Axis::log("operations/s"), Axis::log("p99 of a get, µs"));
    let plot = Plot::new("Reads of the present: throughput against latency", x, y);
    EngineKind::ALL.into_iter().fold(plot, |plot, engine| {
        let told = rows.iter().filter(|row| row.run.engine == engine).map(told);
        let point =
            |row: Row| Some((row.figure_of(RATE)?.median(), row.figure_of("get p99")?.median()));
        let mut points: Vec<_> = told.filter_map(point).collect();
        points.sort_by(|left, right| left.0.total_cmp(&right.0));
        if points.is_empty() { plot } else { plot.line(engine.name(), points) }
    })
}

/// Foldback's latencies over each peer's in the same case: below 1 is better.
fn beside_peers(report: &Report, rows: &[ReadRow], ours: &ReadRow) -> String {
    let case = ours.run.case();
    let peers = rows.iter().filter(|row| row.run.case() == case && !row.run.engine.is_ours());
    let peers: Vec<_> = peers.map(|row| row.run.engine.name()).collect();
    let mut parts = Vec::new();
    for (kind, _) in KINDS {
        let ratio = |peer: &str, part: &str| {
            let name = format!("{kind} {part}");
            let ours = report.median_of(ours.run.engine.name(), &case, &name)?;
            let theirs = report.median_of(peer, &case, &name)?;
            (theirs > 0.0).then(|| format!("{:.2}", ours / theirs))
        };
        let ratios = peers.iter().filter_map(|peer| {
            Some(format!("{} and {} of {peer}", ratio(peer, "p50")?, ratio(peer, "p99")?))
        });
        let ratios: Vec<_> = ratios.collect();
        if !ratios.is_empty() {
            parts.push(format!("{kind} p50 and p99 {}", ratios.join(", ")));
        }
    }
    parts.push("results correct".to_owned());
    format!("read {case}: {}", parts.join("; "))
}
