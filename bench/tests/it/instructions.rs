//! The instruction gate as a program, with valgrind and without.

use std::path::Path;
use std::process::{Command, Output};

use foldback_bench::hot_paths::{HotPath, run_hot_work};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_foldback-bench"))
}

fn text(output: &Output) -> String {
    let parts = [&output.stdout, &output.stderr];
    parts.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

#[test]
fn every_hot_path_can_be_run_again_and_again() {
    for path in HotPath::ALL {
        let directory = tempfile::tempdir().expect("a temporary directory");
        path.prepare(directory.path()).expect("the engine works");
        let mut work = path.open(directory.path()).expect("the engine works");
        let about = [(); 2].map(|()| run_hot_work(&mut work).expect("the engine works"));
        assert!(about[0] > 0 && about[0] == about[1], "{path:?}: {about:?}");
        assert_eq!(HotPath::of_name(path.name()), Some(path));
    }
}

#[test]
fn without_valgrind_nothing_is_counted_and_that_is_said() {
    let output = program().arg("instructions").env("PATH", "/nowhere").output();
    let output = output.expect("the program can be started");
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("valgrind is not installed"), "{}", text(&output));
}

/// The comparison fails where it should: this build is held against counts of which one is too low.
#[test]
fn a_build_is_compared_with_itself_and_with_counts() {
    if foldback_bench::valgrind().is_none() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let counts = directory.path().join("counts.json");
    let compare = |option: &str, with: &Path| {
        let mut program = program();
        program.args(["instructions", "frame-encode", option]).arg(with);
        program.arg("--write").arg(&counts).output().expect("the program can be started")
    };
    let output = compare("--against", Path::new(env!("CARGO_BIN_EXE_foldback-bench")));
    assert!(output.status.success(), "{}", text(&output));
    let written = std::fs::read_to_string(&counts).expect("counts were written");
    assert!(written.contains("frame-encode"), "{written}");
    std::fs::write(&counts, "{\"frame-encode\": 1000}").expect("a file");
    let output = compare("--baseline", &counts);
    assert!(!output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("frame-encode takes over 3 % more"), "{}", text(&output));
}
