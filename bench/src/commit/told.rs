//! What the commit suite's runs come to: rows, curves and verdicts of its report.

use super::{CommitOutcome, CommitRow};
use crate::{Axis, EngineKind, Figure, Plot, Report, Row, as_f64};

/// Events a second until the last was answered.
const RATE: &str = "events/s";
/// Events a second until the engine had settled.
const SETTLED: &str = "settled events/s";
/// CPU of an event.
const CPU: &str = "cpu/event";
/// The latency that 99 of 100 batches kept.
const P99: &str = "p99";

/// Adds what was measured to a report.
pub fn tell_commits(report: &mut Report, rows: &[CommitRow]) {
    let told: Vec<_> = rows.iter().map(|row| told(row, limit(report, row))).collect();
    report.rows.extend(told);
    report.plots.extend(plots(rows));
    let ours: Vec<_> = rows.iter().filter(|row| row.run.engine == EngineKind::Foldback).collect();
    let mut verdicts: Vec<_> = ours.iter().map(|row| beside_peers(report, rows, row)).collect();
    verdicts.extend(beside_sealing(report, rows));
    verdicts.extend(in_short(report, rows, &ours));
    report.verdicts.extend(verdicts);
}

/// In how many cases no peer commits faster, or for less CPU.
fn in_short(report: &Report, rows: &[CommitRow], ours: &[&CommitRow]) -> Option<String> {
    // The bare tree is no peer: it is a part of ours.
    let peers_of = |row: &CommitRow| {
        let peers = peers_of(rows, row).into_iter();
        peers.filter(|name| *name != EngineKind::LsmTree.name()).collect::<Vec<_>>()
    };
    let leads = |row: &&&CommitRow, name: &str, is_ahead: fn(f64, f64) -> bool| {
        let case = row.run.case();
        let own = report.median_of(row.run.engine.name(), &case, name);
        let peers = peers_of(row).into_iter();
        own.is_some_and(|own| {
            let mut theirs = peers.filter_map(|peer| report.median_of(peer, &case, name));
            theirs.all(|theirs| is_ahead(own, theirs))
        })
    };
    let durable = ours.first()?.run.settings.durable;
    let (how, rate) = if durable { ("durable", RATE) } else { ("buffered", SETTLED) };
    let beside: Vec<_> = ours.iter().filter(|row| !peers_of(row).is_empty()).collect();
    let faster = beside.iter().filter(|row| leads(row, rate, |own, theirs| own > theirs)).count();
    let leaner = beside.iter().filter(|row| leads(row, CPU, |own, theirs| own < theirs)).count();
    let all = beside.len();
    (all > 0).then(|| {
        format!(
            "commit {how}: ahead of every peer in {rate} in {faster} and in cpu in {leaner} of \
             {all} cases, results correct"
        )
    })
}

/// Everybody else in the same case.
fn peers_of(rows: &[CommitRow], ours: &CommitRow) -> Vec<&'static str> {
    let case = ours.run.case();
    let peers = rows.iter().filter(|row| row.run.case() == case && !row.run.engine.is_ours());
    peers.map(|row| row.run.engine.name()).collect()
}

/// Events a second if the machine did nothing but sync all writers' batches together.
fn limit(report: &Report, row: &CommitRow) -> Option<f64> {
    let group = row.run.sync_group();
    let syncs = report.limit(&group.preallocated()).filter(|_| row.run.settings.durable)?;
    Some(syncs * as_f64(group.events()))
}

/// Events a second if as many threads did nothing but hand over batches, and be woken when they are
/// on the disk.
fn bare_group_commit(report: &Report, row: &CommitRow) -> Option<f64> {
    let group = row.run.sync_group();
    let batches = report.limit(&group.group_commit()).filter(|_| row.run.settings.durable)?;
    Some(batches * as_f64(group.batch_events))
}

fn told(row: &CommitRow, limit: Option<f64>) -> Row {
    let of = |name: &str, unit: &str, pick: &dyn Fn(&CommitOutcome) -> f64| {
        Figure::new(name, unit, row.outcomes.iter().map(pick).collect())
    };
    let per_sec = |events: u64, micros: u64| as_f64(events) * 1e6 / as_f64(micros.max(1));
    let rate = of(RATE, "", &|it| per_sec(it.events, it.wall_micros));
    let rate = limit.map_or(rate.clone(), |limit| rate.of_greatest(limit));
    let settled = of(SETTLED, "", &|it| per_sec(it.events, it.settled_micros));
    let cpu = of(CPU, "µs", &|it| as_f64(it.cpu_micros) / as_f64(it.events.max(1)));
    let told = Row::new(row.run.engine.name(), row.run.case()).figure(rate);
    let told = if row.run.settings.durable { told } else { told.figure(settled) };
    told.figure(cpu)
        .figure(of("p50", "ms", &|it| millis(it.latency.p50)))
        .figure(of(P99, "ms", &|it| millis(it.latency.p99)))
        .figure(of("p99.9", "ms", &|it| millis(it.latency.p999)))
        .figure(of("max", "ms", &|it| millis(it.latency.max)))
        .figure(of("peak", "bytes", &|it| as_f64(it.peak_kib * 1024)))
}

/// A plot for each size of batches: each engine's points are its numbers of writers.
fn plots(rows: &[CommitRow]) -> Vec<Plot> {
    let mut sizes: Vec<_> = rows.iter().map(|row| row.run.batch_events).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let plot = |size| {
        let title = format!("Commits of {size} events: throughput against latency");
        let (x, y) = (Axis::log("events/s"), Axis::log("p99 of a batch, ms"));
        let plot = Plot::new(title, x, y);
        EngineKind::ALL.into_iter().fold(plot, |plot, engine| {
            let is_on = |row: &&CommitRow| row.run.engine == engine && row.run.batch_events == size;
            let points: Vec<_> = rows.iter().filter(is_on).map(point).collect();
            if points.is_empty() { plot } else { plot.line(engine.name(), points) }
        })
    };
    sizes.into_iter().map(plot).collect()
}

fn point(row: &CommitRow) -> (f64, f64) {
    let told = told(row, None);
    let median = |name| told.figure_of(name).map_or(0.0, Figure::median);
    (median(RATE), median(P99))
}

/// Foldback beside each peer in the same case: rates above 1 and CPU below 1 are better.
fn beside_peers(report: &Report, rows: &[CommitRow], ours: &CommitRow) -> String {
    let case = ours.run.case();
    let (how, rate) = match ours.run.settings.durable {
        true => ("durable", RATE),
        false => ("buffered", SETTLED),
    };
    let peers = peers_of(rows, ours);
    let ratios = |name| {
        let ratio = |peer: &&str| {
            let ours = report.median_of(ours.run.engine.name(), &case, name)?;
            let theirs = report.median_of(peer, &case, name)?;
            (theirs > 0.0).then(|| format!("{:.2} of {peer}", ours / theirs))
        };
        peers.iter().filter_map(ratio).collect::<Vec<_>>().join(", ")
    };
    let mut parts = Vec::new();
    if !peers.is_empty() {
        parts.extend([format!("{} {rate}", ratios(rate)), format!("{} cpu", ratios(CPU))]);
    }
    let reached = report.median_of(ours.run.engine.name(), &case, RATE).unwrap_or(0.0);
    let of =
        |limit: Option<f64>, name| limit.map(|limit| format!("{:.2} of {name}", reached / limit));
    parts.extend(of(limit(report, ours), "the machine's fdatasync limit"));
    parts.extend(of(bare_group_commit(report, ours), "a bare group commit"));
    parts.push("results correct".to_owned());
    format!("commit {how} {case}: {}", parts.join("; "))
}

/// What sealing all the time does to the latency of commits.
fn beside_sealing(report: &Report, rows: &[CommitRow]) -> Option<String> {
    let sealing = rows.iter().find(|row| row.run.engine == EngineKind::FoldbackSealing)?;
    let case = sealing.run.case();
    let p99 = |engine: EngineKind| report.median_of(engine.name(), &case, P99);
    let (with, without) =
        (p99(EngineKind::FoldbackSealing)?, p99(EngineKind::FoldbackUnprotected)?);
    let ratio = if without > 0.0 { with / without } else { 0.0 };
    Some(format!("commit {case} with sealing all the time: p99 {ratio:.2} of that without"))
}

fn millis(nanos: u64) -> f64 {
    as_f64(nanos) / 1e6
}
