//! The rule that libraries reach files, time and randomness only where a test can stand in.

use super::finding::Finding;
use super::source::SourceFile;
use super::workspace::Workspace;

/// What only certain files may call, and what the others call instead.
struct Seam {
    call: &'static str,
    allowed_in: &'static [&'static str],
    instead: &'static str,
}

const SEAMS: [Seam; 5] = [
    Seam {
        call: "std::fs::",
        // A bucket on disk is behind the seam of object stores. The trees of the present do their
        // own file calls, and so do the files that remove what is left of a tree.
        allowed_in: &[
            "log-tier/src/fs/os.rs",
            "log-tier/src/remote/durable_files.rs",
            "engine/src/present.rs",
            "engine/src/present/tree.rs",
        ],
        instead: "go through the `Fs` seam",
    },
    Seam { call: "tokio::fs::", allowed_in: &[], instead: "local disk work is synchronous: `Fs`" },
    Seam {
        call: "getrandom::",
        allowed_in: &["log-tier/src/ids.rs"],
        instead: "take what is random as an argument, or make it in log-tier/src/ids.rs",
    },
    // The clocks of the standard library are known to clippy; jiff has these.
    Seam {
        call: "jiff::Timestamp::now",
        allowed_in: &["engine/src/clock.rs"],
        instead: "go through the `Clock` seam",
    },
    Seam { call: "Zoned::now", allowed_in: &[], instead: "go through the `Clock` seam" },
];

/// Reports calls that go past a seam.
pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    if !file.is_library_code() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (number, line) in file.numbered_lines() {
        let used = SEAMS.iter().filter(|seam| line.code.contains(seam.call));
        let past = used.filter(|seam| !seam.allowed_in.contains(&file.path.as_str()));
        findings.extend(past.map(|seam| {
            let advice = format!("`{}` is not for this file: {}", seam.call, seam.instead);
            Finding::new(&file.path, number, advice)
        }));
    }
    findings
}

/// Reports files that are allowed past a seam and are not there any more.
pub(crate) fn check_allowed(workspace: &Workspace) -> Vec<Finding> {
    let allowed = SEAMS.iter().flat_map(|seam| seam.allowed_in);
    let gone = allowed.filter(|path| workspace.find(path).is_none());
    gone.map(|path| Finding::new(path, 1, "it is gone: take it out of tidy/seam_rules.rs"))
        .collect()
}
