//! Comparing two answers of what a table held: the rows of a plan, and slices of a replay.

use std::fmt;

use bytes::Bytes;
use foldback_log_tier::Seq;
use foldback_log_tier::digest::Digest;

use super::straight::{Newest, Slice};
use crate::Result;
use crate::present::Row;

/// What one of two ways says that a key held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The key was absent.
    Absent,
    /// It held the value with this digest.
    Value {
        /// BLAKE3 of the value.
        digest: Digest,
        /// The commit that put it, where that is known.
        seq: Option<Seq>,
    },
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("no such key"),
            Self::Value { digest, seq: None } => write!(f, "a value with BLAKE3 {digest}"),
            Self::Value { digest, seq: Some(seq) } => {
                write!(f, "the value of #{seq}, with BLAKE3 {digest}")
            }
        }
    }
}

/// The first key of which two ways say different things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The key.
    pub key: Bytes,
    /// What a restore gets.
    pub restored: Answer,
    /// What the replay of all history gets.
    pub replayed: Answer,
}

/// The rows of a plan, of which the next can be looked at before it is taken.
pub(super) struct Planned<I> {
    rows: I,
    next: Option<Row>,
}

impl<I: Iterator<Item = Result<Row>>> Planned<I> {
    pub(super) fn new(rows: I) -> Self {
        Self { rows, next: None }
    }

    /// The next row before `until`, which stays.
    fn peek(&mut self, until: Option<&Bytes>) -> Result<Option<&Row>> {
        if self.next.is_none() {
            self.next = self.rows.next().transpose()?;
        }
        Ok(self.next.as_ref().filter(|(key, _)| until.is_none_or(|until| key < until)))
    }
}

/// Compares the rows of a plan with the slice that they have come to; the first difference, if
/// there is one.
pub(super) fn compare<I: Iterator<Item = Result<Row>>>(
    planned: &mut Planned<I>,
    slice: &Slice,
) -> Result<Option<Difference>> {
    for (key, newest) in &slice.rows {
        let replayed = replayed(newest);
        let (first, restored) = match planned.peek(slice.until.as_ref())? {
            Some((first, value)) if first <= key => (first.clone(), restored(value)),
            _ => (key.clone(), Answer::Absent),
        };
        let replayed = if first == *key { replayed } else { Answer::Absent };
        if !says_the_same(restored, replayed) {
            return Ok(Some(Difference { key: first, restored, replayed }));
        }
        planned.next = None;
    }
    let left = planned.peek(slice.until.as_ref())?;
    Ok(left.map(|(key, value)| Difference {
        key: key.clone(),
        restored: restored(value),
        replayed: Answer::Absent,
    }))
}

fn restored(value: &Bytes) -> Answer {
    Answer::Value { digest: Digest::of(value), seq: None }
}

fn replayed(newest: &Newest) -> Answer {
    let seq = Some(newest.seq);
    newest.value.map_or(Answer::Absent, |digest| Answer::Value { digest, seq })
}

fn says_the_same(restored: Answer, replayed: Answer) -> bool {
    match (restored, replayed) {
        (Answer::Value { digest: one, .. }, Answer::Value { digest: other, .. }) => one == other,
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests;
