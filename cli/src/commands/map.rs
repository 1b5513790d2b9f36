//! `map`: the picture that an operator looks at to trust the machine.

use std::path::Path;

use super::Session;
use crate::error::{Error, Result};
use crate::map::{MapInputs, sketch, svg};

/// Width of the sketch where the output is no terminal.
const WIDTH: usize = 100;

pub(super) fn run(session: &mut Session, table: &str, page: Option<&Path>) -> Result<()> {
    let record = session.database.table(table)?.record()?;
    let windows = match record.protection.is_empty() {
        true => Vec::new(),
        false => session.database.windows(table)?,
    };
    let (segments, manifest) = (session.database.segments(), session.database.manifest());
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
