//! Views: a table as it was at one commit, read where its history lies, without a restore.
//!
//! A view is bound to one commit, and a commit's state never changes; where its events lie may. So
//! a view holds a moment, which says where they are, and takes a newer one if a file is gone.

use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use foldback_compactor::merge::TailRows;
use foldback_compactor::{EventSought, LeaseGuard};
use foldback_log_tier::{Commit, KeyRange, Seq};

use crate::past::{MOMENTS_MAX, Past, PastMoment, is_gone};
use crate::plan::{PlanPiece, RestorePlan};
use crate::present::Row;
use crate::reading::{Places, hold};
use crate::restore::{PlanRows, collect_tail};
use crate::steady_rows::SteadyRows;
use crate::{BucketReader, Database, Result, Selection, TableRecord, Target};

/// A table as it was after one commit. Its answers never change, whatever is written, compacted,
/// expired or dropped while it lives.
///
/// It keeps what it reads in the bucket by one lease, and in memory the newest event of each key
/// that was in the local log alone. Decoded pieces of history that [`Self::get`] used are kept by
/// the database or reader that it is of, up to `history_cache_bytes`.
pub struct View<'a> {
    /// The lease goes before what it needs to be given back.
    _lease: Option<LeaseGuard>,
    record: TableRecord,
    commit: Commit,
    /// Events that only the local log held when the view was taken.
    tail: Arc<TailRows>,
    moment: RwLock<Arc<ViewMoment>>,
    door: ViewDoor<'a>,
}

/// The rows of a view, ascending by key.
#[derive(Debug)]
pub struct ViewRows<'v>(SteadyRows<'v>);

/// Where the events of a view were at one moment.
struct ViewMoment {
    past: PastMoment,
    /// What is read of each range of keys of the whole table, by the manifest alone.
    pieces: Vec<PlanPiece>,
}

/// What a view is of.
pub(crate) enum ViewDoor<'a> {
    Database(Database),
    Bucket(&'a BucketReader),
}

impl ViewDoor<'_> {
    /// No lease is taken for a read of a view: the view has one.
    fn places(&self) -> Places<'_> {
        let places = match self {
            Self::Database(database) => database.places(),
            Self::Bucket(reader) => reader.places(),
        };
        Places { leases: false, ..places }
    }

    fn newest_moment(&self) -> PastMoment {
        match self {
            Self::Database(database) => database.past().moment,
            Self::Bucket(reader) => reader.newest_moment(),
        }
    }

    fn refresh(&self) -> Result<()> {
        match self {
            Self::Database(database) => database.refresh(),
            Self::Bucket(reader) => reader.refresh().map(drop),
        }
    }
}

impl<'a> View<'a> {
    /// Takes a view at a target that `past` knows, of a table that `record` describes.
    ///
    /// # Errors
    ///
    /// As resolving and planning; what reading the local log or taking the lease fails with.
    pub(crate) fn take(
        door: ViewDoor<'a>,
        past: &Past<'_>,
        record: TableRecord,
        target: Target,
    ) -> Result<Self> {
        let commit = past.resolve(&record, target)?.commit;
        let plan = past.plan_files(&record, commit, &Selection::all())?;
        // From here on no compactor deletes any of it.
        let lease = hold(&plan, past.places)?;
        let tail = Arc::new(collect_tail(&plan, past.places.log)?);
        let moment = ViewMoment { past: past.moment.clone(), pieces: plan.pieces };
        let moment = RwLock::new(Arc::new(moment));
        Ok(Self { _lease: lease, record, commit, tail, moment, door })
    }

    /// The commit whose state it is.
    #[must_use]
    pub fn commit(&self) -> Commit {
        self.commit
    }

    /// What the catalog said of the table when the view was taken.
    #[must_use]
    pub fn record(&self) -> &TableRecord {
        &self.record
    }

    /// The value of a key, `None` if it was absent.
    ///
    /// Where the key's newest event lies is looked for from the newest file to the oldest, in those
    /// row groups only that can hold it, and nowhere once it was found.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Tier`] if the bucket is out of reach, or what is read is damaged.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        for _ in 1..MOMENTS_MAX {
            let moment = self.moment();
            let error = match self.get_at(&moment, key) {
                Err(error) if is_gone(&error) => error,
                answer => return answer,
            };
            if !self.is_renewed(&moment)? {
                return Err(error);
            }
        }
        self.get_at(&self.moment(), key)
    }

    /// The rows of a range of keys.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Tier`] if the bucket is out of reach, or what is read is damaged; each row
    /// may fail with it too.
    pub fn range(&self, keys: &KeyRange) -> Result<ViewRows<'_>> {
        let selection = Selection::ranges([keys.clone()]);
        let started = self.start(&selection);
        let rows = SteadyRows::new(started, move || {
            let moment = self.moment();
            self.is_renewed(&moment)?;
            self.start(&selection)
        });
        rows.map(ViewRows)
    }

    /// The rows whose keys start with `prefix`.
    ///
    /// # Errors
    ///
    /// As [`Self::range`].
    pub fn prefix(&self, prefix: &[u8]) -> Result<ViewRows<'_>> {
        self.range(&KeyRange::prefix(prefix))
    }

    /// All rows.
    ///
    /// # Errors
    ///
    /// As [`Self::range`].
    pub fn scan(&self) -> Result<ViewRows<'_>> {
        self.range(&KeyRange::all())
    }

    /// How many rows there are, which are all read for it.
    ///
    /// # Errors
    ///
    /// As [`Self::range`].
    pub fn len(&self) -> Result<u64> {
        self.scan()?.try_fold(0, |rows, row| row.map(|_| rows + 1))
    }

    /// Whether there is no row.
    ///
    /// # Errors
    ///
    /// As [`Self::range`].
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.scan()?.next().transpose()?.is_none())
    }

    fn moment(&self) -> Arc<ViewMoment> {
        Arc::clone(&self.moment.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the view stands on another moment than `known`, having looked for a newer one.
    ///
    /// The lease that it has also keeps what later manifests list, so it stays the only one.
    fn is_renewed(&self, known: &Arc<ViewMoment>) -> Result<bool> {
        let mut moment = self.moment.write().unwrap_or_else(PoisonError::into_inner);
        // Another read of the view may have met the same file.
        if !Arc::ptr_eq(&moment, known) {
            return Ok(true);
        }
        self.door.refresh()?;
        let newest = self.door.newest_moment();
        if newest.manifest.number <= known.past.manifest.number {
            return Ok(false);
        }
        let past = Past { moment: newest, places: self.door.places() };
        past.resolve(&self.record, Target::Seq(self.commit.seq))?;
        let plan = past.plan_files(&self.record, self.commit, &Selection::all())?;
        let manifest = plan.manifest;
        tracing::info!(manifest, "a file is gone; a view goes on from a newer manifest");
        *moment = Arc::new(ViewMoment { past: past.moment, pieces: plan.pieces });
        Ok(true)
    }

    fn get_at(&self, moment: &ViewMoment, key: &[u8]) -> Result<Option<Bytes>> {
        // Nothing that is sealed is newer.
        if let Some(newest) = self.tail.newest(key) {
            return Ok(newest);
        }
        let after = moment.pieces.partition_point(|piece| piece.keys.from.as_ref() <= key);
        let Some(piece) = after.checked_sub(1).map(|at| &moment.pieces[at]) else {
            return Ok(None);
        };
        assert!(piece.keys.contains(key), "the pieces of a whole table cover every key");
        let sought =
            |floor| EventSought { table: self.record.id, key, floor, target: self.commit.seq };
        // The deltas reach ever further up, so what a later one holds of a key is the newer.
        let deltas = piece.deltas.iter().rev().map(|read| (&read.file, sought(piece.floor)));
        let base = piece.base.iter().map(|read| (&read.file, sought(Seq::ZERO)));
        let reads = deltas.chain(base).filter(|(file, sought)| sought.may_lie_in_file(file));
        let Places { history, network, .. } = self.door.places();
        history.prepare(network, reads.clone().map(|(file, _)| Arc::clone(file)))?;
        for (file, sought) in reads {
            if let Some(newest) = history.newest_event(network, file, sought)? {
                return Ok(newest);
            }
        }
        Ok(None)
    }

    /// Starts to read a selection where the view's moment says.
    fn start(&self, selection: &Selection) -> Result<PlanRows<'_>> {
        let places = self.door.places();
        let past = Past { moment: self.moment().past.clone(), places };
        let plan: RestorePlan = past.plan_at(&self.record, self.commit, selection)?;
        PlanRows::start_on(Cow::Owned(plan), places, Arc::clone(&self.tail))
    }
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (table, commit) = (self.record.id, self.commit);
        f.debug_struct("View").field("table", &table).field("commit", &commit).finish()
    }
}

impl Iterator for ViewRows<'_> {
    type Item = Result<Row>;

    /// The next row, as a copy of its own: a caller may keep few of many.
    fn next(&mut self) -> Option<Self::Item> {
        let own =
            |(key, value): Row| (Bytes::copy_from_slice(&key), Bytes::copy_from_slice(&value));
        Some(self.0.next()?.map(own))
    }
}
