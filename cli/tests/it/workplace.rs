//! Runs the real binary in a directory of its own, with nothing of the caller's environment that
//! could name another database, bucket or key.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Variables whose names start so would reach into the tests.
const FOREIGN: [&str; 3] = ["FOLDBACK_", "AWS_", "GIT_"];

/// An empty directory that the binary is started in.
pub(crate) struct Workplace {
    directory: TempDir,
}

/// What the binary answered.
pub(crate) struct Answer {
    command: String,
    code: Option<i32>,
    out: Vec<u8>,
    pub(crate) err: String,
}

impl Workplace {
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("foldback-it-").tempdir();
        Self { directory: directory.expect("a temporary directory can be made") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Makes a file, and gives its path as an argument.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), content).expect("the file can be written");
        name.to_owned()
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).expect("the file can be read")
    }

    /// Any program, started here.
    pub(crate) fn program(&self, program: impl AsRef<Path>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program.as_ref());
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        for name in names.filter(|name| FOREIGN.iter().any(|start| name.starts_with(start))) {
            command.env_remove(name);
        }
        command.args(arguments).current_dir(self.directory.path()).stdin(Stdio::null());
        command
    }

    /// The binary with these arguments, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.program(env!("CARGO_BIN_EXE_foldback"), arguments)
    }

    /// Runs the binary with these arguments.
    pub(crate) fn foldback(&self, arguments: &[&str]) -> Answer {
        run(&mut self.command(arguments))
    }

    /// Runs the binary on the database in the directory `db`.
    pub(crate) fn db(&self, arguments: &[&str]) -> Answer {
        self.foldback(&[&["--data", "db"], arguments].concat())
    }

    /// A place whose database has a protected table `main` with the history that these lines tell.
    pub(crate) fn with_history(lines: &str) -> Self {
        let place = Self::new();
        let events = place.write("events.jsonl", lines);
        place.db(&["import", "jsonl", &events, "main", "--create", "--protect", "forever"]).done();
        place
    }

    /// A place whose table `main` was protected again when it was empty: the key `old` was put in
    /// its first history, and deleted when nothing was kept.
    pub(crate) fn with_a_history_begun_again() -> Self {
        let place = Self::new();
        place.db(&["table", "create", "main", "--protect", "forever"]).done();
        place.db(&["put", "main", "old", "1"]).done();
        place.db(&["unprotect", "main"]).done();
        place.db(&["delete", "main", "old"]).done();
        place.db(&["protect", "main"]).done();
        place
    }

    /// As [`Self::db`], with results as JSON.
    pub(crate) fn db_json(&self, arguments: &[&str]) -> Answer {
        self.db(&[&["--format", "json"], arguments].concat())
    }

    /// As [`Self::db`], with this on standard input.
    pub(crate) fn db_fed(&self, input: &[u8], arguments: &[&str]) -> Answer {
        let mut command = self.command(&[&["--data", "db"], arguments].concat());
        let mut child = spawn_piped(&mut command);
        let mut stdin = child.stdin.take().expect("it is piped");
        match stdin.write_all(input) {
            // The binary may refuse the command before it reads its input.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            written => written.expect("the binary reads its input"),
        }
        drop(stdin);
        answer(&command, child.wait_with_output().expect("the binary ends"))
    }
}

/// Starts a command with all three streams piped.
pub(crate) fn spawn_piped(command: &mut Command) -> std::process::Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program can be started")
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Answer {
    let output = command.output().expect("the program can be started");
    answer(command, output)
}

/// What a command that was run has answered.
pub(crate) fn answer(command: &Command, output: Output) -> Answer {
    Answer {
        command: format!("{command:?}"),
        code: output.status.code(),
        out: output.stdout,
        err: String::from_utf8(output.stderr).expect("messages are text"),
    }
}

impl Answer {
    /// Fails unless the command ended with 0.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.command, self.err);
        self
    }

    /// Fails unless the command ended with this code.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.command, self.err);
        self
    }

    /// Fails unless the command ended with this code and its message says all of this, and unless
    /// it kept standard output clean.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, says: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.command, self.err);
        for text in says {
            assert!(self.err.contains(text), "{}\nno {text:?} in:\n{}", self.command, self.err);
        }
        assert_eq!(self.text(), "", "{}", self.command);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.out
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).expect("the output is text")
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        self.text().lines().collect()
    }

    /// The one record that was printed.
    #[track_caller]
    pub(crate) fn record(&self) -> Value {
        let records = self.records();
        assert_eq!(records.len(), 1, "{}: {}", self.command, self.text());
        records.into_iter().next().expect("there is one")
    }

    /// What was printed, one object a line.
    #[track_caller]
    pub(crate) fn records(&self) -> Vec<Value> {
        let lines = self.text().lines();
        lines.map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
    }
}

/// Copies a directory with all that is in it.
pub(crate) fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the directory can be made");
    for entry in std::fs::read_dir(from).expect("it can be listed") {
        let entry = entry.expect("it can be listed");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("its type is known").is_dir() {
            true => copy_directory(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("it can be copied")),
        }
    }
}

/// Microseconds since the epoch as an argument.
pub(crate) fn instant_of(micros: i64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}
