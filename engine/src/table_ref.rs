//! Which table is meant: by its name and an instant, or by its id, whether it lives or not.
//!
//! A name can be another table's after a drop, an id never. So a name means, with an instant, the
//! table that had it then, and without one the table that has it now.

use std::fmt;

use foldback_log_tier::TableId;

use crate::catalog::Catalog;
use crate::past::Past;
use crate::{Error, Result, TableRecord, Target, Window, instant};

/// How a table is named by whoever asks for its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableRef {
    /// The table that has this name, or had it at the instant that is asked for.
    Name(String),
    /// The table with this id, live or dropped.
    Id(TableId),
}

impl From<&str> for TableRef {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<&String> for TableRef {
    fn from(name: &String) -> Self {
        Self::Name(name.clone())
    }
}

impl From<String> for TableRef {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl From<TableId> for TableRef {
    fn from(id: TableId) -> Self {
        Self::Id(id)
    }
}

impl From<&TableRef> for TableRef {
    fn from(table: &TableRef) -> Self {
        table.clone()
    }
}

impl fmt::Display for TableRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Id(id) => write!(f, "with id {id}"),
        }
    }
}

/// A table that may have been meant by a name, and what of it can be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableChoice {
    /// What the catalog says of it.
    pub record: TableRecord,
    /// Its restorable windows.
    pub windows: Vec<Window>,
}

impl fmt::Display for TableChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { record, windows } = self;
        let created = instant::show(record.created.timestamp);
        write!(f, "id {} {:?}, created {created}", record.id, record.name)?;
        match record.dropped {
            Some(dropped) => write!(f, ", dropped {}", instant::show(dropped.timestamp))?,
            None => f.write_str(", live")?,
        }
        write!(f, ": {}", instant::windows(windows))
    }
}

/// The table that is meant, which has a history.
pub(crate) fn choose<'c>(
    past: &Past<'_>,
    catalog: &'c Catalog,
    table: &TableRef,
    target: Option<Target>,
) -> Result<&'c TableRecord> {
    let record = choose_any(past, catalog, table, target)?;
    match record.protection.is_empty() {
        true => Err(Error::NotProtected { name: record.name.clone() }),
        false => Ok(record),
    }
}

/// The table that is meant, whether it was ever protected or not.
pub(crate) fn choose_any<'c>(
    past: &Past<'_>,
    catalog: &'c Catalog,
    table: &TableRef,
    target: Option<Target>,
) -> Result<&'c TableRecord> {
    let name = match table {
        TableRef::Id(id) => return catalog.by_id(*id),
        TableRef::Name(name) => name,
    };
    let of_name = catalog.all().filter(|record| record.name == *name);
    let choices: Vec<_> = of_name
        .filter(|record| record.dropped.is_none() || !past.kept(record).is_empty())
        .map(|record| TableChoice { record: record.clone(), windows: past.windows(record) })
        .collect();
    // What was dropped and has nothing left is as if it had never been.
    if choices.iter().all(|choice| choice.record.dropped.is_none()) {
        return catalog.by_name(name);
    }
    let target = target.unwrap_or(Target::Latest);
    let mut alive = choices.iter().filter(|choice| is_alive_at(&choice.record, target));
    match alive.next() {
        Some(choice) => catalog.by_id(choice.record.id),
        None => Err(Error::WhichTable { name: name.clone(), asked: target.to_string(), choices }),
    }
}

/// Every table that was dropped: those that can still be restored first, and the last one dropped
/// before the others.
pub(crate) fn dropped(past: &Past<'_>, catalog: &Catalog) -> Vec<TableRecord> {
    let mut dropped: Vec<_> =
        catalog.all().filter(|record| record.dropped.is_some()).cloned().collect();
    let rank =
        |record: &TableRecord| (past.kept(record).is_empty(), std::cmp::Reverse(record.dropped));
    dropped.sort_by_cached_key(rank);
    dropped
}

/// The table to bring back: the one with this id, or the last of this name that was dropped and can
/// be restored.
pub(crate) fn choose_dropped(
    past: &Past<'_>,
    catalog: &Catalog,
    table: &TableRef,
) -> Result<TableRecord> {
    let record = match table {
        TableRef::Id(id) => catalog.by_id(*id)?.clone(),
        TableRef::Name(name) => {
            let dropped = dropped(past, catalog);
            match dropped.into_iter().find(|record| record.name == *name) {
                Some(record) => record,
                None => catalog.by_name(name)?.clone(),
            }
        }
    };
    match record.dropped {
        Some(_) => Ok(record),
        None => Err(Error::Invalid(format!(
            "table {:?}, with id {}, was not dropped, so there is nothing to bring back; `restore` \
             makes a new table of an earlier state",
            record.name, record.id
        ))),
    }
}

/// Whether the commits that a target takes hold the table's creation and not its end.
fn is_alive_at(record: &TableRecord, target: Target) -> bool {
    let is_taken = |commit: foldback_log_tier::Commit| match target {
        Target::Latest => true,
        Target::At(at) => commit.timestamp <= at,
        Target::Before(before) => commit.timestamp < before,
        Target::Seq(seq) => commit.seq <= seq,
    };
    is_taken(record.created) && !record.dropped.is_some_and(is_taken)
}
