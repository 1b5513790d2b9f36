//! Bringing the present up to the log's tip after the last process ended, however it ended.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use foldback_compactor::{HistoryReader, Interval, Network, Publisher};
use foldback_log_tier::local_log::LocalLog;
use foldback_log_tier::{Change, KeyRange, Seq, TableId};

use crate::catalog::Catalog;
use crate::identity::DirectoryState;
use crate::past::again_if_gone;
use crate::present::{Present, ReplayedEvents, TableTree};
use crate::reading::Places;
use crate::restore::PlanRows;
use crate::{Error, Result, Selection, TableRecord};

mod trees;

use trees::{Behind, replay_trees};

/// What replaying came to.
pub(super) struct Replayed {
    pub(super) catalog: Catalog,
    pub(super) commits: u64,
    pub(super) rebuilt_tables: Vec<String>,
    /// Live tables that a recovery could not bring back.
    pub(super) lost_tables: Vec<TableRecord>,
}

/// Opens the trees of all live tables and replays into each the commits that it has not flushed.
///
/// The catalog goes first, on its own: only its final state says which tables there are.
pub(super) fn replay(
    rebuild: &Rebuild<'_>,
    log: &LocalLog,
    state: DirectoryState,
) -> Result<Replayed> {
    let present = rebuild.present;
    let (mut rebuilt_tables, mut lost_tables) = (Vec::new(), Vec::new());
    let mut behind = Vec::new();

    let (tree, rebuilt) = rebuild.open_or_rebuild_catalog(state)?;
    rebuilt_tables.extend(rebuilt);
    let position = tree.position()?.unwrap_or(Seq::ZERO);
    check_not_ahead(log, "the catalog", position)?;
    let mut catalog = Catalog::default();
    for row in tree.range(&KeyRange::all(), Seq::MAX) {
        let (key, value) = row?;
        catalog.absorb(&key, &Change::Put(value))?;
    }
    let mut commits = replay_catalog(&tree, log, position, &mut catalog)?;
    present.serve(tree);

    let live: Vec<_> = catalog.live().cloned().collect();
    for directory in present.directories()? {
        if directory != TableId::CATALOG && !catalog.is_live(directory) {
            present.remove_directory(directory)?;
        }
    }
    for record in &live {
        if state == DirectoryState::Recovering && !rebuild.is_in_history(record) {
            lost_tables.push(record.clone());
            continue;
        }
        let (tree, rebuilt) = rebuild.open_or_rebuild(record)?;
        rebuilt_tables.extend(rebuilt);
        let position = tree.position()?.unwrap_or(Seq::ZERO).max(record.created.seq);
        check_not_ahead(log, &record.name, position)?;
        behind.push(Behind { tree: Arc::clone(&tree), position });
        present.serve(tree);
    }

    commits += replay_trees(log, behind, rebuild.memtable_bytes_max)?;
    present.publish(log.tip().seq);
    Ok(Replayed { catalog, commits, rebuilt_tables, lost_tables })
}

/// Applies to the catalog and to its tree what came after `position`; returns how many commits.
fn replay_catalog(
    tree: &TableTree,
    log: &LocalLog,
    position: Seq,
    catalog: &mut Catalog,
) -> Result<u64> {
    let (mut commits, mut last, mut events) = (0, position, ReplayedEvents::default());
    let reader = log.reader();
    for info in log.segments().iter().filter(|info| info.last > position) {
        reader.visit_segment(info, |commit, event| -> Result<()> {
            if event.table != TableId::CATALOG || commit.seq <= position {
                return Ok(());
            }
            commits += u64::from(last < commit.seq);
            last = commit.seq;
            let put = |value| Change::Put(Bytes::copy_from_slice(value));
            catalog.absorb(event.key, &event.value.map_or(Change::Delete, put))?;
            events.push(commit.seq, event);
            Ok(())
        })?;
    }
    events.sort();
    events.apply(tree);
    Ok(commits)
}

/// Refuses a log that ends before what a tree has flushed: commits were lost from its end, and new
/// ones would take their numbers.
fn check_not_ahead(log: &LocalLog, name: &str, position: Seq) -> Result<()> {
    let tip = log.tip().seq;
    match position <= tip {
        true => Ok(()),
        false => Err(Error::Lost(format!(
            "the log ends at seq {tip}, but the present of {name} holds commits up to seq \
             {position}: the newest segments are missing; nothing was changed; bring them back, or \
             run `recover` into an empty directory to get back what was sealed"
        ))),
    }
}

/// What it takes to fold a tree again from history.
pub(super) struct Rebuild<'a> {
    pub(super) present: &'a Present,
    /// Knows the newest manifest. Compactors may publish meanwhile; nobody else seals.
    pub(super) publisher: &'a Arc<Publisher>,
    pub(super) history: &'a Arc<HistoryReader>,
    pub(super) network: &'a Network,
    pub(super) memtable_bytes_max: u64,
}

impl Rebuild<'_> {
    /// The catalog's tree, and the catalog's name if it had to be folded again.
    fn open_or_rebuild_catalog(
        &self,
        state: DirectoryState,
    ) -> Result<(Arc<TableTree>, Option<String>)> {
        let opened = self.open(TableId::CATALOG, state == DirectoryState::Creating);
        let history = Some(Catalog::interval_of_catalog(None));
        self.recovered(opened, TableId::CATALOG, "the catalog", history)
    }

    /// A live table's tree, and its name if it had to be folded again.
    fn open_or_rebuild(&self, record: &TableRecord) -> Result<(Arc<TableTree>, Option<String>)> {
        let sealed = self.publisher.sealed().seq;
        let interval = record.open_protection();
        let history = interval.map(|interval| interval.kept(record.id));
        // A table younger than what is sealed has all its commits in the log.
        let fresh = record.created.seq > sealed && record.lineage.is_none();
        let opened = self.open(record.id, fresh);
        self.recovered(opened, record.id, &record.name, history)
    }

    /// Whether the bucket holds a state of the table to start from.
    fn is_in_history(&self, record: &TableRecord) -> bool {
        let manifest = self.publisher.newest();
        record.open_protection().is_some_and(|interval| {
            let from = interval.kept(record.id).earliest(&manifest);
            from.is_some_and(|from| from.seq <= manifest.sealed.seq)
        })
    }

    fn open(&self, id: TableId, fresh: bool) -> Result<Arc<TableTree>> {
        if !fresh && !self.present.directories()?.contains(&id) {
            return Err(Error::Lost(format!("the present of table {id} is missing")));
        }
        let tree = self.present.open_tree(id)?;
        tree.position()?;
        Ok(tree)
    }

    /// Folds the table again up to what is sealed if its tree does not open; the log holds the
    /// rest.
    fn recovered(
        &self,
        opened: Result<Arc<TableTree>>,
        id: TableId,
        name: &str,
        history: Option<Interval>,
    ) -> Result<(Arc<TableTree>, Option<String>)> {
        let damage = match opened {
            Ok(tree) => return Ok((tree, None)),
            Err(damage @ (Error::Present { .. } | Error::Lost(_) | Error::Tier(_))) => damage,
            Err(other) => return Err(other),
        };
        let Some(interval) = history else {
            return Err(Error::Lost(format!(
                "{damage}; table {name:?} is not protected, so its present is the only copy and \
                 can't be folded again; nothing was changed"
            )));
        };
        tracing::warn!(table = name, %damage, "the present is folded again from history");
        let refresh = || {
            let publisher = Arc::clone(self.publisher);
            self.network.run(async move { publisher.refresh().await.map(drop) })?;
            Ok(())
        };
        let tree = again_if_gone(refresh, || self.fold_again(id, name, &interval))?;
        Ok((tree, Some(name.to_owned())))
    }

    /// Makes a table's tree of what the newest manifest lists.
    fn fold_again(&self, id: TableId, name: &str, interval: &Interval) -> Result<Arc<TableTree>> {
        let manifest = self.publisher.newest();
        let target = manifest.sealed;
        let plan = crate::plan::plan(crate::plan::PlanInputs {
            manifest: &manifest,
            segments: &[],
            table: id,
            table_name: name,
            history_first: interval.first.seq.min(target.seq),
            starts_empty: interval.starts_empty,
            earliest: interval.floor(&manifest).map(|floor| floor.seq),
            target,
            selection: &Selection::all(),
        })?;
        self.present.rebuild_tree(id, |tree| {
            let (history, network) = (self.history, self.network);
            let places = Places { history, network, log: None, leases: true };
            let mut rows = PlanRows::start(Cow::Borrowed(&plan), places)?;
            tree.load(target.seq, &mut rows).map(drop)
        })
    }
}

#[cfg(test)]
mod tests;
