//! One verification from its listing to its last fold, which goes around all that is wrong.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use foldback_log_tier::Timestamp;
use foldback_log_tier::manifest::{HistoryEntry, Manifest};

use super::backups::KeptStates;
use super::file_check::check_file;
use super::hurt::{Hurt, hurt_by, record_of_catalog};
use super::listing;
use super::notes::VerifyNotes;
use super::reading::FileReading;
use super::replay::{ends, fold_state, holes};
use super::{
    LevelReport, Verifier, VerifyFinding, VerifyLevel, VerifyOptions, VerifyProgress, VerifyReport,
};
use crate::examination::{Damage, Examination, damage};
use crate::past::{MOMENTS_MAX, Past};
use crate::{BackupRecord, Result, TableRecord, steady_now};

/// A verification that is going on.
struct Run<'a> {
    examined: &'a Examination,
    options: &'a VerifyOptions,
    reading: FileReading<'a>,
    notes: Option<VerifyNotes>,
    today: Timestamp,
    /// Every table that ever was, and the catalog.
    records: Vec<TableRecord>,
    kept: KeptStates,
    /// Why the catalog can't be folded, if it can't.
    catalog_damage: Option<Damage>,
    manifest: Arc<Manifest>,
    /// Files that had their turn.
    seen: BTreeSet<String>,
    report: VerifyReport,
}

pub(super) fn run(
    verifier: &Verifier,
    options: &VerifyOptions,
    watch: &mut dyn FnMut(VerifyProgress) -> ControlFlow<()>,
) -> Result<VerifyReport> {
    let mut run = Run::begin(verifier, options, watch)?;
    let done = run.go_through();
    if done.is_err()
        && let Some(notes) = &mut run.notes
    {
        // What ended the run is what is told.
        let _ = notes.write(steady_now());
    }
    done?;
    if let Some(notes) = run.notes {
        notes.remove()?;
    }
    Ok(run.report)
}

impl<'a> Run<'a> {
    fn begin(
        verifier: &'a Verifier,
        options: &'a VerifyOptions,
        watch: &'a mut dyn FnMut(VerifyProgress) -> ControlFlow<()>,
    ) -> Result<Self> {
        let examined = &verifier.examined;
        let notes = options.notes.as_ref().map(|path| {
            let place = (examined.database, examined.remote().name().to_owned());
            VerifyNotes::open(Arc::clone(&verifier.fs), path, place, steady_now())
        });
        let (manifest, catalog) = match &verifier.catalog {
            Some(catalog) => (examined.newest()?, Ok(catalog.clone())),
            None => examined.catalog()?,
        };
        let (mut records, mut catalog_damage) = (vec![record_of_catalog()], None);
        let mut kept = KeptStates::default();
        match catalog {
            Ok(catalog) => {
                records.extend(catalog.all().cloned());
                kept = KeptStates::new(catalog);
            }
            Err(error) => catalog_damage = Some(damage(error)?),
        }
        let report = VerifyReport {
            manifest: manifest.number,
            files: 0,
            sealed: manifest.sealed,
            levels: Vec::new(),
            findings: Vec::new(),
            noted_before: 0,
            replaced: 0,
            unlisted_files: 0,
            unlisted_bytes: 0,
            catalog_is_read: catalog_damage.is_none(),
        };
        let (reading, today) =
            (FileReading::new(examined, options.bytes_per_sec, watch), examined.clock.now());
        let (notes, seen) = (notes.transpose()?, BTreeSet::new());
        Ok(Self {
            examined,
            options,
            reading,
            notes,
            today,
            records,
            kept,
            catalog_damage,
            manifest,
            seen,
            report,
        })
    }

    fn go_through(&mut self) -> Result<()> {
        for level in VerifyLevel::ALL.into_iter().filter(|level| *level <= self.options.level) {
            self.report.levels.push(LevelReport {
                level,
                files: 0,
                bytes: 0,
                findings: 0,
                took: None,
            });
        }
        // Files that were replaced have others in their place, which have their turn then.
        for _ in 0..MOMENTS_MAX {
            let replaced = self.report.replaced;
            self.check_listing()?;
            self.check_files()?;
            if self.report.replaced == replaced {
                break;
            }
            self.manifest = self.examined.newest()?;
        }
        self.check_manifests()?;
        self.check_replay()?;
        if let Some(wrong) = self.catalog_damage.take()
            && !self.is_known(&wrong)
        {
            self.find(VerifyLevel::Replay, wrong)?;
        }
        self.report.files = u64::try_from(self.manifest.files.len()).expect("64 bits suffice");
        (self.report.manifest, self.report.sealed) = (self.manifest.number, self.manifest.sealed);
        Ok(())
    }

    /// What is listed, and how long it is.
    fn check_listing(&mut self) -> Result<()> {
        let began = steady_now();
        self.reading.begin(VerifyLevel::List, None)?;
        // The manifest is older than the listing: what it lists was there.
        let objects = listing::list(self.examined)?;
        let listing = listing::compare(&self.manifest, &objects, self.options.level);
        self.report.unlisted_files = listing.unlisted_files;
        self.report.unlisted_bytes = listing.unlisted_bytes;
        let unseen: Vec<_> =
            self.manifest.files.iter().filter(|file| !self.seen.contains(&file.name)).collect();
        let count = u64::try_from(unseen.len()).expect("64 bits suffice");
        let bytes: u64 = unseen.iter().map(|file| file.bytes).sum();
        for level in [VerifyLevel::List, VerifyLevel::Size] {
            self.note_level(level, (count, bytes));
        }
        for (level, wrong) in listing.wrong {
            let object = wrong.object.clone().unwrap_or_default();
            if self.seen.insert(object) {
                self.find(level, wrong)?;
            }
        }
        self.stop(&[VerifyLevel::List, VerifyLevel::Size], began);
        Ok(())
    }

    fn check_manifests(&mut self) -> Result<()> {
        let began = steady_now();
        for wrong in listing::check_manifests(self.examined)? {
            self.find(VerifyLevel::List, wrong)?;
        }
        self.stop(&[VerifyLevel::List, VerifyLevel::Size], began);
        Ok(())
    }

    /// What the files hold.
    fn check_files(&mut self) -> Result<()> {
        let began = steady_now();
        let level = self.options.level.min(VerifyLevel::Decode);
        if level < VerifyLevel::Checksum {
            return Ok(());
        }
        let due: Vec<HistoryEntry> =
            self.manifest.files.iter().filter(|file| self.is_due(file)).cloned().collect();
        let bytes = due.iter().map(|file| file.bytes).sum();
        self.reading.begin(level, Some(bytes))?;
        for file in due {
            if !self.seen.insert(file.name.clone()) {
                continue;
            }
            if self.notes.as_ref().is_some_and(|notes| notes.has(&file, level)) {
                self.report.noted_before += 1;
                self.reading.pass_over(file.bytes)?;
                continue;
            }
            self.check_file(&file, level)?;
        }
        self.stop(&[VerifyLevel::Checksum, VerifyLevel::Decode], began);
        Ok(())
    }

    fn check_file(&mut self, file: &HistoryEntry, level: VerifyLevel) -> Result<()> {
        let replaced = self.report.replaced;
        match (check_file(&mut self.reading, file, level)?, &mut self.notes) {
            (Some((level, wrong)), _) => self.find(level, wrong)?,
            (None, Some(notes)) => notes.note(file, level, steady_now())?,
            (None, None) => {}
        }
        if self.report.replaced == replaced {
            self.note_level(VerifyLevel::Checksum, (1, file.bytes));
            self.note_level(VerifyLevel::Decode, (1, file.bytes));
        }
        Ok(())
    }

    fn is_due(&self, file: &HistoryEntry) -> bool {
        self.is_of_today(&file.name) && !self.seen.contains(&file.name)
    }

    fn is_of_today(&self, name: &str) -> bool {
        self.options.share.is_none_or(|share| share.has(name, self.today))
    }

    /// What states are made of.
    fn check_replay(&mut self) -> Result<()> {
        let began = steady_now();
        if self.options.level < VerifyLevel::Replay {
            return Ok(());
        }
        for hole in holes(&self.manifest, &self.records) {
            let wrong = hole.damage();
            self.push(VerifyLevel::Replay, wrong, (hole.hurts, Vec::new()));
        }
        self.reading.begin(VerifyLevel::Replay, None)?;
        for record in self.records.clone() {
            if self.is_of_today(&format!("table {}", record.id)) {
                self.replay_table(&record)?;
            }
        }
        self.replay_backups()?;
        self.stop(&[VerifyLevel::Replay], began);
        Ok(())
    }

    fn replay_table(&mut self, record: &TableRecord) -> Result<()> {
        let count = ends(&self.manifest, record).len();
        for at in 0..count {
            let before = self.reading.bytes();
            let wrong = self.fold_ending(record, at)?;
            let read = self.reading.bytes() - before;
            self.note_level(VerifyLevel::Replay, (1, read));
            if let Some(wrong) = wrong.filter(|wrong| !self.is_known(wrong)) {
                self.find(VerifyLevel::Replay, wrong)?;
            }
        }
        Ok(())
    }

    /// Folds the state of every backup.
    fn replay_backups(&mut self) -> Result<()> {
        let of_today = |it: &&BackupRecord| self.is_of_today(&format!("backup {}", it.name));
        let backups: Vec<_> = self.kept.backups().filter(of_today).cloned().collect();
        for backup in &backups {
            let before = self.reading.bytes();
            let Some(wrong) = self.fold_backup(backup)? else {
                let read = self.reading.bytes() - before;
                self.note_level(VerifyLevel::Replay, (1, read));
                continue;
            };
            if !self.is_deleted(backup)? && (wrong.object.is_none() || !self.is_known(&wrong)) {
                self.push(VerifyLevel::Replay, wrong, (Vec::new(), vec![backup.name.clone()]));
            }
        }
        Ok(())
    }

    fn fold_backup(&mut self, backup: &BackupRecord) -> Result<Option<Damage>> {
        let mut moments_left = MOMENTS_MAX;
        loop {
            let manifest = Arc::clone(&self.manifest);
            let plan = |_: &Past<'_>| self.kept.plan(&manifest, backup);
            let wrong = fold_state(&mut self.reading, &manifest, plan)?;
            let Some(wrong) = wrong else { return Ok(None) };
            let newest = self.examined.newest()?;
            moments_left -= 1;
            if moments_left == 0 || newest.number == manifest.number {
                return Ok(Some(wrong));
            }
            self.manifest = newest;
        }
    }

    /// Whether a backup was deleted meanwhile, so that nothing of it needs to be there.
    fn is_deleted(&self, backup: &BackupRecord) -> Result<bool> {
        let (_, catalog) = self.examined.catalog()?;
        Ok(catalog.is_ok_and(|catalog| catalog.backup_by_commit(backup.created.seq).is_err()))
    }

    /// Folds one end of a table's windows, on a newer manifest where a file was replaced meanwhile.
    fn fold_ending(&mut self, record: &TableRecord, at: usize) -> Result<Option<Damage>> {
        let mut moments_left = MOMENTS_MAX;
        loop {
            let manifest = Arc::clone(&self.manifest);
            // Its windows can have moved on meanwhile.
            let Some(ending) = ends(&manifest, record).get(at).copied() else { return Ok(None) };
            let plan = |past: &Past<'_>| ending.plan(past, record);
            let wrong = fold_state(&mut self.reading, &manifest, plan)?;
            let Some(wrong) = wrong else { return Ok(None) };
            let newest = self.examined.newest()?;
            moments_left -= 1;
            if moments_left == 0 || !wrong.is_past(&newest) {
                return Ok(Some(wrong));
            }
            self.manifest = newest;
        }
    }

    /// Whether it was found before: what has no object is a hole.
    fn is_known(&self, wrong: &Damage) -> bool {
        self.report.findings.iter().any(|finding| finding.object == wrong.object)
    }

    /// Tells of something wrong, unless it is of a file that was replaced meanwhile.
    fn find(&mut self, level: VerifyLevel, wrong: Damage) -> Result<()> {
        let newest = self.examined.newest()?;
        if wrong.is_past(&newest) {
            self.report.replaced += 1;
            return Ok(());
        }
        let of_file = |file: &&HistoryEntry| Some(&file.name) == wrong.object.as_ref();
        let file = newest.files.iter().find(of_file);
        let hurts = file.map(|file| hurt_by(&newest, &self.records, file)).unwrap_or_default();
        let backups = file.map(|file| self.kept.hurt_by(&newest, &file.name)).unwrap_or_default();
        self.push(level, wrong, (hurts, backups));
        Ok(())
    }

    fn push(
        &mut self,
        level: VerifyLevel,
        wrong: Damage,
        (hurts, backups): (Vec<Hurt>, Vec<String>),
    ) {
        let Damage { object, offset, reason } = wrong;
        let finding = VerifyFinding { level, object, offset, reason, hurts, backups };
        self.report.findings.push(finding);
        if let Some(of_level) = self.level(level) {
            of_level.findings += 1;
        }
    }

    fn level(&mut self, level: VerifyLevel) -> Option<&mut LevelReport> {
        self.report.levels.iter_mut().find(|report| report.level == level)
    }

    fn note_level(&mut self, level: VerifyLevel, (files, bytes): (u64, u64)) {
        if let Some(report) = self.level(level) {
            report.files += files;
            report.bytes += bytes;
        }
    }

    /// Levels that are verified in one pass have one time: it is told of the last of them.
    fn stop(&mut self, pass: &[VerifyLevel], began: Instant) {
        let of_pass = self.report.levels.iter_mut().filter(|it| pass.contains(&it.level));
        if let Some(last) = of_pass.last() {
            let took = steady_now().saturating_duration_since(began);
            last.took = Some(last.took.unwrap_or_default() + took);
        }
    }
}
