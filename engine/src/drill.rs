//! The drill: states of tables are restored for proof, and compared with a replay of all their
//! history that shares no decision with restores.
//!
//! What a restore gets comes of the planner, which leaves out what it can: older bases, deltas
//! below a base, row groups by their bounds. The replay takes the state that a window begins with,
//! goes through every delta after it, and keeps of each key the newest event. Where both agree, it
//! is published per table up to which commit.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

use foldback_compactor::{Change, LeaseGuard, Publisher};
use foldback_log_tier::manifest::{Manifest, Verified};
use foldback_log_tier::remote::RemoteOptions;
use foldback_log_tier::{Commit, DatabaseId, Seq, TableId, WriterId};

use crate::bucket_reader::connect_to_history;
use crate::clock::Clock;
use crate::examination::{Damage, Examination, damage};
use crate::restore::PlanRows;
use crate::verify::{FileReading, SealedWindow, sealed_windows};
use crate::{Database, Error, Result, Selection, TableRecord, TableRef, VerifyProgress};

mod compare;
mod picks;
mod straight;

pub use compare::{Answer, Difference};

use compare::Planned;
use straight::Straight;

/// What to drill.
#[derive(Clone, Debug)]
pub struct DrillOptions {
    /// The table; `None` is every table that can be restored.
    pub table: Option<TableRef>,
    /// How many commits of each table besides the last that is sealed.
    pub instants: u32,
    /// Chooses them.
    pub seed: u64,
}

/// What became of the drill of one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DrillOutcome {
    /// Both ways have so many rows, and they are the same.
    Same(u64),
    /// The first key of which they say different things.
    Differs(Box<Difference>),
    /// One of them could not be gone to its end; nothing is known of the state.
    Broken(String),
}

/// One state that was drilled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrilledState {
    /// The table.
    pub table: TableId,
    /// Its name.
    pub name: String,
    /// The commit whose state it is.
    pub commit: Commit,
    /// What became of it.
    pub outcome: DrillOutcome,
}

/// Drills the bucket of a database.
#[derive(Debug)]
pub struct Drill {
    examined: Examination,
    publisher: Arc<Publisher>,
}

impl Drill {
    /// Opens the bucket at `url`, beside whichever process writes to it.
    ///
    /// # Errors
    ///
    /// [`Error::NoHistory`] if no database has published there; [`Error::Tier`] if the bucket is
    /// out of reach, damaged, or refuses conditional puts.
    pub fn open(url: &str, options: &RemoteOptions, clock: Arc<dyn Clock>) -> Result<Self> {
        let (network, remote, manifest) = connect_to_history(url, options)?;
        let probed = remote.clone();
        network.run(async move { probed.probe().await })?;
        let database = manifest.database;
        let publisher = Publisher::joining(remote.clone(), manifest, WriterId::random());
        let examined = Examination::new(Arc::new(network), remote, database, clock);
        Ok(Self { examined, publisher: Arc::new(publisher) })
    }

    /// The database whose bucket it is.
    #[must_use]
    pub fn database(&self) -> DatabaseId {
        self.examined.database
    }

    /// Drills the tables as far as they are sealed; tells `watch` of each state, and what was read
    /// of it so far. Of each table of which all states are the same, it is published.
    ///
    /// # Errors
    ///
    /// [`Error::TableNotFound`] or [`Error::NotProtected`] for a table that can't be drilled;
    /// [`Error::Tier`] if the bucket is out of reach.
    pub fn run(
        &self,
        options: &DrillOptions,
        watch: &mut dyn FnMut(&TableRecord, Commit, u64),
    ) -> Result<Vec<DrilledState>> {
        let examined = &self.examined;
        let known = examined.newest()?.number;
        // What this manifest and later ones list stays until the drill has ended.
        let (remote, database) = (examined.remote(), examined.database);
        let _lease = LeaseGuard::take(&examined.network, remote, database, known, "a drill")?;
        let (manifest, catalog) = examined.catalog()?;
        let catalog = catalog?;
        let records: Vec<&TableRecord> = match &options.table {
            Some(TableRef::Id(id)) => vec![catalog.by_id(*id)?],
            Some(TableRef::Name(name)) => vec![catalog.by_name(name)?],
            None => catalog.all().collect(),
        };
        let mut drilled = Vec::new();
        for record in records {
            let windows = sealed_windows(&manifest, record);
            if windows.is_empty() && options.table.is_some() {
                return Err(Error::NotProtected { name: record.name.clone() });
            }
            let states = self.drill_table(&manifest, (record, &windows), options, watch)?;
            self.publish(&states)?;
            drilled.extend(states);
        }
        Ok(drilled)
    }

    fn drill_table(
        &self,
        manifest: &Arc<Manifest>,
        (record, windows): (&TableRecord, &[SealedWindow]),
        options: &DrillOptions,
        watch: &mut dyn FnMut(&TableRecord, Commit, u64),
    ) -> Result<Vec<DrilledState>> {
        let mut states = Vec::new();
        for (window, seq) in picks::picks(windows, options.instants, options.seed ^ record.id.0) {
            let past = self.examined.past(manifest, false);
            let known = [window.first, manifest.sealed].into_iter().find(|it| it.seq == seq);
            let (commit, outcome) = match past.commit_at(seq, known) {
                Ok(commit) => (commit, self.drill_state(manifest, (record, window, commit), watch)),
                Err(error) => (Commit { seq, ..window.first }, Err(error)),
            };
            let outcome = match outcome {
                Ok(outcome) => outcome,
                Err(error) => DrillOutcome::Broken(broken(damage(error)?)),
            };
            let (table, name) = (record.id, record.name.clone());
            states.push(DrilledState { table, name, commit, outcome });
        }
        Ok(states)
    }

    fn drill_state(
        &self,
        manifest: &Arc<Manifest>,
        (record, window, commit): (&TableRecord, SealedWindow, Commit),
        watch: &mut dyn FnMut(&TableRecord, Commit, u64),
    ) -> Result<DrillOutcome> {
        let examined = &self.examined;
        let past = examined.past(manifest, false);
        let plan = past.plan_at(record, commit, &Selection::all())?;
        let rows = PlanRows::start(Cow::Owned(plan), examined.places(false))?;
        let mut planned = Planned::new(rows);
        let mut told = |progress: VerifyProgress| {
            watch(record, commit, progress.bytes);
            ControlFlow::Continue(())
        };
        let reading = FileReading::new(examined, None, &mut told);
        let mut straight = Straight::new(reading, manifest, (window, commit.seq));
        let mut rows = 0;
        while let Some(slice) = straight.next_slice()? {
            rows += u64::try_from(slice.rows.len()).expect("64 bits suffice");
            if let Some(difference) = compare::compare(&mut planned, &slice)? {
                return Ok(DrillOutcome::Differs(Box::new(difference)));
            }
        }
        Ok(DrillOutcome::Same(rows))
    }

    /// Publishes up to which commit a table was proved, if nothing of it went wrong.
    fn publish(&self, states: &[DrilledState]) -> Result<()> {
        let is_same = |state: &DrilledState| matches!(state.outcome, DrillOutcome::Same(_));
        let last = states.iter().max_by_key(|state| state.commit.seq);
        let Some(DrilledState { table, commit, .. }) = last.filter(|_| states.iter().all(is_same))
        else {
            return Ok(());
        };
        let now = self.examined.clock.now();
        let change = Change::Verified(Verified { table: *table, at: *commit, on: now });
        let publisher = Arc::clone(&self.publisher);
        Ok(self.examined.network.run(async move { publisher.publish(&change, now).await })?)
    }
}

impl Database {
    /// Drills the bucket of this database, as far as it is sealed.
    #[must_use]
    pub fn drill(&self) -> Drill {
        let publisher = Arc::clone(&self.inner.tools.publisher);
        Drill { examined: self.examination(), publisher }
    }
}

fn broken(damage: Damage) -> String {
    let Damage { object, offset, reason } = damage;
    let at = offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default();
    match object {
        Some(object) => format!("{object}{at}: {reason}"),
        None => reason,
    }
}

/// The window that a state lies in, and the commit whose state it is.
type Upto = (SealedWindow, Seq);
