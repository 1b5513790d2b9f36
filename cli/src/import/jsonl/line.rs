//! One line of JSON Lines as one event, by the names that its fields were given.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::member::compact_member;
use super::time::{decimal_micros, integer_micros, text_micros};
use super::{JsonlOptions, TimeUnit};
use crate::error::{Error, Result};

/// Padding may be left out: it says nothing that the length does not say.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EventLine {
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) timestamp_micros: i64,
    /// The batch number, where a field for it was named.
    pub(super) number: Option<i128>,
}

/// Reads lines by the names that the fields were given.
#[derive(Debug)]
pub(super) struct LineParser {
    /// The fields' names, by role; a role without a field has an empty slot.
    names: [Option<String>; ROLES],
    time_unit: TimeUnit,
    base64: bool,
}

const ROLES: usize = 5;
const KEY: usize = 0;
const VALUE: usize = 1;
const TIME: usize = 2;
const OP: usize = 3;
const BATCH: usize = 4;

/// The option that names the field of each role.
const OPTIONS: [&str; ROLES] = ["--key", "--value", "--time", "--op", "--batch"];

/// A JSON value, as far as an event needs it.
#[derive(Debug)]
enum Token<'a> {
    Null,
    Text(Cow<'a, str>),
    Integer(i128),
    /// A number with a fraction, a boolean, an array or an object: its text is looked up in the
    /// line when it is needed, which is seldom.
    Other,
}

/// The values of a line's mapped fields, by role.
type Tokens<'a> = [Option<Token<'a>>; ROLES];

impl LineParser {
    /// A parser for these options, refused when one field is named for two roles.
    pub(super) fn new(options: &JsonlOptions) -> Result<Self> {
        let names = [
            Some(options.key_field.clone()),
            Some(options.value_field.clone()),
            Some(options.time_field.clone()),
            options.op_field.clone(),
            options.batch_field.clone(),
        ];
        for (role, name) in names.iter().enumerate().filter(|(_, name)| name.is_some()) {
            if let Some(other) = names[..role].iter().position(|before| before == name) {
                return Err(Error::usage(format!(
                    "{} and {} both name the field {:?}; every field has one meaning",
                    OPTIONS[other],
                    OPTIONS[role],
                    name.as_deref().unwrap_or_default()
                )));
            }
        }
        Ok(Self { names, time_unit: options.time_unit, base64: options.base64 })
    }

    /// The event of one line, or what is wrong with it.
    pub(super) fn parse(&self, bytes: &[u8]) -> Result<EventLine, String> {
        let line = std::str::from_utf8(bytes).map_err(|error| {
            format!("byte {} of the line is not UTF-8, as JSON must be", error.valid_up_to() + 1)
        })?;
        let mut tokens = self.tokens(line)?;
        let key = match self.take(&mut tokens, KEY)? {
            Token::Text(text) => self.bytes_of(text, KEY)?,
            _ => return Err(format!("{} must be a string", self.shown(KEY))),
        };
        let timestamp_micros = match self.take(&mut tokens, TIME)? {
            Token::Text(text) => text_micros(&text),
            Token::Integer(number) => integer_micros(number, self.time_unit),
            Token::Other => decimal_micros(&self.raw(line, TIME), self.time_unit),
            Token::Null => Err("it is null".to_owned()),
        }
        .map_err(|reason| format!("{} is no time: {reason}", self.shown(TIME)))?;
        let number = match self.names[BATCH] {
            None => None,
            Some(_) => match self.take(&mut tokens, BATCH)? {
                Token::Integer(number) => Some(number),
                _ => return Err(format!("{} must be a whole number", self.shown(BATCH))),
            },
        };
        let value = self.value(line, &mut tokens)?;
        Ok(EventLine { key, value, timestamp_micros, number })
    }

    fn tokens<'a>(&self, line: &'a str) -> Result<Tokens<'a>, String> {
        let mut json = serde_json::Deserializer::from_str(line);
        let read = json.deserialize_map(LineVisitor(&self.names));
        read.and_then(|tokens| json.end().map(|()| tokens)).map_err(|error| {
            // The parser counts lines too, but only ever sees this one.
            let text = error.to_string();
            let place = format!(" at line {} column {}", error.line(), error.column());
            format!(
                "it is not one JSON object, from column {} on: {}",
                error.column(),
                text.strip_suffix(&place).unwrap_or(&text)
            )
        })
    }

    /// The value put, or `None` for a delete.
    fn value(&self, line: &str, tokens: &mut Tokens<'_>) -> Result<Option<Vec<u8>>, String> {
        if self.names[OP].is_some() {
            match self.take(tokens, OP)? {
                Token::Text(text) if text == "delete" => return Ok(None),
                Token::Text(text) if text == "put" => {}
                Token::Text(text) => {
                    return Err(format!("{} is {text:?}; it is put or delete", self.shown(OP)));
                }
                _ => return Err(format!("{} must be \"put\" or \"delete\"", self.shown(OP))),
            }
        }
        match self.take(tokens, VALUE)? {
            Token::Null if self.names[OP].is_some() => {
                Err(format!("{} is null, and a put has a value", self.shown(VALUE)))
            }
            Token::Null => Ok(None),
            Token::Text(text) => self.bytes_of(text, VALUE).map(Some),
            Token::Integer(_) | Token::Other if self.base64 => {
                Err(format!("{} must be a string: --base64 was given", self.shown(VALUE)))
            }
            Token::Integer(number) => Ok(Some(number.to_string().into_bytes())),
            Token::Other => Ok(Some(self.raw(line, VALUE).into_bytes())),
        }
    }

    fn take<'a>(&self, tokens: &mut Tokens<'a>, role: usize) -> Result<Token<'a>, String> {
        tokens[role].take().ok_or_else(|| {
            format!("{} is missing; name the right field with {}", self.shown(role), OPTIONS[role])
        })
    }

    fn bytes_of(&self, text: Cow<'_, str>, role: usize) -> Result<Vec<u8>, String> {
        if !self.base64 {
            return Ok(text.into_owned().into_bytes());
        }
        BASE64.decode(text.as_bytes()).map_err(|error| {
            format!("{} is not base64 ({error}); is --base64 meant?", self.shown(role))
        })
    }

    fn raw(&self, line: &str, role: usize) -> String {
        let name = self.names[role].as_deref().expect("the role has a token, so it has a field");
        compact_member(line, name).expect("the line was parsed and has the member")
    }

    fn shown(&self, role: usize) -> String {
        format!("field {:?}", self.names[role].as_deref().unwrap_or_default())
    }
}

/// Takes the mapped fields of an object and passes over the others.
struct LineVisitor<'n>(&'n [Option<String>; ROLES]);

impl<'de> Visitor<'de> for LineVisitor<'_> {
    type Value = Tokens<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object with one event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut tokens = Tokens::default();
        while let Some(role) = members.next_key_seed(RoleSeed(self.0))? {
            let Some(role) = role else {
                members.next_value::<IgnoredAny>()?;
                continue;
            };
            let token = members.next_value_seed(TokenSeed)?;
            if tokens[role].replace(token).is_some() {
                let name = self.0[role].as_deref().unwrap_or_default();
                return Err(serde::de::Error::custom(format!("field {name:?} is there twice")));
            }
        }
        Ok(tokens)
    }
}

/// Tells the role of a field from its name.
struct RoleSeed<'n>(&'n [Option<String>; ROLES]);

impl<'de> DeserializeSeed<'de> for RoleSeed<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for RoleSeed<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|known| known.as_deref() == Some(name)))
    }
}

/// Reads a value as a token; strings are borrowed from the line where they hold no escapes.
struct TokenSeed;

impl<'de> DeserializeSeed<'de> for TokenSeed {
    type Value = Token<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TokenSeed {
    type Value = Token<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Token::Null)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Token::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Token::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Token::Integer(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Token::Integer(number.into()))
    }

    fn visit_f64<E>(self, _number: f64) -> Result<Self::Value, E> {
        Ok(Token::Other)
    }

    fn visit_bool<E>(self, _truth: bool) -> Result<Self::Value, E> {
        Ok(Token::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Token::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Token::Other)
    }
}
