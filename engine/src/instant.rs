//! Instants and windows as people read them.

use foldback_log_tier::Timestamp;

use crate::Window;

/// An instant as RFC 3339 in UTC with microseconds.
#[must_use]
pub fn show(instant: Timestamp) -> String {
    match jiff::Timestamp::from_microsecond(instant.0) {
        Ok(time) => format!("{time:.6}"),
        Err(_) => format!("{} µs since 1970", instant.0),
    }
}

/// The restorable windows of a table in one sentence.
pub(crate) fn windows(windows: &[Window]) -> String {
    if windows.is_empty() {
        return "it has no restorable instants yet".to_owned();
    }
    let each = windows.iter().map(|window| {
        let (first, last) = (show(window.earliest), show(window.latest));
        format!("{first} to {last} (commits #{} to #{})", window.first, window.last)
    });
    format!("its restorable instants are {}", each.collect::<Vec<_>>().join(", and "))
}
