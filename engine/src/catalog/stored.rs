//! How table 0 stores a record of the catalog: under its kind and its number, as JSON.

use bytes::Bytes;
use foldback_log_tier::{Change, Error as TierError, Event, TableId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Result;

/// A record that table 0 stores.
pub(super) trait Stored: Serialize + DeserializeOwned {
    /// What its keys begin with, and what it is.
    const KIND: &'static str;

    /// What no other record of its kind ever has.
    fn number(&self) -> u64;

    /// The event that writes it.
    fn to_event(&self) -> Event {
        let json = serde_json::to_vec(self).expect("a record always serialises");
        event::<Self>(self.number(), Change::Put(json.into()))
    }

    /// The record that was written under this key.
    fn from_event(key: &[u8], value: &[u8]) -> Result<Self> {
        let record: Self =
            serde_json::from_slice(value).map_err(|error| corrupt(key, &error.to_string()))?;
        match key_of::<Self>(record.number()) == key {
            true => Ok(record),
            false => Err(corrupt(key, &format!("it is the record of another {}", Self::KIND))),
        }
    }
}

/// Whether a key is one of this kind of record.
pub(super) fn is_of<T: Stored>(key: &[u8]) -> bool {
    key.strip_prefix(T::KIND.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"))
}

/// The event that takes the record with this number off.
pub(super) fn removal<T: Stored>(number: u64) -> Event {
    event::<T>(number, Change::Delete)
}

/// The number of the record under this key.
pub(super) fn number_of_key<T: Stored>(key: &[u8]) -> Result<u64> {
    let digits = key.get(T::KIND.len() + 1..).and_then(|digits| std::str::from_utf8(digits).ok());
    let number = digits.and_then(|digits| digits.parse().ok());
    let named = number.filter(|number| key_of::<T>(*number) == key);
    named.ok_or_else(|| corrupt(key, &format!("its key names no {}", T::KIND)))
}

/// A record of the catalog that does not say what it must.
pub(super) fn corrupt(key: &[u8], reason: &str) -> crate::Error {
    let file = format!("the catalog's record {:?}", String::from_utf8_lossy(key));
    TierError::corrupt(file, 0, reason).into()
}

fn event<T: Stored>(number: u64, change: Change) -> Event {
    Event { table: TableId::CATALOG, key: key_of::<T>(number), change }
}

fn key_of<T: Stored>(number: u64) -> Bytes {
    format!("{}/{number:020}", T::KIND).into()
}
