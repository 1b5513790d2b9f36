//! The events of a history, as its file has them and as the table stores them.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use foldback::Timestamp;
use serde::Deserialize;

/// Ends the reference in a value; what follows is the content, if it is known.
const END_OF_REFERENCE: u8 = b'\n';

/// The changes of one commit.
pub(super) struct ChangeSet {
    pub(super) instant: Timestamp,
    pub(super) changes: Vec<Change>,
}

/// A put, or a delete if there is no value.
pub(super) struct Change {
    pub(super) key: String,
    pub(super) value: Option<Vec<u8>>,
}

/// A line of the file; fields that say the same in other words are passed over.
#[derive(Deserialize)]
struct Line {
    i: u64,
    mts: i64,
    op: String,
    k: String,
    v: Option<String>,
    c: Option<String>,
    b: Option<String>,
}

/// The commits of a history in order, each whole.
pub(super) fn change_sets(path: &Path) -> impl Iterator<Item = ChangeSet> {
    let file = File::open(path).expect("the file of events can be opened");
    let decoder = zstd::stream::read::Decoder::new(file).expect("it is zstd");
    let mut lines = BufReader::new(decoder)
        .lines()
        .map(|line| {
            let line = line.expect("the file is sound");
            serde_json::from_str::<Line>(&line).expect("each line is an event")
        })
        .peekable();
    std::iter::from_fn(move || {
        let first = lines.next()?;
        let (batch, instant) = (first.i, Timestamp(first.mts));
        let mut changes = vec![first.into_change()];
        while let Some(line) = lines.next_if(|line| line.i == batch) {
            changes.push(line.into_change());
        }
        Some(ChangeSet { instant, changes })
    })
}

impl Line {
    fn into_change(self) -> Change {
        let value = match self.op.as_str() {
            "delete" => None,
            "put" => Some(self.value()),
            other => panic!("{other:?} is neither a put nor a delete"),
        };
        Change { key: self.k, value }
    }

    /// The reference, and where the content is known, a line end and the content.
    fn value(&self) -> Vec<u8> {
        let mut value = self.v.clone().expect("a put has a reference").into_bytes();
        let content = match (&self.c, &self.b) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(base64)) => STANDARD.decode(base64).expect("it is base64"),
            (None, None) => return value,
        };
        value.push(END_OF_REFERENCE);
        value.extend(content);
        value
    }
}

/// The reference and the content of a value.
pub(super) fn parts(value: &[u8]) -> (&str, Option<&[u8]>) {
    let mut parts = value.splitn(2, |byte| *byte == END_OF_REFERENCE);
    let reference = parts.next().expect("a split has a first part");
    (std::str::from_utf8(reference).expect("a reference is text"), parts.next())
}
