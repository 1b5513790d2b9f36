//! The bytes with which all keys of the sources of a merge begin.

use foldback_log_tier::manifest::HistoryEntry;

/// What all of some keys begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SharedStart {
    /// There are no keys.
    NoKeys,
    /// They all begin with these bytes, and may share more.
    Of(Vec<u8>),
}

impl SharedStart {
    /// What the keys from one to another begin with: all between begin alike.
    pub(crate) fn between(first: &[u8], last: &[u8]) -> Self {
        Self::Of(first[..shared_bytes(first, last)].to_vec())
    }

    /// What the keys of some row groups of a file begin with.
    pub(crate) fn of_file(file: &HistoryEntry, row_groups: &[u32]) -> Self {
        let is_read = |table: &&foldback_log_tier::manifest::TableEntry| {
            let of_table = table.row_group_first..=table.row_group_last;
            row_groups.iter().any(|group| of_table.contains(group))
        };
        let tables = file.tables.iter().filter(is_read);
        tables
            .map(|table| Self::between(&table.key_min, &table.key_max))
            .fold(Self::NoKeys, Self::join)
    }

    /// What all keys of both begin with.
    pub(crate) fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::NoKeys, one) | (one, Self::NoKeys) => one,
            (Self::Of(one), Self::Of(other)) => Self::between(&one, &other),
        }
    }

    /// How many bytes that is.
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::NoKeys => 0,
            Self::Of(start) => start.len(),
        }
    }
}

/// How many bytes two keys begin with alike.
pub(crate) fn shared_bytes(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}
