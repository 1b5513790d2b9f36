//! One value of an output, shown to people or written as JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use foldback::instant::show;
use foldback::{Seq, Timestamp};
use serde::{Serialize, Serializer};

use crate::human::{human_bytes, human_count, human_duration};

/// Characters of a value that a table shows; the command that gets one value shows all of it.
const VALUE_CHARACTERS_MAX: usize = 96;

/// One value of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Nothing to say: `-` in a table, null in JSON.
    Empty,
    /// What has not happened yet: `never` in a table, null in JSON.
    Never,
    /// Words, such as a name.
    Text(String),
    /// True or false: yes or no in a table.
    Flag(bool),
    /// How many.
    Count(u64),
    /// A commit's number.
    Seq(Seq),
    /// A size in bytes.
    Bytes(u64),
    /// A number in hundredths, shown with two decimals.
    Hundredths(u64),
    /// A length of time in microseconds. The names of such fields end in `_micros`.
    Duration(u64),
    /// An instant: RFC 3339 in both forms.
    Instant(Timestamp),
    /// A key, in full.
    Key(Vec<u8>),
    /// A value; a table shows its beginning.
    Value(Vec<u8>),
}

impl Cell {
    /// Text, or nothing.
    pub(crate) fn text(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Empty, |text| Self::Text(text.into()))
    }

    /// The value as a table shows it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Empty => "-".to_owned(),
            Self::Never => "never".to_owned(),
            Self::Text(text) => printable_text(text),
            Self::Flag(true) => "yes".to_owned(),
            Self::Flag(false) => "no".to_owned(),
            Self::Count(count) => human_count(*count),
            Self::Seq(seq) => format!("#{seq}"),
            Self::Bytes(bytes) => human_bytes(*bytes),
            Self::Hundredths(number) => format!("{}.{:02}", number / 100, number % 100),
            Self::Duration(micros) => human_duration(*micros),
            Self::Instant(instant) => show(*instant),
            Self::Key(key) => printable_bytes(key),
            Self::Value(value) => shortened_value(value),
        }
    }

    /// True for what is compared by its digits, and so stands at the right of its column.
    pub(crate) fn is_number(&self) -> bool {
        matches!(
            self,
            Self::Count(_)
                | Self::Seq(_)
                | Self::Bytes(_)
                | Self::Hundredths(_)
                | Self::Duration(_)
        )
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Empty | Self::Never => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Seq(seq) => serializer.serialize_u64(seq.0),
            Self::Count(number) | Self::Bytes(number) | Self::Duration(number) => {
                serializer.serialize_u64(*number)
            }
            Self::Hundredths(number) => serializer.serialize_f64(from_hundredths(*number)),
            Self::Instant(instant) => serializer.serialize_str(&show(*instant)),
            Self::Key(bytes) | Self::Value(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => serializer.serialize_str(text),
                // An object, so that no text can be mistaken for it.
                Err(_) => serializer.collect_map([("base64", STANDARD.encode(bytes))]),
            },
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "it is told to two decimals")]
fn from_hundredths(number: u64) -> f64 {
    number as f64 / 100.0
}

/// Bytes as text that can be told apart and typed back: what is not printable UTF-8 as `\xNN`, a
/// byte each, and a backslash doubled.
pub(crate) fn printable_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                c if is_printable(c) => text.push(c),
                c => push_escaped(&mut text, c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        push_escaped(&mut text, chunk.invalid());
    }
    text
}

/// Words with everything escaped that could move the cursor or turn the text around.
pub(crate) fn printable_text(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_printable(c) {
            shown.push(c);
        } else {
            push_escaped(&mut shown, c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    shown
}

fn shortened_value(value: &[u8]) -> String {
    // Every character comes from at most four bytes, so more bytes than this are never shown.
    let start = &value[..value.len().min(4 * VALUE_CHARACTERS_MAX)];
    let shown = printable_bytes(start);
    match shown.char_indices().nth(VALUE_CHARACTERS_MAX) {
        None if start.len() == value.len() => shown,
        cut => {
            let end = cut.map_or(shown.len(), |(at, _)| at);
            let bytes = human_bytes(u64::try_from(value.len()).unwrap_or(u64::MAX));
            format!("{}… ({bytes})", &shown[..end])
        }
    }
}

/// False for control characters, and for those that turn, hide or break the text around them.
fn is_printable(c: char) -> bool {
    let is_format = matches!(
        u32::from(c),
        0xad | 0x61c | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff
            | 0xfff9..=0xfffb | 0xe0000..=0xe007f
    );
    !c.is_control() && !is_format
}

fn push_escaped(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push_str(&format!("\\x{byte:02x}"));
    }
}
