//! What the memory suite's stages come to: rows and the verdict of its report.

use super::MemoryRow;
use crate::{Figure, Report, Row, as_f64};

/// What no stage may exceed, in KiB.
const PEAK_KIB_MAX: u64 = 512 * 1024;

/// Adds what was measured to a report.
pub fn tell_memory(report: &mut Report, rows: &[MemoryRow]) {
    report.rows.extend(rows.iter().map(told));
    let peaks: Vec<_> = rows
        .iter()
        .map(|row| format!("{} {} MiB", row.run.stage.name(), row.outcome.peak_kib.div_ceil(1024)))
        .collect();
    let within = rows.iter().all(|row| row.outcome.peak_kib <= PEAK_KIB_MAX);
    let gib = rows.first().map_or(0.0, |row| as_f64(row.run.bytes()) / f64::from(1 << 30));
    report.verdicts.push(format!(
        "memory of {gib:.1} GiB: {}, within {} MiB: {}; results correct",
        peaks.join(", "),
        PEAK_KIB_MAX / 1024,
        if within { "yes" } else { "no" },
    ));
}

fn told(row: &MemoryRow) -> Row {
    let outcome = &row.outcome;
    let peak = Figure::one("peak", "bytes", as_f64(outcome.peak_kib * 1024));
    Row::new("foldback", row.run.stage.name())
        .figure(peak.of_greatest(as_f64(PEAK_KIB_MAX * 1024)))
        .figure(Figure::one("count", "", as_f64(outcome.count)))
        .figure(Figure::one("wall", "ms", as_f64(outcome.wall_micros) / 1e3))
        .figure(Figure::one("cpu", "ms", as_f64(outcome.cpu_micros) / 1e3))
}
