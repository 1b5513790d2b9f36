//! What a footer says of the file as a whole, in Parquet's key-value metadata: format version,
//! identity, and where the two sections lie that Parquet does not know.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::str::FromStr;

use bytes::Bytes;
use parquet::file::metadata::KeyValue;

use crate::history::schema::FORMAT_VERSION;
use crate::history::{FileKind, HistoryIdentity};
use crate::manifest::Scope;
use crate::{Commit, Error, KeyRange, Result, Seq, TableId, Timestamp};

const KEY_FORMAT_VERSION: &str = "foldback.format_version";
const KEY_DATABASE: &str = "foldback.database";
const KEY_KIND: &str = "foldback.kind";
const KEY_FIRST_SEQ: &str = "foldback.first_seq";
const KEY_FIRST_TIMESTAMP: &str = "foldback.first_timestamp";
const KEY_LAST_SEQ: &str = "foldback.last_seq";
const KEY_LAST_TIMESTAMP: &str = "foldback.last_timestamp";
const KEY_SCOPE_TABLE: &str = "foldback.scope_table";
const KEY_SCOPE_FROM: &str = "foldback.scope_from";
const KEY_SCOPE_UNTIL: &str = "foldback.scope_until";
const KEY_COMMIT_INDEX: &str = "foldback.commit_index";
const KEY_PAGE_CHECKSUMS: &str = "foldback.page_checksums";

/// A run of bytes of the file that Parquet does not know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    /// Where it begins.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
    /// The CRC32C of all of it.
    pub crc32c: u32,
}

impl Section {
    /// Where it lies. Its end has been checked when it was decoded.
    pub(crate) fn range(&self) -> Range<u64> {
        self.offset..self.offset + self.bytes
    }
}

/// Everything of ours in a footer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FooterFacts {
    /// The rectangle the file covers, and whose it is.
    pub identity: HistoryIdentity,
    /// Where the commit index lies; only a delta has one.
    pub commit_index: Option<Section>,
    /// Where the page checksums lie.
    pub page_checksums: Section,
}

impl FooterFacts {
    /// As key-value metadata.
    pub(crate) fn to_key_values(&self) -> Vec<KeyValue> {
        let HistoryIdentity { database, kind, first, last, scope } = &self.identity;
        let mut pairs = vec![
            (KEY_FORMAT_VERSION, FORMAT_VERSION.to_string()),
            (KEY_DATABASE, database.to_string()),
            (KEY_KIND, kind.to_string()),
            (KEY_FIRST_SEQ, first.seq.to_string()),
            (KEY_FIRST_TIMESTAMP, first.timestamp.0.to_string()),
            (KEY_LAST_SEQ, last.seq.to_string()),
            (KEY_LAST_TIMESTAMP, last.timestamp.0.to_string()),
        ];
        if let Some(Scope { table, keys }) = scope {
            pairs.push((KEY_SCOPE_TABLE, table.to_string()));
            pairs.push((KEY_SCOPE_FROM, to_hex(&keys.from)));
            pairs.extend(keys.until.iter().map(|until| (KEY_SCOPE_UNTIL, to_hex(until))));
        }
        pairs.extend(self.commit_index.iter().map(|at| (KEY_COMMIT_INDEX, section_text(at))));
        pairs.push((KEY_PAGE_CHECKSUMS, section_text(&self.page_checksums)));
        pairs.into_iter().map(|(key, value)| KeyValue::new(key.to_string(), value)).collect()
    }

    /// From the key-value metadata of a footer that lies at byte `offset` of object `file`.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] when a newer release wrote it; [`Error::Corrupt`] when something is
    /// absent or unreadable.
    pub(crate) fn from_key_values(
        file: &str,
        offset: u64,
        key_values: Option<&Vec<KeyValue>>,
    ) -> Result<Self> {
        let corrupt = |reason: String| Error::corrupt(file, offset, reason);
        let pairs = Pairs::collect(key_values).map_err(corrupt)?;
        let version: u32 = pairs.parse(KEY_FORMAT_VERSION).map_err(corrupt)?;
        if version > FORMAT_VERSION {
            return Err(Error::Unsupported(format!(
                "{file} has history format {version}, and this release reads formats up to \
                 {FORMAT_VERSION}: upgrade to the release that wrote it, or a later one"
            )));
        }
        pairs.facts().map_err(corrupt)
    }
}

/// The key-value metadata that is ours.
struct Pairs<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Pairs<'a> {
    /// Those of the pairs that have a value, or the name of one that is there twice.
    fn collect(key_values: Option<&'a Vec<KeyValue>>) -> Result<Self, String> {
        let mut pairs = BTreeMap::new();
        for KeyValue { key, value } in key_values.into_iter().flatten() {
            let Some(value) = value else { continue };
            if pairs.insert(key.as_str(), value.as_str()).is_some() {
                return Err(format!("the footer has {key} twice"));
            }
        }
        Ok(Self(pairs))
    }

    fn facts(&self) -> Result<FooterFacts, String> {
        let kind: FileKind = self.parse(KEY_KIND)?;
        let commit_index = match kind {
            FileKind::Delta => Some(self.section(KEY_COMMIT_INDEX)?),
            FileKind::Base => None,
        };
        let identity = HistoryIdentity {
            database: self.parse(KEY_DATABASE)?,
            kind,
            first: self.commit(KEY_FIRST_SEQ, KEY_FIRST_TIMESTAMP)?,
            last: self.commit(KEY_LAST_SEQ, KEY_LAST_TIMESTAMP)?,
            scope: self.scope()?,
        };
        let page_checksums = self.section(KEY_PAGE_CHECKSUMS)?;
        Ok(FooterFacts { identity, commit_index, page_checksums })
    }

    fn commit(&self, seq_key: &str, timestamp_key: &str) -> Result<Commit, String> {
        let seq = Seq(self.parse(seq_key)?);
        Ok(Commit { seq, timestamp: Timestamp(self.parse(timestamp_key)?) })
    }

    fn scope(&self) -> Result<Option<Scope>, String> {
        if !self.0.contains_key(KEY_SCOPE_TABLE) {
            return Ok(None);
        }
        let until = self.0.contains_key(KEY_SCOPE_UNTIL);
        let keys = KeyRange {
            from: self.hex(KEY_SCOPE_FROM)?,
            until: until.then(|| self.hex(KEY_SCOPE_UNTIL)).transpose()?,
        };
        Ok(Some(Scope { table: TableId(self.parse(KEY_SCOPE_TABLE)?), keys }))
    }

    fn section(&self, key: &str) -> Result<Section, String> {
        let text = self.text(key)?;
        parse_section(text).ok_or_else(|| format!("the footer's {key} is unreadable: {text:?}"))
    }

    fn hex(&self, key: &str) -> Result<Bytes, String> {
        let text = self.text(key)?;
        from_hex(text).ok_or_else(|| format!("the footer's {key} is not hex: {text:?}"))
    }

    fn parse<T: FromStr>(&self, key: &str) -> Result<T, String> {
        let text = self.text(key)?;
        text.parse().map_err(|_| format!("the footer's {key} is unreadable: {text:?}"))
    }

    fn text(&self, key: &str) -> Result<&'a str, String> {
        self.0.get(key).copied().ok_or_else(|| format!("the footer lacks {key}"))
    }
}

/// Offset, length and checksum, in decimal, with commas between.
fn section_text(section: &Section) -> String {
    format!("{},{},{}", section.offset, section.bytes, section.crc32c)
}

fn parse_section(text: &str) -> Option<Section> {
    let mut fields = text.split(',');
    let section = Section {
        offset: fields.next()?.parse().ok()?,
        bytes: fields.next()?.parse().ok()?,
        crc32c: fields.next()?.parse().ok()?,
    };
    let has_end = section.offset.checked_add(section.bytes).is_some();
    (has_end && fields.next().is_none()).then_some(section)
}

fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes any text");
    }
    text
}

fn from_hex(text: &str) -> Option<Bytes> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(hex_digit(*high)? << 4 | hex_digit(*low)?),
            _ => None,
        })
        .collect()
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}
