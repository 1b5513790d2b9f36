//! The newtypes that position everything else: tables, commits, instants, databases, writers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Identifies a table for ever: drawn from a counter in the catalog and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TableId(pub u64);

impl TableId {
    /// The table that holds names, settings and protection intervals.
    pub const CATALOG: Self = Self(0);
    /// Greatest id: history files store it in a signed column.
    pub const MAX: Self = Self(i64::MAX.unsigned_abs());
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The number of a commit: dense, from 1, one a commit. It orders everything.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first commit: the tip of an empty database.
    pub const ZERO: Self = Self(0);
    /// Greatest seq: history files store it in a signed column.
    pub const MAX: Self = Self(i64::MAX.unsigned_abs());

    /// The seq of the commit after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The seq of the commit before this one; zero has none and stays.
    #[must_use]
    pub const fn prev(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Microseconds since 1970-01-01T00:00:00Z. It describes a commit; [`Seq`] orders it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The earliest instant that can be written.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest instant that can be written.
    pub const MAX: Self = Self(i64::MAX);

    /// This instant moved by `micros`, held at the ends of the range.
    #[must_use]
    pub const fn saturating_add_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

/// Names a database: 128 random bits, drawn once when it is created.
pub type DatabaseId = RandomId<16>;

/// Names one opening of a database by one process: 64 random bits.
pub type WriterId = RandomId<8>;

/// `N` random bytes, written everywhere as lowercase hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RandomId<const N: usize>(pub [u8; N]);

impl<const N: usize> RandomId<N> {
    /// Draws a new id from the operating system's random source.
    ///
    /// # Panics
    ///
    /// When the operating system has no random source.
    #[must_use]
    pub fn random() -> Self {
        let mut id = [0; N];
        getrandom::fill(&mut id).expect("the operating system gives random bytes");
        Self(id)
    }
}

impl<const N: usize> fmt::Display for RandomId<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<const N: usize> fmt::Debug for RandomId<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> FromStr for RandomId<N> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lowercase_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 2 * N || !text.bytes().all(lowercase_hex) {
            return Err(format!("{text:?} is not {} lowercase hex digits", 2 * N));
        }
        let mut id = [0; N];
        for (at, byte) in id.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16)
                .expect("two hex digits make a byte");
        }
        Ok(Self(id))
    }
}

impl<const N: usize> Serialize for RandomId<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for RandomId<N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
