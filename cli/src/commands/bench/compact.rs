//! `bench compact`: a history that nobody has compacted is compacted by a process of its own.

use std::process::{Command, Stdio};

use foldback_bench::{
    BucketChoice, CompactCost, UntidyHistory, UntidyOptions, compact_bucket, make_untidy,
};
use serde::Deserialize;

use crate::arguments::CompactArgs;
use crate::commands::Screen;
use crate::error::{Error, Result};
use crate::output::Cell;

/// What the process that compacts prints, by the names of [`cells_of`].
#[derive(Deserialize)]
struct Answer {
    jobs: u64,
    compaction_micros: u64,
    cpu_micros: Option<u64>,
    memory_bytes_max: Option<u64>,
    read_bytes: u64,
    uploaded_bytes: u64,
}

/// Measures in a temporary directory; or, in the other process, only compacts.
pub(super) fn show(arguments: &CompactArgs, screen: &mut Screen) -> Result<()> {
    if let Some(bucket) = &arguments.only {
        let bucket = BucketChoice { url: Some(bucket.clone()), ..BucketChoice::default() };
        return screen.record(&cells_of(&compact_bucket(&bucket)?));
    }
    let directory = tempfile::Builder::new().prefix("foldback-bench-").tempdir();
    let directory = directory.map_err(Error::io("create", "a temporary directory"))?;
    let made = make_untidy(&UntidyOptions {
        directory: directory.path().to_path_buf(),
        bucket: BucketChoice::default(),
        keys: arguments.keys,
        value_bytes: arguments.value_bytes,
        history_bytes: arguments.history_bytes,
        segment_bytes_max: arguments.segment_bytes_max,
        seed: arguments.seed,
    })?;
    let cost = compact_elsewhere(&made)?;
    let mut cells = vec![("history_bytes", Cell::Bytes(made.history_bytes))];
    cells.extend(cells_of(&cost));
    cells.push(("uploaded_ratio", Cell::text(Some(ratio(cost.bytes_written, made.history_bytes)))));
    screen.record(&cells)
}

fn cells_of(cost: &CompactCost) -> [(&'static str, Cell); 6] {
    [
        ("jobs", Cell::Count(cost.jobs)),
        ("compaction_micros", Cell::Duration(cost.micros)),
        ("cpu_micros", cost.cpu_micros.map_or(Cell::Empty, Cell::Duration)),
        ("memory_bytes_max", cost.memory_bytes_max.map_or(Cell::Empty, Cell::Bytes)),
        ("read_bytes", Cell::Bytes(cost.bytes_read)),
        ("uploaded_bytes", Cell::Bytes(cost.bytes_written)),
    ]
}

/// Compacts in a process of its own, whose memory never held more than that takes.
fn compact_elsewhere(made: &UntidyHistory) -> Result<CompactCost> {
    let program = std::env::current_exe().map_err(Error::io("find", "this program"))?;
    let output = Command::new(program)
        .args(["--format", "json", "bench", "compact", "--only", &made.bucket])
        .stderr(Stdio::inherit())
        .output()
        .map_err(Error::io("start", "the process that compacts"))?;
    let wrong = |what: &str| foldback_bench::Error::Wrong(format!("the compaction {what}"));
    if !output.status.success() {
        return Err(wrong("failed").into());
    }
    let answer: Answer =
        serde_json::from_slice(&output.stdout).map_err(|_| wrong("did not say what it took"))?;
    Ok(CompactCost {
        jobs: answer.jobs,
        micros: answer.compaction_micros,
        cpu_micros: answer.cpu_micros,
        memory_bytes_max: answer.memory_bytes_max,
        bytes_read: answer.read_bytes,
        bytes_written: answer.uploaded_bytes,
    })
}

#[expect(clippy::cast_precision_loss, reason = "two digits of a ratio are shown")]
pub(super) fn ratio(of: u64, to: u64) -> String {
    format!("{:.2}", of as f64 / to.max(1) as f64)
}
