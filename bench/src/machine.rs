//! What a run ran on: figures mean nothing without it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// A machine, as its operating system tells of it. What it does not tell is "unknown", or 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's model.
    pub cpu: String,
    /// Processors that this process may use.
    pub cores: u64,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// The kernel's release.
    pub kernel: String,
    /// The kind of the file system that is measured, and its device.
    pub filesystem: String,
    /// The operating system's name.
    pub os: String,
    /// What ran, and which release of it: Foldback, and each peer.
    pub versions: BTreeMap<String, String>,
}

impl Machine {
    /// This machine, with the file system that `directory` is on.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let versions = [("foldback".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
        Self {
            cpu: field("/proc/cpuinfo", "model name", ':').unwrap_or_else(unknown),
            cores: u64::try_from(cores).unwrap_or_default(),
            memory_bytes: field("/proc/meminfo", "MemTotal", ':')
                .and_then(|total| total.strip_suffix("kB")?.trim().parse::<u64>().ok())
                .map_or(0, |kib| kib * 1024),
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| unknown(), |release| release.trim().to_owned()),
            filesystem: filesystem(directory).unwrap_or_else(unknown),
            os: field("/etc/os-release", "PRETTY_NAME", '=')
                .map_or_else(|| std::env::consts::OS.to_owned(), |name| name.replace('"', "")),
            versions: versions.into(),
        }
    }

    /// All of it in one line.
    pub(crate) fn described(&self) -> String {
        let Self { cpu, cores, kernel, filesystem, os, .. } = self;
        let gibibytes = self.memory_bytes.div_ceil(1 << 30);
        let versions = self.versions.iter().map(|(of, version)| format!("{of} {version}"));
        let versions = versions.collect::<Vec<_>>().join(", ");
        let system = format!("{os}, Linux {kernel}, {filesystem}");
        format!("{cores} × {cpu}, {gibibytes} GiB; {system}; {versions}")
    }

    /// Notes the release of a peer.
    pub fn note_version(&mut self, of: impl Into<String>, version: impl Into<String>) {
        self.versions.insert(of.into(), version.into());
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// What a file of lines `name: value` says first of a name.
fn field(file: &str, name: &str, separator: char) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(separator)?;
        (found.trim() == name).then(|| value.trim().to_owned())
    })
}

/// The file system whose mount point is the nearest above the directory.
fn filesystem(directory: &Path) -> Option<String> {
    let directory = directory.canonicalize().ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let above = mounts.lines().filter_map(|line| {
        let (place, source) = line.split_once(" - ")?;
        let point = place.split_whitespace().nth(4)?;
        let mut source = source.split_whitespace();
        let (kind, device) = (source.next()?, source.next()?);
        directory.starts_with(point).then(|| (point.len(), format!("{kind} on {device}")))
    });
    above.max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}
