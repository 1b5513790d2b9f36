use super::layout_rules::{TESTDATA_BYTES_MAX, check_testdata, check_top_level};
use super::source::SourceFile;
use super::source_rules::{FILE_LINES_MAX, FUNCTION_LINES_MAX};
use super::workspace::{TidyFile, Workspace};
use super::{Finding, dependency_rules, document_rules, module_rules, seam_rules, source_rules};

const HEADER: &str = "//! One idea of the engine.\n";

/// What the rules say of `text` at `path`: one finding that starts with `expected`, or none at all
/// where that is empty.
#[track_caller]
fn check_source(path: &str, text: &str, expected: &str) {
    let source = SourceFile::scan(path, text);
    let findings: Vec<_> =
        source_rules::check(&source).into_iter().chain(seam_rules::check(&source)).collect();
    check_findings(&findings, &[expected].map(|start| format!("{path}:{start}")), text);
}

/// Like `check_source`, for what is below the header of a file of the engine.
#[track_caller]
fn check_code(code: &str, expected: &str) {
    check_source("engine/src/a.rs", &format!("{HEADER}{code}"), expected);
}

#[track_caller]
fn check_findings(findings: &[Finding], expected: &[String], input: &str) {
    let expected: Vec<_> = expected.iter().filter(|start| !start.ends_with(':')).collect();
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    let agree = lines.len() == expected.len()
        && lines.iter().zip(&expected).all(|(line, start)| line.starts_with(start.as_str()));
    assert!(agree, "expected {expected:?}, found {lines:#?} in:\n{input}");
}

#[track_caller]
fn check_workspace(
    rule: fn(&Workspace) -> Vec<Finding>,
    files: &[(&str, &str)],
    expected: &[&str],
) {
    let expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
    check_findings(&rule(&Workspace::of(files)), &expected, &format!("{files:?}"));
}

#[test]
fn a_file_starts_with_a_sentence() {
    check_code("", "");
    check_source("engine/src/a.rs", "//! One idea that\n//! takes two lines.\n//!\n//! more\n", "");
    check_source("engine/src/a.rs", "use std::io;\n", "1: start the file");
    check_source("engine/src/a.rs", "// One idea of the engine.\n", "1: start the file");
    check_source("engine/src/a.rs", "//! Ideas\n", "1: start the file");
    check_source("engine/src/a.rs", "\n//! One idea of the engine.\n", "1: start the file");
    check_source("engine/src/a/tests.rs", "use super::*;\n", "");
}

#[test]
fn a_file_and_a_function_have_their_longest() {
    let fill = |lines| "    work();\n".repeat(lines);
    check_code(&"\n".repeat(FILE_LINES_MAX - 1), "");
    check_code(&"\n".repeat(FILE_LINES_MAX), "501: ");
    check_code(&format!("fn long() {{\n{}}}\n", fill(FUNCTION_LINES_MAX - 2)), "");
    check_code(
        &format!("fn long() {{\n{}}}\n", fill(FUNCTION_LINES_MAX - 1)),
        "2: `long` has 71 lines",
    );
    let in_signature = format!("fn long(bytes: [u8; 4]) -> [u8; 4]\n{{\n{}}}\n", fill(69));
    check_code(&in_signature, "2: `long` has 72 lines");
    let inner = format!("fn outer() {{\n    fn inner() {{\n{}    }}\n}}\n", fill(66));
    check_code(&inner, "");
    // Braces in strings, characters and comments do not end a function.
    for line in [
        "\"}\";",
        "'}';",
        "// }.",
        "/* } */",
        "r#\"}\"}\"#;",
        "\"\\\"}\";",
        "b'\\'';",
        "'\\u{7d}';",
    ] {
        check_code(&format!("fn long() {{\n{line}\n{}}}\n", fill(69)), "2: `long` has 72 lines");
    }
    // A type of functions and a function without a body are neither long nor in the way.
    check_code(
        &format!("type F = fn(u8) -> u8;\ntrait T {{\n{}}}\n", "    fn f(&self);\n".repeat(80)),
        "",
    );
}

#[test]
fn the_scanner_tells_code_from_text() {
    for (text, code, comment) in [
        ("let a = 1; // one", "let a = 1; ", "// one"),
        ("let url = \"http://a\";", "let url = \"\";", ""),
        ("let raw = r\"a\\\";", "let raw = r\"\";", ""),
        ("let raw = br##\"a\"#\"##;", "let raw = br##\"\";", ""),
        ("f('\"', b'\\\\', '\\'')", "f(', b', ')", ""),
        ("fn f<'a>(a: &'a str) {}", "fn f<'a>(a: &'a str) {}", ""),
        ("a /* b /* c */ d */ e", "a  e", "/* b /* c */ d */"),
    ] {
        let source = SourceFile::scan("a.rs", text);
        assert_eq!(source.lines.len(), 1, "{text}");
        assert_eq!(
            (source.lines[0].code.as_str(), source.lines[0].comment.as_str()),
            (code, comment)
        );
    }
    let lines = SourceFile::scan("a.rs", "let a = \"one\\\n    two\n three\";\nb").lines;
    let code: Vec<_> = lines.iter().map(|line| line.code.as_str()).collect();
    assert_eq!(code, ["let a = \"", "", "\";", "b"]);
}

#[test]
fn what_has_no_place_in_the_source_is_found() {
    check_code("#[allow(dead_code)]\nfn f() {}\n", "2: use `#[expect");
    check_code("#![allow(dead_code)]\n", "2: use `#[expect");
    check_code("#[cfg_attr(unix, allow(dead_code))]\nfn f() {}\n", "2: use `#[expect");
    check_code("#[expect(dead_code, reason = \"#[allow(\")]\nfn f() {}\n", "");
    check_code("#[ignore = \"slow\"]\nfn f() {}\n", "2: run the test");
    check_code("#[path = \"b.rs\"]\nmod a;\n", "2: name the file");
    check_code("macro_rules! m { () => {} }\n", "2: write a function");
    check_code("fn f() { println!(); }\n", "2: a library does not print");
    check_source("cli/src/a.rs", &format!("{HEADER}fn f() {{ println!(); }}\n"), "");
    check_source("engine/src/a/mod.rs", HEADER, "1: move foo/mod.rs");
}

#[test]
fn stubs_and_dead_lines_are_found() {
    for mark in ["TODO", "FIXME", "XXX", "HACK"] {
        check_code(&format!("// {mark}: later.\n"), "2: finish it");
    }
    check_code("fn f() { todo!() }\n", "2: finish it");
    check_code("fn f() { unimplemented!() }\n", "2: finish it");
    check_code("// let a = 1;\n", "2: delete code");
    check_code("fn f() {} // if a {\n", "2: delete code");
    check_code("// }\n", "2: delete code");
    check_code("/// let a = 1;\nfn f() {}\n", "");
    check_code("let a = \"// b;\";\n", "");
    check_code(&format!("// {}\n", "word ".repeat(25)), "2: wrap");
    check_code(&format!("// https://{}\n", "word/".repeat(25)), "");
}

#[test]
fn tests_stay_out_of_the_code() {
    check_code("#[cfg(test)]\nmod tests;\n", "");
    check_code("#[cfg(any(unix, feature = \"testing\"))]\npub mod testing;\n", "");
    check_code("#[cfg(test)]\nmod tests {\n}\n", "2: `cfg(test)` may only");
    check_code("#[cfg(test)]\nconst LIMIT: usize = 1;\n", "2: `cfg(test)` may only");
    check_code("#[cfg(not(test))]\nmod real;\n", "2: `cfg(test)` may only");
    check_code("fn f() { if cfg!(test) {} }\n", "2: `cfg(test)` may only");
}

#[test]
fn libraries_go_through_the_seams() {
    let call = format!("{HEADER}fn f() {{ std::fs::remove_file(path) }}\n");
    check_source("engine/src/a.rs", &call, "2: `std::fs::` is not for this file");
    check_source("log-tier/src/fs/os.rs", &call, "");
    check_source("engine/src/a/tests.rs", &call, "");
    check_source("engine/tests/it/a.rs", &call, "");
    check_source("cli/src/a.rs", &call, "");
}

#[test]
fn a_file_that_nothing_names_is_dead() {
    let check = |files: &[(&str, &str)], expected: &[&str]| {
        let manifest = "[[bin]]\nname = \"b\"\npath = \"src/special.rs\"\n";
        let all: Vec<_> = [("a/Cargo.toml", manifest)].iter().chain(files).copied().collect();
        check_workspace(module_rules::check_dead_files, &all, expected);
    };
    check(&[("a/src/lib.rs", "pub mod b;"), ("a/src/b.rs", "mod c;"), ("a/src/b/c.rs", "")], &[]);
    check(
        &[("a/tests/it/main.rs", "mod b;"), ("a/tests/it/b.rs", ""), ("a/benches/x.rs", "")],
        &[],
    );
    check(&[("a/src/special.rs", "mod b;"), ("a/src/b.rs", "")], &[]);
    check(&[("a/src/lib.rs", "// mod b;\n"), ("a/src/b.rs", "")], &["a/src/b.rs:1: no `mod`"]);
    check(&[("a/src/lib.rs", "mod b;"), ("a/src/b/b.rs", "")], &["a/src/b/b.rs:1: no `mod`"]);
    check(&[("a/tests/it/b.rs", "")], &["a/tests/it/b.rs:1: no `mod`"]);
    // Two dead files that name each other are still dead.
    let pair = [("a/src/b.rs", "mod c;"), ("a/src/b/c.rs", "")];
    check(&pair, &["a/src/b.rs:1: no `mod`", "a/src/b/c.rs:1: no `mod`"]);
}

#[test]
fn a_crate_has_one_integration_test() {
    let check = |path: &str, expected: &[&str]| {
        check_workspace(module_rules::check_one_integration_test, &[(path, "")], expected);
    };
    check("engine/tests/it/crash.rs", &[]);
    check("engine/src/a/tests/b.rs", &[]);
    check("engine/tests/crash.rs", &["engine/tests/crash.rs:1: make it a module"]);
    check("engine/tests/crash/main.rs", &["engine/tests/crash/main.rs:1: make it a module"]);
}

#[test]
fn the_top_level_and_the_test_data_have_limits() {
    let known = [("README.md", ""), (".github/a.yml", ""), ("engine/src/lib.rs", ""), ("test", "")];
    check_workspace(check_top_level, &known, &[]);
    check_workspace(check_top_level, &[("notes.md", "")], &["notes.md:1: move it"]);
    check_workspace(check_top_level, &[("tools/a.sh", "")], &["tools:1: move it"]);
    let of_size = |bytes| TidyFile { path: "testdata/a".to_string(), bytes, text: String::new() };
    let check = |bytes| check_testdata(&Workspace { files: vec![of_size(bytes)] }).len();
    assert_eq!((check(TESTDATA_BYTES_MAX), check(TESTDATA_BYTES_MAX + 1)), (0, 1));
}

#[test]
fn dependencies_are_checked_against_their_direction() {
    let check = |folder: &str, dependency: &str, expected: &[&str]| {
        let name = dependency.split('.').next().unwrap_or_default().replace('-', "_");
        let manifest = format!("[dependencies]\n{dependency}\n[lints]\nworkspace = true\n");
        let (path, code) = (format!("{folder}/Cargo.toml"), format!("use {name};"));
        let expected: Vec<_> = expected.iter().map(|start| format!("{path}:{start}")).collect();
        let workspace =
            Workspace::of(&[(&path, &manifest), (&format!("{folder}/src/lib.rs"), &code)]);
        check_findings(&dependency_rules::check(&workspace), &expected, &manifest);
    };
    check("cli", "foldback.workspace = true", &[]);
    check("compactor", "foldback-log-tier.workspace = true", &[]);
    check("log-tier/fuzz", "foldback-log-tier.workspace = true", &[]);
    check("log-tier", "foldback.workspace = true", &["2: dependencies point one way"]);
    check("compactor", "foldback.workspace = true", &["2: dependencies point one way"]);
    check("bench", "foldback-cli.workspace = true", &["2: dependencies point one way"]);
    check("log-tier", "object_store.workspace = true", &[]);
    check("engine", "object_store.workspace = true", &["2: only log-tier"]);
    check("cli", "object_store.workspace = true", &["2: only log-tier"]);
    check("engine", "bytes = \"1\"", &["2: write its version"]);
}

#[test]
fn dependencies_and_lints_are_not_forgotten() {
    let root = "[workspace.dependencies]\nbytes = \"1\"\nurl = \"2\"\n";
    let lints = "[lints]\nworkspace = true\n";
    let engine = format!("[dev-dependencies]\nbytes.workspace = true\n{lints}");
    let check = |manifest: &str, code: &str, expected: &[&str]| {
        let files =
            [("Cargo.toml", root), ("engine/Cargo.toml", manifest), ("engine/src/lib.rs", code)];
        check_workspace(dependency_rules::check, &files, expected);
    };
    check(&engine, "use bytes::Bytes;", &["Cargo.toml:3: no crate uses url"]);
    check(&engine, "// bytes", &["engine/Cargo.toml:2: no code", "Cargo.toml:3: no crate"]);
    let all =
        ["engine/Cargo.toml:1: add `[lints]", "Cargo.toml:2: no crate", "Cargo.toml:3: no crate"];
    check("[package]\n", "", &all);
}

#[test]
fn documents_are_checked_for_dead_paths() {
    let manifest = ("Cargo.toml", "[workspace]\nmembers = [\"engine\"]\n");
    let code = ("engine/src/lib.rs", "");
    let check = |map: &str, expected: &[&str]| {
        let files = [manifest, code, ("ARCHITECTURE.md", map)];
        check_workspace(document_rules::check, &files, expected);
    };
    let sound = "# Glossary\n\n`engine/src/lib.rs`, [lib](engine/src/lib.rs#top), `a/b`, [x](#y)\n";
    check(sound, &[]);
    check(
        &format!("{sound}`engine/src/b.rs`\n"),
        &["ARCHITECTURE.md:4: there is no engine/src/b.rs"],
    );
    check(&format!("{sound}[b](engine/b.md)\n"), &["ARCHITECTURE.md:4: there is no engine/b.md"]);
    check(&format!("{sound}```\n`engine/src/b.rs`\n```\n"), &[]);
    check("# Words\n`engine/`\n", &["ARCHITECTURE.md:1: add a heading"]);
    check("# Glossary\n", &["ARCHITECTURE.md:1: say what lives in engine/"]);
    check_workspace(document_rules::check, &[manifest, code], &["ARCHITECTURE.md:1: write it"]);
    let nested =
        [("# Glossary engine/", "ARCHITECTURE.md"), ("[x](../README.md)", "engine/FORMAT.md")];
    let files = [nested[0], nested[1]].map(|(text, path)| (path, text));
    check_workspace(document_rules::check, &files, &["engine/FORMAT.md:1: there is no README.md"]);
}
