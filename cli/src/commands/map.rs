//! `map`: the picture that an operator looks at to trust the machine.

use std::path::Path;

use super::HistorySession;
use crate::error::{Error, Result};
use crate::map::{MapInputs, sketch, svg};

/// Width of the sketch where the output is no terminal.
const WIDTH: usize = 100;

pub(super) fn run(session: &mut HistorySession, table: &str, page: Option<&Path>) -> Result<()> {
    let record = session.door.record(table)?;
    let windows = match record.protection.is_empty() {
        true => Vec::new(),
        false => session.door.windows(table)?,
    };
    let (segments, manifest) = (session.door.segments(), session.door.manifest());
    let inputs = MapInputs {
        name: &record.name,
        table: record.id,
        manifest: &manifest,
        segments: &segments,
        windows: &windows,
    };
    if let Some(page) = page {
        std::fs::write(page, svg(&inputs)).map_err(Error::path("write", page))?;
        return session.screen.note(&format!("the map is in {}", page.display()));
    }
    let width = crate::output::terminal_width().map_or(WIDTH, usize::from);
    session.screen.note(sketch(&inputs, width).trim_end())
}
