//! Runs the `git` program, always in the same surroundings, and turns its refusals into errors.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::error::{Error, Result};

/// Most of what git says on failing that is repeated.
const MESSAGE_BYTES_MAX: u64 = 4 * 1024;

/// Variables that would point git at another repository than the one that was named. They are
/// set when this program is started from a git hook.
const REPOSITORY_VARIABLES: [&str; 9] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
];

/// A git process whose output is read as it comes. It is ended when this is dropped.
#[derive(Debug)]
pub(super) struct RunningGit {
    child: Child,
    pub(super) output: BufReader<ChildStdout>,
    /// A file, not a pipe: nobody reads it while git runs, and a full pipe would stop git.
    messages: File,
    repository: PathBuf,
}

/// Runs git to its end in `repository` and gives what it printed.
pub(super) fn run(repository: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let output =
        command(repository, arguments).stdin(Stdio::null()).output().map_err(not_started)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(refused(repository, &output.stderr))
}

/// Starts git in `repository`, to read what it prints.
pub(super) fn start(repository: &Path, arguments: &[&str]) -> Result<RunningGit> {
    start_with(repository, arguments, Stdio::null()).map(|(git, _)| git)
}

/// Starts git in `repository`, to write to it and read what it answers.
pub(super) fn start_dialogue(
    repository: &Path,
    arguments: &[&str],
) -> Result<(RunningGit, ChildStdin)> {
    let (git, input) = start_with(repository, arguments, Stdio::piped())?;
    Ok((git, input.expect("its input is a pipe")))
}

impl RunningGit {
    /// To be called when its output has ended: an error when git failed.
    pub(super) fn finish(&mut self) -> Result<()> {
        let status = self.child.wait().map_err(Error::io("wait for", "git"))?;
        if status.success() { Ok(()) } else { Err(self.refusal()) }
    }

    /// The error that git has told the reason of.
    pub(super) fn refusal(&mut self) -> Error {
        let mut message = Vec::new();
        let read = self.messages.rewind().and_then(|()| {
            self.messages.by_ref().take(MESSAGE_BYTES_MAX).read_to_end(&mut message)
        });
        match read {
            Ok(_) => refused(&self.repository, &message),
            Err(error) => Error::io("read the messages of", "git")(error),
        }
    }
}

impl Drop for RunningGit {
    fn drop(&mut self) {
        // Both fail only when the process has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start_with(
    repository: &Path,
    arguments: &[&str],
    input: Stdio,
) -> Result<(RunningGit, Option<ChildStdin>)> {
    let messages = tempfile::tempfile().map_err(Error::io("create", "a temporary file"))?;
    let for_git = messages.try_clone().map_err(Error::io("share", "a temporary file"))?;
    let mut command = command(repository, arguments);
    let mut child =
        command.stdin(input).stdout(Stdio::piped()).stderr(for_git).spawn().map_err(not_started)?;
    let input = child.stdin.take();
    let output = BufReader::new(child.stdout.take().expect("its output is a pipe"));
    Ok((RunningGit { child, output, messages, repository: repository.to_path_buf() }, input))
}

fn command(repository: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(repository).args(arguments);
    for variable in REPOSITORY_VARIABLES {
        command.env_remove(variable);
    }
    command
        // History is what was committed, not what a replacement says it should have been.
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        // A partial clone must not fetch blobs one by one only to learn their sizes.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C");
    command
}

pub(super) fn not_started(error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::NotFound {
        return Error::Git(
            "the git program is not installed, or not in PATH, and a repository is read through \
             it: install git and try again"
                .to_owned(),
        );
    }
    Error::io("start", "git")(error)
}

fn refused(repository: &Path, message: &[u8]) -> Error {
    let message = String::from_utf8_lossy(message);
    let message = message.trim_end();
    let said = if message.is_empty() { "nothing about why" } else { message };
    Error::Git(format!(
        "cannot read a git repository in {}; git says: {said}",
        repository.display()
    ))
}
