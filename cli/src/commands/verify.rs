//! `verify`: whether all that a bucket promises can be kept.

use std::io::Write;
use std::ops::ControlFlow;

use foldback::{Hurt, VerifyFinding, VerifyOptions, VerifyProgress, VerifyReport};

use super::Screen;
use crate::arguments::VerifyArgs;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::human::{counted, human_bytes};
use crate::output::progress::{Progress, ProgressUnit};
use crate::output::{Cell, OutputFormat};
use crate::session;

pub(super) fn run(settings: &Settings, verify: &VerifyArgs, screen: &mut Screen) -> Result<()> {
    let options = VerifyOptions {
        level: verify.level.into(),
        share: verify.share,
        bytes_per_sec: verify.rate,
        notes: verify.progress.clone(),
    };
    let report = match session::bucket_alone(settings) {
        Some(url) => {
            let verifier = session::open_verifier(settings, url)?;
            watched(|watch| verifier.run(&options, watch))?
        }
        None => {
            let database = session::open(settings, false)?;
            let verifier = database.verifier();
            watched(|watch| verifier.run(&options, watch))?
        }
    };
    // People get them in sentences.
    if screen.format() == OutputFormat::Json {
        list_findings(&report.findings, screen)?;
    }
    list_levels(&report, screen)?;
    screen.flush()?;
    tell_notes(&report);
    match report.findings.len() {
        0 => Ok(()),
        findings => {
            tell_findings(&report)?;
            let else_ = match has_lost_its_catalog(&report) {
                false => "all else can be restored",
                true => {
                    "until the catalog is whole, nothing can be read from the bucket alone, and the \
                     database can't be recovered from it"
                }
            };
            Err(Error::Damaged(format!(
                "{} of damage or loss in the bucket; nothing was changed; what is said not to be \
                 restorable stays so until the objects are brought back, byte for byte, from a copy \
                 or an older version that the store keeps of them; {else_}; if the machine that \
                 writes still has its data directory, keep it, and export the tables from there",
                counted(u64::try_from(findings).unwrap_or(u64::MAX), "finding")
            )))
        }
    }
}

/// Whether the newest state of the catalog can't be read.
fn has_lost_its_catalog(report: &VerifyReport) -> bool {
    let of_catalog = |hurt: &Hurt| hurt.table == foldback::TableId::CATALOG;
    let mut hurts = report.findings.iter().flat_map(|finding| &finding.hurts);
    !report.catalog_is_read || hurts.any(|hurt| of_catalog(hurt) && hurt.until.is_none())
}

/// Runs with a bar for each level.
fn watched(
    run: impl FnOnce(
        &mut dyn FnMut(VerifyProgress) -> ControlFlow<()>,
    ) -> foldback::Result<VerifyReport>,
) -> Result<VerifyReport> {
    let mut shown: Option<(foldback::VerifyLevel, Option<u64>, Progress)> = None;
    let mut watch = |progress: VerifyProgress| {
        let VerifyProgress { level, bytes, bytes_total } = progress;
        match &shown {
            Some((of, total, bar)) if (*of, *total) == (level, bytes_total) => bar.set(bytes),
            _ => {
                // The old bar goes before the new one comes.
                shown = None;
                let label = format!("verifying ({})", level.name());
                let bar = Progress::begin(&label, bytes_total, ProgressUnit::Bytes);
                shown = Some((level, bytes_total, bar));
            }
        }
        ControlFlow::Continue(())
    };
    Ok(run(&mut watch)?)
}

/// A line for each table that a finding hurts, or one if it hurts none.
fn list_findings(findings: &[VerifyFinding], screen: &mut Screen) -> Result<()> {
    let names = &[
        "level",
        "object",
        "offset",
        "problem",
        "table",
        "lost_from",
        "lost_until",
        "first_seq",
        "until_seq",
        "backups",
    ];
    let mut list = screen.list(names);
    for finding in findings {
        let hurts: Vec<Option<&Hurt>> = match finding.hurts.is_empty() {
            true => vec![None],
            false => finding.hurts.iter().map(Some).collect(),
        };
        for hurt in hurts {
            let until = hurt.and_then(|hurt| hurt.until);
            list.row(vec![
                Cell::text(Some(finding.level.name())),
                Cell::text(finding.object.as_ref()),
                finding.offset.map_or(Cell::Empty, Cell::Count),
                Cell::text(Some(&finding.reason)),
                Cell::text(hurt.map(|hurt| &hurt.name)),
                hurt.map_or(Cell::Empty, |hurt| Cell::Instant(hurt.first.timestamp)),
                until.map_or(Cell::Empty, |until| Cell::Instant(until.timestamp)),
                hurt.map_or(Cell::Empty, |hurt| Cell::Seq(hurt.first.seq)),
                until.map_or(Cell::Empty, |until| Cell::Seq(until.seq)),
                Cell::text(Some(finding.backups.join(" ")).filter(|names| !names.is_empty())),
            ])?;
        }
    }
    list.finish().map(drop)
}

fn list_levels(report: &VerifyReport, screen: &mut Screen) -> Result<()> {
    let mut list = screen.list(&["level", "files", "bytes", "findings", "took_micros"]);
    for level in &report.levels {
        let micros = level.took.map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        list.row(vec![
            Cell::text(Some(level.level.name())),
            Cell::Count(level.files),
            Cell::Bytes(level.bytes),
            Cell::Count(level.findings),
            micros.map_or(Cell::Empty, Cell::Duration),
        ])?;
    }
    list.finish().map(drop)
}

/// What is worth to know and is not wrong.
fn tell_notes(report: &VerifyReport) {
    if report.unlisted_files > 0 {
        eprintln!(
            "foldback: {} of {} in the bucket that no manifest lists: left by a process that died, or \
             about to be published; a sweep deletes what is needless",
            counted(report.unlisted_files, "history file"),
            human_bytes(report.unlisted_bytes)
        );
    }
    if report.noted_before > 0 {
        eprintln!(
            "foldback: {} were found sound by an earlier run, and not read again",
            counted(report.noted_before, "file")
        );
    }
    if report.replaced > 0 {
        eprintln!(
            "foldback: {} were replaced while they were verified; those in their place were verified",
            counted(report.replaced, "file")
        );
    }
}

/// Each finding in a sentence. What can't be told to anyone is in the exit code.
fn tell_findings(report: &VerifyReport) -> Result<()> {
    for finding in &report.findings {
        let object = finding.object.as_deref().unwrap_or("the history");
        let at = finding.offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default();
        let backups = finding.backups.iter().map(|name| format!("backup {name:?}"));
        let hurts: Vec<_> = finding.hurts.iter().map(ToString::to_string).chain(backups).collect();
        let hurts = match (hurts.as_slice(), &finding.object) {
            ([], None) => String::new(),
            ([], Some(_)) if !report.catalog_is_read => {
                "; what needs it is not known, as the catalog can't be read".to_owned()
            }
            ([], Some(_)) => "; no table and no backup needs it to be restored".to_owned(),
            _ => format!("; not restorable: {}", hurts.join("; ")),
        };
        let text = format!("foldback: {object}{at}: {}{hurts}\n", finding.reason);
        std::io::stderr().write_all(text.as_bytes()).map_err(Error::io("write", "the findings"))?;
    }
    Ok(())
}
