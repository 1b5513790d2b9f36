//! Which keys of a table are meant.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use foldback::{KeyRange, Selection};

use crate::error::{Error, Result};

/// Which keys are meant: all that any of these names, and every key without them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Keys (all of these together; every key without them)")]
pub(crate) struct SelectionArgs {
    /// Keys that start with this; may be given several times.
    #[arg(long)]
    prefix: Vec<String>,
    /// This key; may be given several times.
    #[arg(long)]
    key: Vec<String>,
    /// The keys in this file, one a line; - is standard input.
    #[arg(long, value_name = "FILE")]
    keys_from: Option<PathBuf>,
    /// Keys from this one on.
    #[arg(long, value_name = "KEY")]
    from_key: Option<String>,
    /// Keys before this one.
    #[arg(long, value_name = "KEY")]
    until_key: Option<String>,
}

impl SelectionArgs {
    /// Whether it names any.
    pub(crate) fn is_given(&self) -> bool {
        let lists = !self.prefix.is_empty() || !self.key.is_empty() || self.keys_from.is_some();
        lists || self.from_key.is_some() || self.until_key.is_some()
    }

    /// The keys as the engine takes them; reads the file that lists them.
    pub(crate) fn selection(&self) -> Result<Selection> {
        if !self.is_given() {
            return Ok(Selection::all());
        }
        let mut selection = Selection::prefixes(self.prefix.iter().map(String::as_bytes))
            .or(Selection::keys(self.key.iter().map(String::as_bytes)));
        if self.from_key.is_some() || self.until_key.is_some() {
            selection = selection.or(Selection::ranges([self.range()?]));
        }
        match &self.keys_from {
            None => Ok(selection),
            Some(file) => {
                let keys = read_keys(file)?;
                Ok(selection.or(Selection::keys(keys.iter().map(Vec::as_slice))))
            }
        }
    }

    fn range(&self) -> Result<KeyRange> {
        let range = KeyRange {
            from: self.from_key.clone().unwrap_or_default().into(),
            until: self.until_key.clone().map(Into::into),
        };
        match range.is_empty() {
            false => Ok(range),
            true => Err(Error::usage(
                "no key lies between --from-key and --until-key: the second must be the greater, \
                 and it is not part of the range itself",
            )),
        }
    }
}

fn read_keys(file: &Path) -> Result<Vec<Vec<u8>>> {
    if file.as_os_str() == "-" {
        return keys_of(std::io::stdin().lock(), "standard input");
    }
    let opened = std::fs::File::open(file).map_err(Error::path("open", file))?;
    keys_of(BufReader::new(opened), &file.display().to_string())
}

/// The keys of a list, one a line. What is likely not meant is refused with its line.
fn keys_of(list: impl BufRead, file: &str) -> Result<Vec<Vec<u8>>> {
    let mut keys = Vec::new();
    for (line, number) in list.split(b'\n').zip(1..) {
        let key = line.map_err(Error::io("read", file))?;
        let refused = |reason: &str| {
            let (file, reason) = (file.to_owned(), reason.to_owned());
            Err(Error::Input { file, line: number, reason })
        };
        if key.is_empty() {
            return refused("the line is empty, and a key a line is wanted; nothing was changed");
        }
        if key.ends_with(b"\r") {
            return refused(
                "the line ends with a carriage return, which would be part of the key; write the \
                 list with line feeds alone; nothing was changed",
            );
        }
        keys.push(key);
    }
    match keys.is_empty() {
        false => Ok(keys),
        true => Err(Error::usage(format!("{file} lists no keys; nothing was changed"))),
    }
}

#[cfg(test)]
mod tests;
